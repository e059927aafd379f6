"""What providers report, from its arrival to the status of the delivery."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select, text

from mta.events import EventKind
from mta.hooks.call import DeliveryReport, HookRefused
from mta.outcomes import Outcome, Status
from mta.reports import _TAKEN_OVER, KEPT
from mta.returns import CALM, LONGEST
from mta.settings import ContainerSettings
from mta.tables import deliveries, reports, returns
from store import Database
from tests.mta.scripted import Clock, Scripted, Station

Start = Callable[..., Station]
numbers = itertools.count()


def report(delivery_id: str, status: Status, **more: Any) -> DeliveryReport:
    given: dict[str, Any] = {
        "report_id": f"report-{next(numbers)}",
        "provider": "ses",
        "delivery_id": delivery_id,
        "recipient": "bob@example.com",
        "status": status,
        "reason": f"It is {status}.",
        "at": 1_800_000_000.0,
    }
    return DeliveryReport(**given | more)


def take(station: Station, *news: DeliveryReport) -> int:
    count = station.container.take_reports(news)
    station.container.settle_reports()
    return count


def test_reports_when_they_come_in_any_order_then_the_same_status(station: Start) -> None:
    expected = {
        (Status.DELIVERED,): Status.DELIVERED,
        (Status.DEFERRED,): Status.DEFERRED,
        (Status.DEFERRED, Status.DELIVERED): Status.DELIVERED,
        (Status.SENT, Status.DEFERRED, Status.DELIVERED): Status.DELIVERED,
        (Status.DELIVERED, Status.BOUNCED): Status.BOUNCED,
        (Status.DELIVERED, Status.COMPLAINED): Status.COMPLAINED,
        (Status.DEFERRED, Status.BOUNCED): Status.BOUNCED,
        (Status.FAILED, Status.SENT): Status.FAILED,
    }
    sender = station(Scripted("a"))
    for kinds, status in expected.items():
        for order in itertools.permutations(kinds):
            submission = sender.submit()
            sender.wait_for(submission, Status.SENT)
            for kind in order:
                take(sender, report(submission.deliveries[0].id, kind))
            assert sender.delivery(submission).status is status, order


def test_each_status_when_reported_then_it_gives_way_or_stays(station: Start, database: Database) -> None:
    waiting = (Status.QUEUED, Status.SENDING, Status.DEFERRED)
    idle = station(Scripted("a"), begin=False)
    for was, told in itertools.product(Status, _TAKEN_OVER):
        submission = idle.submit()
        due = "1" if was in waiting else "NULL"
        with database.transaction() as connection:
            connection.execute(
                text(f"UPDATE spool_deliveries SET status = '{was}', due = {due} WHERE submission_id = :id"),
                {"id": submission.id},
            )
        take(idle, report(submission.deliveries[0].id, told))
        delivery = idle.delivery(submission)
        assert delivery.status is (told if was in _TAKEN_OVER[told] else was), (was, told)
        with database.read() as connection:
            due_now = connection.scalar(
                select(deliveries.c.due).where(deliveries.c.submission_id == submission.id)
            )
        changed = was in _TAKEN_OVER[told]
        assert (due_now is None) == (changed or was not in waiting), (
            "a provider has it, and yet it is sent again"
        )


def test_an_uncertain_delivery_when_reported_then_settled_and_never_sent_again(
    station: Start, clock: Clock
) -> None:
    unclear, other = Scripted("a", Outcome.UNCERTAIN), Scripted("b")
    sender = station(unclear, settings=ContainerSettings(poll=0.02, uncertain_grace=60))
    submission = sender.submit()
    sender.wait_for(submission, Status.UNCERTAIN)
    take(sender, report(submission.deliveries[0].id, Status.DELIVERED))
    assert sender.delivery(submission).status is Status.DELIVERED
    assert "certain now" in sender.wait_for_event(EventKind.INFORM_USER, "certain now").text
    assert sender.container.stop(10)
    clock.forward(3600)
    later = station(other)
    marker = later.submit()
    later.wait_for(marker, Status.SENT)
    assert len(unclear.called) + len(other.called) == 2, "the settled delivery was sent again"


def test_a_report_when_it_comes_before_the_answer_then_it_stays(station: Start) -> None:
    slow = Scripted("a", Outcome.UNCERTAIN)
    slow.hold()
    sender = station(slow)
    submission = sender.submit()
    slow.wait_for_calls(1)
    take(sender, report(submission.deliveries[0].id, Status.BOUNCED))
    slow.release()
    last = sender.submit()
    sender.wait_for(last, Status.UNCERTAIN)
    assert sender.delivery(submission).status is Status.BOUNCED
    assert len(slow.called) == 2


def test_a_deferred_delivery_when_its_provider_has_it_then_not_sent_again_nor_cancelled(
    station: Start, clock: Clock
) -> None:
    provider = Scripted("a")
    sender = station(provider)
    submission = sender.submit()
    sender.wait_for(submission, Status.SENT)
    take(sender, report(submission.deliveries[0].id, Status.DEFERRED, reason="451 later."))
    clock.forward(7 * 86400)
    sender.container.cancel(submission.id)
    assert (sender.delivery(submission).status, sender.delivery(submission).detail) == (
        Status.DEFERRED,
        "451 later.",
    )
    assert sender.changes[-1].status is Status.DEFERRED
    assert len(provider.called) == 1


def test_a_report_when_it_comes_again_then_it_counts_once(
    station: Start, database: Database, clock: Clock
) -> None:
    sender = station(Scripted("a"))
    submission = sender.submit()
    sender.wait_for(submission, Status.SENT)
    told = report(submission.deliveries[0].id, Status.BOUNCED)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: take(sender, told, told), range(16))) == 1
    assert sender.statuses(submission).count(Status.BOUNCED) == 1
    clock.forward(KEPT + 1)
    sender.container.prune_reports()
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(reports)) == 0


def test_a_token_when_used_again_then_refused_and_nothing_is_written(station: Start) -> None:
    sender = station(Scripted("a"))
    submission = sender.submit()
    sender.wait_for(submission, Status.SENT)
    delivery = submission.deliveries[0].id
    assert sender.container.take_reports([report(delivery, Status.DELIVERED)], "mailgun-t") == 1
    with pytest.raises(HookRefused):
        sender.container.take_reports([report(delivery, Status.COMPLAINED)], "mailgun-t")
    sender.container.settle_reports()
    assert sender.delivery(submission).status is Status.DELIVERED


def test_a_report_when_nobody_settled_it_then_the_next_process_does(station: Start) -> None:
    sender = station(Scripted("a"))
    submission = sender.submit()
    sender.wait_for(submission, Status.SENT)
    sender.container.take_reports(
        [report(submission.deliveries[0].id, Status.BOUNCED), report("unknown", Status.BOUNCED)]
    )
    assert sender.delivery(submission).status is Status.SENT
    station(Scripted("b"), begin=False).container.settle_reports()
    assert sender.delivery(submission).status is Status.BOUNCED


def test_a_report_when_settled_in_one_process_then_told_in_the_others(station: Start) -> None:
    one, other = station(Scripted("a")), station(Scripted("b"))
    submission = one.submit()
    one.wait_for(submission, Status.SENT)
    take(one, report(submission.deliveries[0].id, Status.BOUNCED))
    for told in (one, other):
        assert told.wait_for_event(EventKind.INFORM_USER, "came back").owner == "ann"
        assert told.statuses(submission).count(Status.BOUNCED) == 1


def test_a_report_when_about_another_recipient_then_shown_on_the_mail(station: Start) -> None:
    sender = station(Scripted("a"))
    submission = sender.submit()
    sender.wait_for(submission, Status.SENT)
    told = report(
        submission.deliveries[0].id, Status.BOUNCED, recipient="cat@example.org", reason="550 nobody."
    )
    take(sender, told)
    assert sender.delivery(submission).detail == "cat@example.org: 550 nobody."


def test_returns_when_many_fail_then_one_batch_after_a_calm_and_again_until_finished(
    station: Start, clock: Clock
) -> None:
    sender = station(Scripted("a", Outcome.REJECTED_RECIPIENT))
    people = [f"p{number}@example.com" for number in range(40)]
    submission = sender.submit(*people)
    sender.wait_for(submission, Status.FAILED)
    box = sender.container.returns
    assert box.take(clock.now) == []
    (batch,) = box.take(clock.now + CALM)
    assert (batch.submission_id, len(batch.returns)) == (submission.id, 40)
    assert station(Scripted("b"), begin=False).container.returns.take(clock.now) == [batch], (
        "a crash before the author is told loses the batch"
    )
    box.finish(batch.name)
    assert box.take(clock.now + LONGEST) == []


def test_returns_when_failing_goes_on_and_on_then_a_batch_all_the_same(
    station: Start, database: Database, clock: Clock
) -> None:
    sender = station(Scripted("a"), begin=False)
    submission = sender.submit(*(f"p{number}@example.com" for number in range(30)))
    batches = []
    for delivery in submission.deliveries:
        take(sender, report(delivery.id, Status.BOUNCED, permanent=True))
        clock.forward(CALM - 1)
        batches += sender.container.returns.take(clock.now)
        for batch in batches:
            sender.container.returns.finish(batch.name)
    assert 1 <= len(batches) <= 3
    with database.read() as connection:
        left = connection.scalar(select(func.count()).select_from(returns))
    assert sum(len(batch.returns) for batch in batches) + (left or 0) == 30
    assert all(one.permanent for batch in batches for one in batch.returns)
