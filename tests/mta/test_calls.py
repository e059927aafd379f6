"""What webhooks are to be told, from the transaction that decides it to the call that was heard."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mta.calls import AT_ONCE, LEASE, LIFETIME, Calls, Taken, Tried
from mta.outcomes import Outcome, Status
from store import Database
from tests.mta.scripted import Clock, Scripted, Station
from tests.mta.test_reports import report, take

Start = Callable[..., Station]


@pytest.fixture
def calls(database: Database) -> Calls:
    """Calls on the test's spool, with one webhook of the author of every test's mail."""
    calls = Calls(database)
    calls.subscribe(7, "ada")
    calls.subscribe(8, "eve")
    calls.subscribe(9, "ada", [Status.COMPLAINED])
    return calls


def heard(calls: Calls, taken: Taken, clock: Clock) -> None:
    calls.settle(Tried(taken, tuple(call.id for call in taken.calls), ()), clock(), 0.0)


def statuses(taken: Taken) -> list[Status]:
    return [call.change.status for call in taken.calls]


def test_each_status_when_it_is_decided_then_one_call_for_whoever_subscribed(
    station: Start, calls: Calls, clock: Clock
) -> None:
    sender = station(Scripted("a"))
    submission = sender.submit("bob@example.com", owner="ada")
    sender.wait_for(submission, Status.SENT)
    clock.forward(1.0)
    take(sender, report(submission.deliveries[0].id, Status.DELIVERED))
    clock.forward(1.0)
    take(sender, report(submission.deliveries[0].id, Status.BOUNCED, reason="550 no such user"))
    (taken,) = calls.take(clock(), 5)
    assert taken.webhook == 7
    assert statuses(taken) == [Status.SENT, Status.DELIVERED, Status.BOUNCED]
    last = taken.calls[-1].change
    assert (last.submission_id, last.recipient) == (submission.id, "bob@example.com")
    assert (last.delivery_id, last.detail) == (submission.deliveries[0].id, "550 no such user")
    assert len({call.id for call in taken.calls}) == 3
    assert calls.waiting(8) == 0


def test_a_mail_when_cancelled_then_told_and_nobody_is_told_what_he_did_not_subscribe_to(
    station: Start, calls: Calls, clock: Clock
) -> None:
    idle = station(Scripted("a"), begin=False)
    idle.container.cancel(idle.submit(owner="ada").id)
    idle.container.cancel(idle.submit(owner="bob").id)
    (taken,) = calls.take(clock(), 5)
    assert statuses(taken) == [Status.CANCELLED]


def test_a_webhook_when_held_then_by_one_and_by_another_once_its_lease_is_over(
    station: Start, calls: Calls, clock: Clock
) -> None:
    idle = station(Scripted("a"), begin=False)
    idle.container.cancel(idle.submit(owner="ada").id)
    with ThreadPoolExecutor(8) as crowd:
        found = list(crowd.map(lambda _: calls.take(clock(), 5), range(8)))
    assert sum(map(len, found)) == 1
    (first,) = next(filter(None, found))
    idle.container.cancel(idle.submit(owner="ada").id)
    assert calls.take(clock() + LEASE - 1, 5) == [], "new calls do not break a lease"
    clock.forward(LEASE)
    (second,) = calls.take(clock(), 5)
    assert first.calls[0].id in {one.id for one in second.calls}
    calls.settle(Tried(first, (), (first.calls[0].id,)), clock(), 0.0)
    assert calls.take(clock(), 5) == [], "who lost the lease lets nothing go"
    heard(calls, second, clock)
    assert calls.waiting(7) == 0


def test_calls_when_one_comes_while_the_webhook_is_let_go_then_it_is_due(
    station: Start, calls: Calls, clock: Clock
) -> None:
    idle = station(Scripted("a"), begin=False)
    idle.container.cancel(idle.submit(owner="ada").id)
    (taken,) = calls.take(clock(), 5)
    idle.container.cancel(idle.submit(owner="ada").id)
    heard(calls, taken, clock)
    (next_,) = calls.take(clock(), 5)
    assert len(next_.calls) == 1
    assert next_.calls[0].id != taken.calls[0].id


def test_calls_when_a_crowd_of_containers_decides_and_a_crowd_tells_then_each_told_once(
    station: Start, calls: Calls, clock: Clock
) -> None:
    stations = [station(Scripted("a")) for _ in range(2)]
    submissions = [(one, one.submit(owner="ada")) for one in stations for _ in range(60)]
    told: list[str] = []

    def tell(_: int) -> None:
        for taken in calls.take(clock(), 5):
            told.extend(call.id for call in taken.calls)
            heard(calls, taken, clock)

    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(tell, range(40)))
    for one, submission in submissions:
        one.wait_for(submission, Status.SENT)
    while calls.waiting(7):
        tell(0)
    assert len(told) == len(set(told)) == 120


def test_calls_when_nobody_hears_them_then_tried_ever_less_for_a_day(
    station: Start, calls: Calls, clock: Clock
) -> None:
    idle = station(Scripted("a"), begin=False)
    idle.container.cancel(idle.submit(owner="ada").id)
    begun, pauses = clock(), []
    while found := calls.take(clock(), 5):
        (taken,) = found
        if taken.expired:
            break
        calls.settle(Tried(taken, (), tuple(call.id for call in taken.calls)), clock(), 0.0)
        waits = next(
            wait
            for wait in (5.0 * 2**power for power in range(11))
            if calls.is_due(clock() + min(wait, 3600.0))
        )
        pauses.append(min(waits, 3600.0))
        clock.forward(pauses[-1])
    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0]
    assert max(pauses) == 3600.0
    assert LIFETIME <= clock() - begun <= LIFETIME + 3600
    assert calls.waiting(7) == 0


def test_one_call_when_only_that_is_refused_then_the_others_go_on(
    station: Start, calls: Calls, clock: Clock
) -> None:
    idle = station(Scripted("a"), begin=False)
    for _ in range(3):
        idle.container.cancel(idle.submit(owner="ada").id)
    (taken,) = calls.take(clock(), 5)
    refused, *others = [call.id for call in taken.calls]
    calls.settle(Tried(taken, tuple(others), (refused,)), clock(), 0.0)
    idle.container.cancel(idle.submit(owner="ada").id)
    clock.forward(5.0)
    (again,) = calls.take(clock(), 5)
    assert again.failures == 0
    assert [call.id for call in again.calls if call.tries == 1] == [refused]
    assert len(again.calls) == 2


def test_a_long_list_when_told_then_some_at_a_time(station: Start, calls: Calls, clock: Clock) -> None:
    idle = station(Scripted("a"), begin=False)
    people = [f"p{number}@example.com" for number in range(AT_ONCE + 10)]
    idle.container.cancel(idle.submit(*people, owner="ada").id)
    sizes = []
    while found := calls.take(clock(), 5):
        sizes.append(len(found[0].calls))
        heard(calls, found[0], clock)
    assert sizes == [AT_ONCE, 10]


def test_a_webhook_when_ended_then_nothing_waits_for_it(station: Start, calls: Calls, clock: Clock) -> None:
    sender = station(Scripted("a", Outcome.REJECTED_MESSAGE))
    calls.unsubscribe(8)
    submission = sender.submit(owner="ada")
    sender.wait_for(submission, Status.FAILED)
    assert calls.waiting(7) == 1
    calls.unsubscribe(7)
    assert calls.take(clock(), 5) == []
    assert calls.waiting(7) == 0
    sender.wait_for(sender.submit(owner="ada"), Status.FAILED)
    assert calls.waiting(7) == 0
