"""When providers fail: who is tried next, who is taken out, who comes back, and when nobody is left."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from mta.events import EventKind
from mta.outcomes import Answer, Outcome, Status
from mta.providers.base import Outgoing
from mta.service import ServiceState
from mta.settings import ContainerSettings, WhenDown
from mta.strategy import ThresholdFailureStrategy
from mta.submission import Policy
from tests.mta.scripted import Anew, Clock, Harmless, Scripted, Station, Windowed, wait_until

Start = Callable[..., Station]

WAIT = ContainerSettings(poll=0.02, when_down=WhenDown.WAIT)


def attempts(sending: Station, submission: object) -> list[tuple[str, Outcome | None]]:
    return [(one.provider, one.outcome) for one in sending.delivery(submission).attempts]  # type: ignore[arg-type]


def state(sending: Station, name: str) -> ServiceState:
    return next(one.state for one in sending.container.health() if one.name == name)


def test_unavailable_when_another_is_there_then_that_one_at_once(station: Start) -> None:
    sending = station(Scripted("dead", Outcome.UNAVAILABLE), Scripted("alive"))
    submission = sending.submit()
    assert sending.wait_for(submission, Status.SENT).provider == "alive"
    assert attempts(sending, submission) == [("dead", Outcome.UNAVAILABLE), ("alive", Outcome.ACCEPTED)]
    sending.wait_for_event(EventKind.DOWN_TEMPORARILY, "dead says unavailable")
    sending.wait_for_event(EventKind.RESUBMIT)
    sending.wait_for_event(EventKind.INFORM_USER, "sent by alive")


def test_unavailable_when_the_next_is_called_then_the_first_outcome_is_on_disk_lest_a_crash_loses_it(
    station: Start,
) -> None:
    seen: list[tuple[Outcome | None, ...]] = []

    def look(message: Outgoing) -> Answer:
        (delivery,) = (one for one in sending.now(submission).deliveries if one.id == message.delivery_id)
        seen.append(tuple(attempt.outcome for attempt in delivery.attempts))
        return Answer(Outcome.ACCEPTED, "Taken.")

    bad, good = Scripted("bad", Outcome.UNAVAILABLE, concurrency=1), Scripted("good", look)
    never = ThresholdFailureStrategy(1000)
    sending = station(bad, good, strategy=lambda: never, begin=False)
    submission = sending.submit(*(f"r{number}@example.com" for number in range(40)))
    sending.container.start()
    sending.wait_for(submission, Status.SENT)
    assert set(seen) == {(None,), (Outcome.UNAVAILABLE, None)}


def test_unavailable_when_it_is_one_of_three_then_every_mail_arrives_by_the_others(station: Start) -> None:
    a, b = Scripted("a"), Scripted("b")
    sending = station(Scripted("dead", Outcome.UNAVAILABLE), a, b)
    submission = sending.submit(*(f"r{number}@example.com" for number in range(60)))
    sending.wait_for(submission, Status.SENT)
    assert sorted(a.recipients + b.recipients) == sorted(f"r{number}@example.com" for number in range(60))
    fatal = sending.wait_for_event(EventKind.FATAL)
    assert fatal.provider == "dead"
    assert state(sending, "dead") is ServiceState.OUT
    assert sending.lost.times == 0


def test_unavailable_when_all_are_then_back_off_and_then_sent(station: Start, clock: Clock) -> None:
    sending = station(
        Scripted("a", Outcome.UNAVAILABLE, Outcome.ACCEPTED),
        Scripted("b", Outcome.UNAVAILABLE, Outcome.ACCEPTED),
    )
    submission = sending.submit()
    delivery = sending.wait_for(submission, Status.DEFERRED)
    assert {one.provider for one in delivery.attempts} == {"a", "b"}
    assert "says unavailable" in delivery.detail
    assert "tried again" in sending.wait_for_event(EventKind.INFORM_USER).text
    clock.forward(47)
    sending.wait_for(sending.submit("canary@example.com"), Status.SENT)
    assert sending.delivery(submission).status is Status.DEFERRED
    clock.forward(14)
    assert len(sending.wait_for(submission, Status.SENT).attempts) == 3


def test_unavailable_when_its_lifetime_is_over_then_failed_with_a_notice(
    station: Start, clock: Clock
) -> None:
    settings = ContainerSettings(poll=0.02, lifetime=100)
    sending = station(Scripted("a", Outcome.UNAVAILABLE), settings=settings)
    submission = sending.submit()
    sending.wait_for(submission, Status.DEFERRED)
    clock.forward(101)
    delivery = sending.wait_for(submission, Status.FAILED)
    assert "time was over" in delivery.detail
    assert "could not be sent" in sending.wait_for_event(EventKind.INFORM_USER, "time was over").text


@pytest.mark.parametrize("outcome", [Outcome.REJECTED_RECIPIENT, Outcome.REJECTED_MESSAGE])
def test_rejected_when_it_may_be_the_providers_own_reason_then_one_other_once(
    station: Start, outcome: Outcome
) -> None:
    maybe = Answer(outcome, "550 policy", try_other=True)
    providers = [Scripted(name, maybe) for name in ("a", "b", "c")]
    sending = station(*providers)
    submission = sending.submit()
    assert sending.wait_for(submission, Status.FAILED).detail == "550 policy"
    assert len(attempts(sending, submission)) == 2


def test_rejected_when_the_other_takes_it_then_sent(station: Start) -> None:
    sending = station(Scripted("a", Answer(Outcome.REJECTED_MESSAGE, "no", try_other=True)), Scripted("b"))
    submission = sending.submit()
    assert sending.wait_for(submission, Status.SENT).provider == "b"


def test_rejected_when_there_is_no_other_then_failed_at_once(station: Start) -> None:
    sending = station(Scripted("a", Answer(Outcome.REJECTED_MESSAGE, "550 policy", try_other=True)))
    submission = sending.submit()
    assert sending.wait_for(submission, Status.FAILED).detail == "550 policy"


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.OVER_QUOTA])
def test_throttled_when_it_gives_a_time_then_paused_and_others_used_meanwhile(
    station: Start, clock: Clock, outcome: Outcome
) -> None:
    busy = Scripted("busy", Answer(outcome, "too fast", retry_at=clock.now + 100), Outcome.ACCEPTED)
    other = Scripted("other")
    sending = station(busy, other)
    first = sending.submit("first@example.com")
    assert sending.wait_for(first, Status.SENT).provider == "other"
    wait_until(lambda: state(sending, "busy") is ServiceState.PAUSED)
    for number in range(5):
        assert sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT).provider == "other"
    assert len(busy.called) == 1
    clock.forward(101)
    wait_until(lambda: state(sending, "busy") is ServiceState.IN_SERVICE)
    submission = sending.submit(*(f"s{number}@example.com" for number in range(4)))
    sending.wait_for(submission, Status.SENT)
    assert len(busy.called) == 3


def test_throttled_when_all_are_then_waiting_and_not_the_end(station: Start, clock: Clock) -> None:
    later = Answer(Outcome.THROTTLED, "too fast", retry_at=clock.now + 100)
    sending = station(Scripted("a", later, Outcome.ACCEPTED), Scripted("b", later, Outcome.ACCEPTED))
    submission = sending.submit()
    wait_until(lambda: {one.state for one in sending.container.health()} == {ServiceState.PAUSED})
    wait_until(lambda: sending.delivery(submission).status is Status.QUEUED)
    another = sending.submit()
    assert sending.lost.times == 0
    assert EventKind.GOOD_BYE not in sending.kinds()
    clock.forward(101)
    sending.wait_for(submission, Status.SENT)
    sending.wait_for(another, Status.SENT)


def test_misconfigured_when_another_is_there_then_out_at_once_and_operators_told(
    station: Start, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Scripted("wrong", Answer(Outcome.MISCONFIGURED, "535 bad password"), Outcome.ACCEPTED)
    sending = station(wrong, Scripted("right"))
    submission = sending.submit()
    assert sending.wait_for(submission, Status.SENT).provider == "right"
    critical = sending.wait_for_event(EventKind.CRITICAL)
    assert critical.provider == "wrong"
    assert "535 bad password" in critical.text
    assert any(record.levelno == logging.CRITICAL for record in caplog.records)
    for number in range(5):
        sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT)
    assert len(wrong.called) == 1
    sending.container.restore("wrong")
    sending.wait_for_event(EventKind.OK, "wrong is back")
    sending.wait_for(sending.submit("a@example.com", "b@example.com"), Status.SENT)
    assert len(wrong.called) == 2
    with pytest.raises(KeyError):
        sending.container.restore("unknown")


def test_misconfigured_when_only_the_sender_is_at_fault_then_others_go_on_there(station: Start) -> None:
    def judge(message: object) -> Answer:
        if message.sender == "ann@example.com":  # type: ignore[attr-defined]
            return Answer(Outcome.MISCONFIGURED, "not verified", sender_only=True)
        return Answer(Outcome.ACCEPTED, "ok")

    picky = Scripted("picky", judge)
    sending = station(picky, Scripted("other"))
    first = sending.submit("a@example.com")
    assert sending.wait_for(first, Status.SENT).provider == "other"
    for number in range(4):
        sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT)
    assert len(picky.called) == 1
    for number in range(4):
        sending.wait_for(sending.submit(f"s{number}@example.com", sender="eve@example.com"), Status.SENT)
    assert len(picky.called) == 3
    assert state(sending, "picky") is ServiceState.IN_SERVICE


def test_uncertain_when_at_least_once_then_held_and_sent_again(station: Start, clock: Clock) -> None:
    sending = station(Scripted("a", Outcome.UNCERTAIN, Outcome.ACCEPTED))
    submission = sending.submit()
    assert sending.wait_for(submission, Status.UNCERTAIN).detail == "a says uncertain."
    sending.wait_for_event(EventKind.TIMEOUT)
    assert "not certain" in sending.wait_for_event(EventKind.INFORM_USER).text
    clock.forward(59)
    sending.wait_for(sending.submit("canary@example.com"), Status.SENT)
    assert sending.delivery(submission).status is Status.UNCERTAIN
    clock.forward(2)
    assert "twice" in sending.wait_for(submission, Status.SENT).detail
    assert attempts(sending, submission) == [("a", Outcome.UNCERTAIN), ("a", Outcome.ACCEPTED)]


def test_uncertain_when_at_most_once_then_given_up_and_said_so(station: Start, clock: Clock) -> None:
    smtp = Scripted("a", Outcome.UNCERTAIN, Outcome.ACCEPTED)
    sending = station(smtp)
    submission = sending.submit(policy=Policy.AT_MOST_ONCE)
    sending.wait_for(submission, Status.UNCERTAIN)
    clock.forward(61)
    assert "unknown" in sending.wait_for_event(EventKind.INFORM_USER, "unknown").text
    clock.forward(1e5)
    sending.wait_for(sending.submit("next@example.com"), Status.SENT)
    assert smtp.recipients == ["bob@example.com", "next@example.com"]
    assert sending.delivery(submission).status is Status.UNCERTAIN


def test_uncertain_when_repeating_is_harmless_then_there_again_at_once(station: Start) -> None:
    sending = station(Harmless("a", Outcome.UNCERTAIN, Outcome.ACCEPTED), Scripted("b"))
    submission = sending.submit()
    assert "twice" not in sending.wait_for(submission, Status.SENT).detail
    assert attempts(sending, submission) == [("a", Outcome.UNCERTAIN), ("a", Outcome.ACCEPTED)]


def test_deferred_when_the_time_comes_then_the_same_provider_again(station: Start, clock: Clock) -> None:
    greylisting = Scripted("a", Answer(Outcome.DEFERRED, "450 greylisted"), Outcome.ACCEPTED)
    other = Scripted("b")
    sending = station(greylisting, other)
    submission = sending.submit()
    assert sending.wait_for(submission, Status.DEFERRED).detail == "450 greylisted"
    sending.wait_for(sending.submit("next@example.com"), Status.SENT)
    clock.forward(61)
    assert sending.wait_for(submission, Status.SENT).provider == "a"
    assert other.recipients == ["next@example.com"]
    assert state(sending, "a") is ServiceState.IN_SERVICE


def test_envelope_when_a_provider_can_then_that_one_gets_mails_with_several_visible_recipients(
    station: Start,
) -> None:
    enveloping, windowed = Scripted("smtp"), Windowed("sendgrid")
    sending = station(windowed, enveloping)
    for number in range(4):
        submission = sending.submit(f"r{number}@example.com", needs_envelope=True)
        assert sending.wait_for(submission, Status.SENT).provider == "smtp"
    assert windowed.called == []


def test_envelope_when_no_provider_in_service_can_then_it_goes_out_all_the_same(station: Start) -> None:
    sending = station(Windowed("sendgrid"), Scripted("smtp", Outcome.MISCONFIGURED))
    submission = sending.submit(needs_envelope=True)
    assert sending.wait_for(submission, Status.SENT).provider == "sendgrid"
    assert attempts(sending, submission)[0] == ("smtp", Outcome.MISCONFIGURED)


SIGNED = (
    b'Subject: Hi\r\nContent-Type: multipart/signed; boundary="b"\r\n\r\n'
    b"--b\r\n\r\nHi\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--b--\r\n"
)


def test_structure_when_only_one_carries_it_then_that_one_also_after_its_pause(
    station: Start, clock: Clock
) -> None:
    able = Scripted("smtp", Outcome.UNAVAILABLE, Outcome.ACCEPTED)
    sending = station(Anew("sendgrid"), able)
    submission = sending.submit(raw=SIGNED)
    sending.wait_for(submission, Status.DEFERRED)
    clock.forward(61)
    assert sending.wait_for(submission, Status.SENT).provider == "smtp"
    assert attempts(sending, submission) == [("smtp", Outcome.UNAVAILABLE), ("smtp", Outcome.ACCEPTED)]


def test_structure_when_no_provider_carries_it_then_failed_with_the_reason(station: Start) -> None:
    sending = station(Anew("sendgrid"))
    delivery = sending.wait_for(sending.submit(raw=SIGNED), Status.FAILED)
    assert "sendgrid cannot carry" in delivery.detail


def test_size_when_only_one_takes_it_then_that_one_and_when_none_then_failed_with_the_reason(
    station: Start,
) -> None:
    small, large = Scripted("small"), Scripted("large")
    small.max_bytes, large.max_bytes = 100, 1000
    sending = station(small, large)
    for number in range(3):
        submission = sending.submit(f"r{number}@example.com", raw=b"x" * 500)
        assert sending.wait_for(submission, Status.SENT).provider == "large"
    huge = sending.submit(raw=b"x" * 1001)
    delivery = sending.wait_for(huge, Status.FAILED)
    assert "small takes mails of at most 100 bytes" in delivery.detail
    assert "1,001" in delivery.detail
    assert "could not be sent" in sending.wait_for_event(EventKind.INFORM_USER, "1,001").text


def test_smtputf8_when_a_provider_can_then_that_one_and_when_none_then_failed(station: Start) -> None:
    plain, modern = Scripted("plain"), Scripted("modern")
    modern.can_smtputf8 = True
    sending = station(plain, modern)
    for _ in range(3):
        submission = sending.submit("üser@example.com")
        assert sending.wait_for(submission, Status.SENT).provider == "modern"
    modern.can_smtputf8 = False
    assert "beyond ASCII" in sending.wait_for(sending.submit("üser@example.com"), Status.FAILED).detail


def test_provider_when_it_raises_then_uncertain_and_logged(
    station: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_message: object) -> Answer:
        raise ZeroDivisionError("with a secret in it")

    sending = station(Scripted("a", broken))
    submission = sending.submit()
    delivery = sending.wait_for(submission, Status.UNCERTAIN)
    assert "ZeroDivisionError" in delivery.detail
    assert "secret" not in delivery.detail
    assert any("has a fault" in record.message for record in caplog.records)


def test_trial_when_the_pause_is_over_then_one_delivery_and_back_into_service(
    station: Start, clock: Clock
) -> None:
    ill = Scripted("ill", *[Outcome.UNAVAILABLE] * 3, Outcome.ACCEPTED)
    sending = station(ill, Scripted("well"), strategy=lambda: ThresholdFailureStrategy(3))
    for number in range(10):
        sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT)
    wait_until(lambda: state(sending, "ill") is ServiceState.OUT)
    assert len(ill.called) == 3
    clock.forward(31)
    ill.hold()
    on_trial = sending.submit("trial@example.com")
    ill.wait_for_calls(4)
    assert state(sending, "ill") is ServiceState.TRIAL
    for number in range(5):
        assert sending.wait_for(sending.submit(f"s{number}@example.com"), Status.SENT).provider == "well"
    assert len(ill.called) == 4
    ill.release()
    sending.wait_for(on_trial, Status.SENT)
    sending.wait_for_event(EventKind.OK, "ill is back")
    assert state(sending, "ill") is ServiceState.IN_SERVICE


def test_trial_when_it_never_answers_then_out_again_and_tried_later(station: Start, clock: Clock) -> None:
    ill = Scripted("ill", *[Outcome.UNAVAILABLE] * 2, Outcome.ACCEPTED, concurrency=1, timeout=0.5)
    settings = ContainerSettings(poll=0.02, overrun=0.5)
    sending = station(ill, Scripted("well"), strategy=lambda: ThresholdFailureStrategy(2), settings=settings)
    for number in range(6):
        sending.wait_for(sending.submit(f"r{number}@example.com"), Status.SENT)
    wait_until(lambda: state(sending, "ill") is ServiceState.OUT)
    ill.hold()
    clock.forward(31)
    stuck = sending.submit("stuck@example.com")
    delivery = sending.wait_for(stuck, Status.UNCERTAIN)
    assert "No answer" in delivery.detail
    wait_until(lambda: state(sending, "ill") is ServiceState.OUT)
    hanging = ill.leave_hanging()
    clock.forward(65)
    sending.wait_for(stuck, Status.SENT, Status.UNCERTAIN)
    sending.submit("again@example.com")
    wait_until(lambda: state(sending, "ill") is ServiceState.IN_SERVICE)
    hanging.set()


def test_attempt_when_it_is_written_off_and_accepted_late_then_sent_and_not_again(
    station: Start, clock: Clock
) -> None:
    slow = Scripted("slow", timeout=0.05)
    slow.hold()
    sending = station(slow, settings=ContainerSettings(poll=0.02, overrun=0.05))
    submission = sending.submit()
    sending.wait_for(submission, Status.UNCERTAIN)
    slow.release()
    delivery = sending.wait_for(submission, Status.SENT)
    assert [one.outcome for one in delivery.attempts] == [Outcome.ACCEPTED]
    clock.forward(1e5)
    sending.wait_for(sending.submit("next@example.com"), Status.SENT)
    assert slow.recipients == ["bob@example.com", "next@example.com"]


def test_nobody_left_when_it_terminates_then_good_bye_and_the_spool_is_whole(
    station: Start, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    providers = [Scripted(name, Outcome.UNAVAILABLE) for name in ("a", "b")]
    sending = station(*providers, strategy=lambda: ThresholdFailureStrategy(2))
    made = [sending.submit(f"r{number}@example.com") for number in range(20)]
    sending.wait_for_event(EventKind.GOOD_BYE)
    wait_until(lambda: sending.lost.times == 1)
    assert any(
        record.levelno == logging.CRITICAL and "service is down" in record.message
        for record in caplog.records
    )
    late = sending.submit("late@example.com")
    statuses = {sending.delivery(one).status for one in made}
    assert statuses <= {Status.QUEUED, Status.DEFERRED}
    assert sending.container.stop()
    assert sending.lost.times == 1
    clock.forward(61)
    again = station(Scripted("a"), Scripted("b"))
    for submission in [*made, late]:
        again.wait_for(submission, Status.SENT)
    assert EventKind.GOOD_BYE not in again.kinds()


def test_nobody_left_when_something_is_in_flight_then_finished_first(station: Start) -> None:
    slow = Scripted("slow", Outcome.ACCEPTED, Outcome.MISCONFIGURED, concurrency=2)
    slow.hold()
    sending = station(slow)
    first, second = sending.submit("a@example.com"), sending.submit("b@example.com")
    slow.wait_for_calls(2)
    slow.release()
    wait_until(lambda: sending.lost.times == 1)
    now = {sending.delivery(first).status, sending.delivery(second).status}
    assert now == {Status.SENT, Status.QUEUED}


def test_nobody_left_when_it_waits_then_said_and_back_by_a_trial(
    station: Start, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ill = Scripted("ill", Outcome.UNAVAILABLE, Outcome.UNAVAILABLE, Outcome.ACCEPTED)
    sending = station(ill, strategy=lambda: ThresholdFailureStrategy(2), settings=WAIT)
    made = [sending.submit(f"r{number}@example.com") for number in range(2)]
    assert "waits" in sending.wait_for_event(EventKind.CRITICAL).text
    assert any(record.levelno == logging.CRITICAL for record in caplog.records)
    late = sending.submit("late@example.com")
    clock.forward(61)
    for submission in [*made, late]:
        sending.wait_for(submission, Status.SENT)
    assert sending.lost.times == 0
    assert EventKind.GOOD_BYE not in sending.kinds()


def test_nobody_left_when_it_waits_and_nothing_can_be_tried_then_mails_stay_queued(
    station: Start, clock: Clock
) -> None:
    wrong = Scripted("wrong", Outcome.MISCONFIGURED, Outcome.ACCEPTED)
    sending = station(wrong, settings=WAIT)
    first = sending.submit()
    sending.wait_for(first, Status.DEFERRED)
    late = sending.submit("late@example.com")
    clock.forward(100)
    sending.container.restore("wrong")
    sending.wait_for(first, Status.SENT)
    sending.wait_for(late, Status.SENT)
