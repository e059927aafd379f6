"""Sending: from the submission to what its author is told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from mta.claiming import SMALL_MAIL
from mta.container import Container
from mta.events import Event, EventKind, StatusChange
from mta.leases import Leases, Turned
from mta.outcomes import Answer, Outcome, Status
from mta.providers.base import Outgoing
from mta.service import ServiceState
from mta.settings import ContainerSettings
from mta.submission import Priority
from mta.tables import deliveries
from store import Database
from tests.mta.scripted import Clock, Scripted, Station, Windowed, mail, wait_until

Start = Callable[..., Station]


def held(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).where(deliveries.c.lease != "")) or 0


def test_submit_when_a_provider_takes_it_then_sent_with_its_attempt(station: Start, clock: Clock) -> None:
    smtp = Scripted("smtp")
    sending = station(smtp)
    raw = b"Subject: Hello\r\n\r\n" + bytes(range(256))
    submission = sending.submit("bob@example.com", raw=raw)
    delivery = sending.wait_for(submission, Status.SENT)
    (message,) = smtp.called
    assert (message.sender, message.recipient, message.raw) == ("ann@example.com", "bob@example.com", raw)
    assert message.delivery_id == delivery.id
    assert (delivery.provider, delivery.detail) == ("smtp", "smtp says accepted.")
    assert [(one.provider, one.outcome, one.at) for one in delivery.attempts] == [
        ("smtp", Outcome.ACCEPTED, clock.now)
    ]


def test_submit_when_the_mail_is_large_then_sent_byte_by_byte(station: Start) -> None:
    smtp = Scripted("smtp")
    sending = station(smtp)
    raw = bytes(range(256)) * (SMALL_MAIL // 256) + b"x"
    sending.wait_for(sending.submit("a@example.com", "b@example.com", raw=raw), Status.SENT)
    assert [message.raw == raw for message in smtp.called] == [True, True]


def test_submit_when_sent_then_the_author_is_told_in_order(station: Start) -> None:
    sending = station(Scripted("smtp"))
    submission = sending.submit("bob@example.com")
    notice = sending.wait_for_event(EventKind.INFORM_USER)
    assert sending.statuses(submission) == [Status.SENDING, Status.SENT]
    assert notice.text == "Your mail “Hello” to bob@example.com was sent by smtp."
    assert (notice.owner, notice.submission_id, notice.status) == ("ann", submission.id, Status.SENT)
    assert (notice.recipient, notice.provider) == ("bob@example.com", "smtp")
    assert EventKind.OK in sending.kinds()


def test_results_when_there_is_a_backlog_then_many_share_a_turn(
    station: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, written = Leases.turn, []

    def watched(leases: Leases, *words: Any, **more: Any) -> Turned:
        turned = turn(leases, *words, **more)
        written.append(len(turned.applied))
        return turned

    monkeypatch.setattr(Leases, "turn", watched)
    pauses = random.Random(1)

    def answer(_: Outgoing) -> Answer:
        time.sleep(pauses.uniform(0.01, 0.05))
        return Answer(Outcome.ACCEPTED, "taken")

    sending = station(
        Scripted("smtp", answer, concurrency=8), settings=ContainerSettings(turn=1.0), begin=False
    )
    submissions = [sending.submit() for _ in range(80)]
    sending.container.start()
    for submission in submissions:
        sending.wait_for(submission, Status.SENT)
    turns = [number for number in written if number]
    assert sum(turns) == 80
    # Those behind come to an end with the backlog; before that each waits until what was claimed ahead is used up.
    assert min(turns[:7]) > 4


def test_watch_when_a_change_is_told_then_it_is_on_disk(station: Start) -> None:
    sending = station(Scripted("smtp"), begin=False)
    seen: list[tuple[Status, Status, int]] = []

    def look(change: StatusChange) -> None:
        found = sending.container.submission(change.submission_id)
        assert found is not None
        (delivery,) = found.deliveries
        seen.append((change.status, delivery.status, len(delivery.attempts)))

    sending.container.watch(look)
    sending.container.start()
    sending.submit()
    wait_until(lambda: len(seen) == 2)
    assert seen == [(Status.SENDING, Status.SENDING, 1), (Status.SENT, Status.SENT, 1)]


def test_start_when_mails_waited_then_round_robin_gives_each_provider_its_exact_share(station: Start) -> None:
    providers = [Scripted(name) for name in ("a", "b", "c")]
    sending = station(*providers, begin=False)
    submission = sending.submit(*(f"r{number}@example.com" for number in range(9)))
    sending.container.start()
    sending.wait_for(submission, Status.SENT)
    assert [len(one.called) for one in providers] == [3, 3, 3]


def test_submit_when_many_come_then_each_is_sent_once(station: Start) -> None:
    providers = [Scripted(name, concurrency=4) for name in ("a", "b", "c")]
    sending = station(*providers)
    made = [sending.submit(f"r{number}@example.com") for number in range(200)]
    for submission in made:
        sending.wait_for(submission, Status.SENT)
    assert Counter(one for provider in providers for one in provider.recipients) == Counter(
        f"r{number}@example.com" for number in range(200)
    )
    assert all(one.most_running <= 4 for one in providers)


def test_submit_when_the_key_comes_again_then_sent_once(station: Start) -> None:
    smtp = Scripted("smtp")
    sending = station(smtp)
    first = sending.container.submit(mail(key="draft-1"))
    sending.wait_for(first, Status.SENT)
    again = sending.container.submit(mail(key="draft-1"))
    assert again.id == first.id
    assert again.deliveries[0].status is Status.SENT
    sending.wait_for(sending.submit("last@example.com"), Status.SENT)
    assert smtp.recipients == ["bob@example.com", "last@example.com"]


def test_submit_when_the_container_is_another_one_then_it_is_found_by_looking(
    station: Start, database: Database, clock: Clock
) -> None:
    sending = station(Scripted("smtp"))
    accepting = Container(database, [Scripted("unused")], clock=clock)
    submission = accepting.submit(mail())
    assert sending.wait_for(submission, Status.SENT).provider == "smtp"
    assert accepting.stop()


def test_submit_when_in_the_same_process_then_sent_without_waiting_for_a_look(station: Start) -> None:
    sending = station(Scripted("smtp"), settings=ContainerSettings(poll=60))
    sending.wait_for_event(EventKind.BEAT)
    submission = sending.submit()
    sending.wait_for(submission, Status.SENT)


def test_submit_when_not_before_is_later_then_not_sent_earlier(station: Start, clock: Clock) -> None:
    smtp = Scripted("smtp")
    sending = station(smtp)
    later = sending.submit("later@example.com", not_before=clock.now + 10)
    sending.wait_for(sending.submit("now@example.com"), Status.SENT)
    assert sending.delivery(later).status is Status.QUEUED
    clock.forward(10)
    sending.wait_for(later, Status.SENT)
    assert smtp.recipients == ["now@example.com", "later@example.com"]


def test_cancel_when_nothing_was_started_then_never_sent(station: Start, clock: Clock) -> None:
    smtp = Scripted("smtp")
    sending = station(smtp)
    submission = sending.submit(not_before=clock.now + 10)
    cancelled = sending.container.cancel(submission.id)
    assert cancelled is not None
    assert cancelled.deliveries[0].status is Status.CANCELLED
    assert sending.statuses(submission) == [Status.CANCELLED]
    clock.forward(20)
    sending.wait_for(sending.submit("other@example.com"), Status.SENT)
    assert smtp.recipients == ["other@example.com"]
    assert sending.container.cancel("unknown") is None


def test_retry_when_it_had_failed_then_sent_and_every_attempt_is_told(station: Start) -> None:
    smtp = Scripted("smtp", Outcome.REJECTED_RECIPIENT, Outcome.ACCEPTED)
    sending = station(smtp)
    submission = sending.submit()
    failed = sending.wait_for(submission, Status.FAILED)
    retried = sending.container.retry(submission.id, failed.id)
    assert retried is not None
    delivery = sending.wait_for(submission, Status.SENT)
    assert [one.outcome for one in delivery.attempts] == [Outcome.REJECTED_RECIPIENT, Outcome.ACCEPTED]
    assert Status.QUEUED in sending.statuses(submission)
    sending.container.retry(submission.id, failed.id)
    assert sending.delivery(submission).status is Status.SENT
    assert len(smtp.called) == 2
    assert sending.container.retry("unknown", failed.id) is None


def test_cancel_when_some_are_started_then_only_the_others(station: Start) -> None:
    smtp = Scripted("smtp", concurrency=1)
    smtp.hold()
    sending = station(smtp)
    submission = sending.submit("a@example.com", "b@example.com", "c@example.com")
    smtp.wait_for_calls(1)
    cancelled = sending.container.cancel(submission.id)
    assert cancelled is not None
    assert Counter(one.status for one in cancelled.deliveries) == {Status.SENDING: 1, Status.CANCELLED: 2}
    smtp.release()
    wait_until(
        lambda: (
            Counter(one.status for one in sending.now(submission).deliveries)
            == {Status.SENT: 1, Status.CANCELLED: 2}
        )
    )
    sending.wait_for(sending.submit("last@example.com"), Status.SENT)
    assert len(smtp.called) == 2
    wait_until(lambda: sending.container.health()[0].counts == {Outcome.ACCEPTED: 2})


def test_rejected_when_one_of_ten_then_nine_sent_and_nobody_blamed(station: Start) -> None:
    def judge(message: Outgoing) -> Answer:
        bad = message.recipient.startswith("r3@")
        return Answer(
            Outcome.REJECTED_RECIPIENT if bad else Outcome.ACCEPTED, "550 no such user" if bad else "ok"
        )

    sending = station(Scripted("smtp", judge), Scripted("ses", judge))
    submission = sending.submit(*(f"r{number}@example.com" for number in range(10)))
    sending.wait_for(submission, Status.SENT, Status.FAILED)
    now = sending.now(submission)
    assert [one.recipient for one in now.deliveries if one.status is Status.FAILED] == ["r3@example.com"]
    assert now.deliveries[3].detail == "550 no such user"
    assert {one.state for one in sending.container.health()} == {ServiceState.IN_SERVICE}
    assert "550 no such user" in sending.wait_for_event(EventKind.INFORM_USER, "r3@").text


def test_listener_when_it_raises_then_mail_and_others_go_on(station: Start) -> None:
    sending = station(Scripted("smtp"), begin=False)

    def broken(_told: Event | StatusChange) -> None:
        raise RuntimeError("a listener's own fault")

    sending.container.listen(broken)
    sending.container.watch(broken)
    heard: list[Event] = []
    sending.container.listen(heard.append)
    sending.container.start()
    sending.wait_for(sending.submit(), Status.SENT)
    wait_until(lambda: any(one.kind is EventKind.INFORM_USER for one in heard))


def test_listener_when_it_leaves_then_it_hears_no_more(station: Start) -> None:
    sending = station(Scripted("smtp"))
    heard: list[Event] = []
    leave = sending.container.listen(heard.append)
    sending.wait_for(sending.submit(), Status.SENT)
    wait_until(lambda: any(one.kind is EventKind.INFORM_USER for one in heard))
    leave()
    leave()
    before = len(heard)
    second = sending.submit()
    wait_until(lambda: any(one.submission_id == second.id for one in sending.events))
    assert len(heard) == before


def test_submit_when_providers_are_full_then_it_waits_without_a_turn_of_its_own(
    station: Start, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, turns = Leases.turn, []

    def watched(leases: Leases, *words: Any, **more: Any) -> Turned:
        turns.append(time.monotonic())
        return turn(leases, *words, **more)

    monkeypatch.setattr(Leases, "turn", watched)
    smtp = Scripted("smtp", concurrency=1)
    smtp.hold()
    sending = station(smtp, settings=ContainerSettings(poll=60.0))
    submissions = [sending.submit() for _ in range(3)]
    smtp.wait_for_calls(1)
    wait_until(lambda: held(database) >= 2)
    time.sleep(0.1)  # what these three made it do is done
    before = len(turns)
    for _ in range(20):
        submissions.append(sending.submit())
        time.sleep(0.005)
    assert len(turns) == before
    smtp.release()
    for submission in submissions:
        sending.wait_for(submission, Status.SENT)


def test_claim_when_providers_are_full_then_no_more_than_room_and_a_few(
    station: Start, database: Database
) -> None:
    smtp = Scripted("smtp", concurrency=2)
    smtp.hold()
    sending = station(smtp, settings=ContainerSettings(poll=0.02, claim_ahead=3))
    sending.submit(*(f"r{number}@example.com" for number in range(40)))
    smtp.wait_for_calls(2)
    wait_until(lambda: held(database) >= 4)
    most = 0
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        most = max(most, held(database))
    assert most <= 2 + 3
    assert smtp.most_running == 2


def test_priority_when_a_list_of_ten_thousand_waits_then_a_single_mail_overtakes_it(station: Start) -> None:
    smtp = Scripted("smtp", concurrency=1)
    smtp.hold()
    sending = station(smtp)
    many = sending.submit(*(f"r{number}@example.com" for number in range(10_000)))
    smtp.wait_for_calls(1)
    single = sending.submit("single@example.com")
    urgent = sending.submit("urgent@example.com", priority=Priority.HIGH)
    smtp.release()
    sending.wait_for(single, Status.SENT)
    sending.wait_for(urgent, Status.SENT)
    before = smtp.recipients.index("single@example.com")
    assert before <= 5, f"{before} mails of the list went first"
    assert sending.container.cancel(many.id) is not None


def test_needs_envelope_when_the_only_such_provider_is_full_then_others_do_not_starve(station: Start) -> None:
    enveloping, windowed = Scripted("smtp", concurrency=1), Windowed("sendgrid", concurrency=1)
    enveloping.hold()
    sending = station(enveloping, windowed, settings=ContainerSettings(poll=0.02, claim_ahead=2))
    picky = sending.submit(*(f"r{number}@example.com" for number in range(20)), needs_envelope=True)
    enveloping.wait_for_calls(1)
    easy = [sending.submit(f"e{number}@example.com") for number in range(5)]
    for submission in easy:
        sending.wait_for(submission, Status.SENT)
    assert {sending.delivery(one).provider for one in easy} == {"sendgrid"}
    enveloping.release()
    wait_until(lambda: not held_by_status(sending, picky.id, Status.SENDING))
    sending.container.cancel(picky.id)


def held_by_status(sending: Station, submission_id: str, status: Status) -> bool:
    found = sending.container.submission(submission_id)
    assert found is not None
    return any(one.status is status for one in found.deliveries)


def test_rate_when_set_then_kept(station: Start) -> None:
    smtp = Scripted("smtp", concurrency=10, rate=20)
    sending = station(smtp)
    started = time.monotonic()
    submission = sending.submit(*(f"r{number}@example.com" for number in range(26)))
    sending.wait_for(submission, Status.SENT)
    assert time.monotonic() - started >= 0.29


def test_slow_provider_when_others_are_fast_then_they_are_not_held_up(station: Start) -> None:
    slow, fast = Scripted("slow", concurrency=2), Scripted("fast", concurrency=2)
    slow.hold()
    sending = station(slow, fast)
    submission = sending.submit(*(f"r{number}@example.com" for number in range(50)))
    fast.wait_for_calls(48)
    assert len(slow.called) == 2
    slow.release()
    sending.wait_for(submission, Status.SENT)


def test_concurrency_when_set_for_the_container_then_kept_over_all_providers(station: Start) -> None:
    gate = [Scripted("a", concurrency=8), Scripted("b", concurrency=8)]
    for one in gate:
        one.hold()
    sending = station(*gate, settings=ContainerSettings(poll=0.02, concurrency=3))
    submission = sending.submit(*(f"r{number}@example.com" for number in range(20)))
    wait_until(lambda: sum(one.running for one in gate) == 3)
    for one in gate:
        one.release()
    sending.wait_for(submission, Status.SENT)
    assert sum(one.most_running for one in gate) <= 6


def test_stop_when_attempts_are_in_flight_then_finished_and_the_rest_given_back(
    station: Start, database: Database
) -> None:
    smtp = Scripted("smtp", concurrency=2)
    smtp.hold()
    sending = station(smtp)
    submission = sending.submit(*(f"r{number}@example.com" for number in range(10)))
    smtp.wait_for_calls(2)
    stopped: list[bool] = []
    stopping = threading.Thread(target=lambda: stopped.append(sending.container.stop(10)))
    stopping.start()
    wait_until(lambda: held(database) == 2)
    smtp.release()
    stopping.join()
    assert stopped == [True]
    assert smtp.closed
    assert Counter(one.status for one in sending.now(submission).deliveries) == {
        Status.SENT: 2,
        Status.QUEUED: 8,
    }
    assert held(database) == 0
    other = station(Scripted("ses"))
    other.wait_for(submission, Status.SENT)


def test_stop_when_an_attempt_outlasts_it_then_says_so(station: Start) -> None:
    smtp = Scripted("smtp")
    smtp.hold()
    sending = station(smtp)
    submission = sending.submit()
    smtp.wait_for_calls(1)
    sending.left_behind = True
    assert not sending.container.stop(0.05)
    assert not smtp.closed
    assert sending.delivery(submission).status is Status.SENDING


def test_containers_when_several_share_a_spool_then_each_mail_is_sent_once(station: Start) -> None:
    providers = [Scripted(f"p{number}", concurrency=3) for number in range(3)]
    stations = [station(one) for one in providers]
    made = [stations[number % 3].submit(f"r{number}@example.com") for number in range(150)]
    for submission in made:
        stations[0].wait_for(submission, Status.SENT)
    sent = Counter(one for provider in providers for one in provider.recipients)
    assert set(sent.values()) == {1}
    assert len(sent) == 150
    assert all(provider.called for provider in providers)


def test_lease_when_an_attempt_takes_longer_than_it_then_renewed(station: Start) -> None:
    slow = Scripted("slow")
    slow.hold()
    settings = ContainerSettings(poll=0.02, lease_seconds=0.3)
    first = station(slow, settings=settings, time=time.time)
    submission = first.submit(raw=b"x")
    slow.wait_for_calls(1)
    other = Scripted("other")
    second = station(other, settings=settings, time=time.time)
    deadline = time.monotonic() + 1.0
    wait_until(lambda: time.monotonic() > deadline)
    assert other.called == []
    slow.release()
    second.wait_for(submission, Status.SENT)
    assert len(slow.called) == 1


@pytest.mark.parametrize("names", [[], ["smtp", "smtp"]])
def test_container_when_its_providers_cannot_be_told_apart_then_refused(
    database: Database, names: list[str]
) -> None:
    with pytest.raises(ValueError, match="different names"):
        Container(database, [Scripted(name) for name in names])


def test_health_when_asked_then_each_provider_with_its_counts(station: Start) -> None:
    sending = station(Scripted("a"), Scripted("b", Outcome.REJECTED_MESSAGE))
    for _ in range(2):
        sending.wait_for(sending.submit(), Status.SENT, Status.FAILED)
    a, b = sending.container.health()
    assert (a.name, a.state, a.until, a.counts) == ("a", ServiceState.IN_SERVICE, None, {Outcome.ACCEPTED: 1})
    assert b.counts == {Outcome.REJECTED_MESSAGE: 1}


def test_health_of_all_when_several_containers_run_then_each_one_on_the_spool(
    station: Start, database: Database, clock: Clock
) -> None:
    first, second = station(Scripted("a")), station(Scripted("b"))
    looking = Container(database, [Scripted("c")], clock=clock)

    def names() -> list[list[str]]:
        return sorted([one.name for one in each] for each in looking.health_of_all().values())

    wait_until(lambda: names() == [["a"], ["b"]])
    assert second.container.stop()
    assert names() == [["a"]]
    clock.forward(1000)
    wait_until(lambda: first.container.stop() and names() == [])
