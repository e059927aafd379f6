"""Whether a provider is in the schedule, how much room it has, and how it comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mta.outcomes import Answer, Outcome
from mta.service import Service, ServiceState, Transition
from mta.settings import ContainerSettings
from mta.strategy import ThresholdFailureStrategy
from tests.mta.scripted import Scripted

NOW = 1_800_000_000.0
COUNTED = {Outcome.UNAVAILABLE, Outcome.UNCERTAIN}


def service(threshold: int = 3, **options: object) -> Service:
    return Service(Scripted("p", **options), ThresholdFailureStrategy(threshold), ContainerSettings())


def tell(one: Service, outcome: Outcome, now: float = NOW, trial: bool = False, **more: object) -> Transition:
    answer = Answer(outcome, "So it says.", **more)  # type: ignore[arg-type]
    return one.record(answer, "ann@example.com", now, 0.0, trial=trial)


def take_out(one: Service, now: float = NOW) -> None:
    while tell(one, Outcome.UNAVAILABLE, now) is not Transition.TAKEN_OUT:
        pass


def trial(one: Service, outcome: Outcome, now: float) -> Transition:
    assert one.wants_trial(now)
    one.take(trial=True)
    one.ended()
    return tell(one, outcome, now, trial=True)


def test_record_when_failures_reach_the_threshold_then_taken_out() -> None:
    one = service()
    told = [tell(one, Outcome.UNAVAILABLE), tell(one, Outcome.UNCERTAIN), tell(one, Outcome.UNAVAILABLE)]
    assert told == [Transition.NONE, Transition.NONE, Transition.TAKEN_OUT]
    assert (one.state, one.until) == (ServiceState.OUT, NOW + 30)
    assert one.room(0.0) == 0


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - COUNTED - {Outcome.MISCONFIGURED}))
def test_record_when_the_provider_is_not_at_fault_then_never_counted(outcome: Outcome) -> None:
    one = service(threshold=2)
    for _ in range(20):
        tell(one, outcome, retry_at=NOW + 1)
        assert not one.is_out


@pytest.mark.parametrize(
    "alive", [Outcome.ACCEPTED, Outcome.REJECTED_RECIPIENT, Outcome.REJECTED_MESSAGE, Outcome.DEFERRED]
)
def test_record_when_it_is_alive_in_between_then_failures_are_not_consecutive(alive: Outcome) -> None:
    one = service(threshold=2)
    for _ in range(5):
        tell(one, Outcome.UNAVAILABLE)
        tell(one, alive)
    assert one.state is ServiceState.IN_SERVICE


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.OVER_QUOTA])
def test_record_when_throttled_then_paused_until_the_time_given_and_back_by_itself(outcome: Outcome) -> None:
    one = service()
    assert tell(one, outcome, retry_at=NOW + 77) is Transition.PAUSED
    assert (one.state, one.until, one.is_out) == (ServiceState.PAUSED, NOW + 77, False)
    one.wake(NOW + 76)
    assert one.room(0.0) == 0
    one.wake(NOW + 77)
    assert one.room(0.0) > 0


@pytest.mark.parametrize(
    ("given_time", "until"), [(None, 30), (-1000.0, 1), (1e12, 86400)], ids=["none", "over", "far away"]
)
def test_record_when_throttled_without_a_useful_time_then_paused_for_a_sensible_one(
    given_time: float | None, until: float
) -> None:
    one = service()
    tell(one, Outcome.THROTTLED, retry_at=None if given_time is None else NOW + given_time)
    assert one.until == NOW + until


def test_record_when_throttled_twice_then_the_longer_pause_holds() -> None:
    one = service()
    tell(one, Outcome.THROTTLED, retry_at=NOW + 100)
    assert tell(one, Outcome.THROTTLED, retry_at=NOW + 50) is Transition.NONE
    assert one.until == NOW + 100


def test_record_when_misconfigured_then_out_at_once_until_an_operator_acts() -> None:
    one = service()
    assert tell(one, Outcome.MISCONFIGURED) is Transition.MISCONFIGURED
    assert tell(one, Outcome.MISCONFIGURED) is Transition.NONE
    assert one.is_out
    assert not one.wants_trial(NOW + 1e9)
    one.restore()
    assert one.state is ServiceState.IN_SERVICE


def test_record_when_only_the_sender_is_at_fault_then_in_service_for_others() -> None:
    one = service()
    assert tell(one, Outcome.MISCONFIGURED, sender_only=True) is Transition.BARRED_SENDER
    assert one.barred_senders == {"ann@example.com"}
    assert one.state is ServiceState.IN_SERVICE


def test_trial_when_it_succeeds_then_back_and_patient_again() -> None:
    one = service()
    take_out(one)
    assert not one.wants_trial(NOW + 29)
    assert trial(one, Outcome.ACCEPTED, NOW + 30) is Transition.RETURNED
    assert one.state is ServiceState.IN_SERVICE
    assert tell(one, Outcome.UNAVAILABLE, NOW + 31) is Transition.NONE


def test_trial_when_throttled_then_alive_but_paused() -> None:
    one = service(threshold=1)
    take_out(one)
    assert trial(one, Outcome.THROTTLED, NOW + 30) is Transition.PAUSED
    assert one.state is ServiceState.PAUSED


def test_trial_when_it_fails_again_and_again_then_pauses_grow_up_to_half_an_hour() -> None:
    one, now, pauses = service(), NOW, []
    take_out(one)
    for _ in range(70):
        assert one.until is not None
        pauses.append(round(one.until - now))
        now = one.until
        assert trial(one, Outcome.UNAVAILABLE, now) is Transition.TAKEN_OUT
    assert pauses[:4] == [30, 60, 90, 120]
    assert pauses[-1] == max(pauses) == 1800


def test_trial_while_it_runs_then_no_second_one() -> None:
    one = service()
    take_out(one)
    one.take(trial=True)
    assert one.state is ServiceState.TRIAL
    assert not one.wants_trial(NOW + 1e6)
    one.give_back(trial=True)
    assert one.wants_trial(NOW + 30)


def test_record_when_out_and_attempts_in_flight_end_then_nothing_changes() -> None:
    one = service()
    take_out(one)
    until = one.until
    for outcome in (Outcome.UNAVAILABLE, Outcome.ACCEPTED, Outcome.THROTTLED):
        assert tell(one, outcome, NOW + 1) is Transition.NONE
    assert (one.state, one.until) == (ServiceState.OUT, until)


def test_record_when_long_in_service_then_earlier_times_out_are_forgotten() -> None:
    one = service()
    take_out(one)
    trial(one, Outcome.ACCEPTED, NOW + 30)
    take_out(one, NOW + 60)
    assert one.until == NOW + 60 + 60
    trial(one, Outcome.ACCEPTED, NOW + 120)
    take_out(one, NOW + 10_000)
    assert one.until == NOW + 10_000 + 30


def test_room_when_attempts_run_then_concurrency_less_those() -> None:
    one = service(concurrency=3)
    for free in (3, 2, 1, 0):
        assert one.room(0.0) == free
        one.take(trial=False)


@given(some.floats(0.5, 50), some.lists(some.floats(0, 0.5), min_size=1, max_size=60))
def test_room_when_there_is_a_rate_then_never_faster(rate: float, pauses: list[float]) -> None:
    one = service(concurrency=1000, rate=rate)
    ticks, sent = 100.0, 0
    for pause in pauses:
        ticks += pause
        while one.room(ticks) > 0:
            one.take(trial=False)
            sent += 1
        assert sent <= max(1.0, rate) + rate * (ticks - 100.0) + 1e-6
        assert one.refill_in(ticks) > 0


def test_refill_when_the_rate_holds_it_up_then_says_for_how_long() -> None:
    one = service(concurrency=10, rate=2)
    assert one.refill_in(0.0) == float("inf")
    one.take(trial=False)
    one.take(trial=False)
    assert one.room(0.0) == 0
    assert one.refill_in(0.0) == pytest.approx(0.5)
    assert one.room(0.5) == 1
