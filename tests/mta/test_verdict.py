"""What becomes of a delivery, by outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mta.claim import Claim
from mta.outcomes import Answer, Outcome, Status
from mta.settings import Backoff, ContainerSettings
from mta.submission import Policy, Priority
from mta.verdict import Circumstances, exhausted, judge, postponed, unsettled

NOW = 1_800_000_000.0
SETTINGS = ContainerSettings()
AT = Circumstances("smtp", idempotent=False, now=NOW, jitter=0.0, settings=SETTINGS)

CLAIM = Claim(
    id="d",
    submission_id="s",
    owner="ann",
    subject="Hello",
    sender="ann@example.com",
    recipient="bob@example.com",
    size=100,
    needs_envelope=False,
    policy=Policy.AT_LEAST_ONCE,
    status=Status.SENDING,
    provider="smtp",
    detail="",
    priority=Priority.NORMAL,
    attempt=1,
    rounds=0,
    pinned="",
    refused_by="",
    doubtful=False,
    expires=NOW + 1000,
)


def answer(outcome: Outcome, **more: object) -> Answer:
    return Answer(outcome, "So it says.", **more)  # type: ignore[arg-type]


def test_judge_when_accepted_then_sent_with_a_notice() -> None:
    verdict = judge(CLAIM, answer(Outcome.ACCEPTED), AT)
    assert (verdict.status, verdict.due, verdict.again) == (Status.SENT, None, False)
    assert verdict.notice == "Your mail “Hello” to bob@example.com was sent by smtp."


def test_judge_when_accepted_after_an_unclear_attempt_then_it_says_that_it_may_come_twice() -> None:
    verdict = judge(replace(CLAIM, doubtful=True), answer(Outcome.ACCEPTED), AT)
    assert "twice" in verdict.notice
    assert "twice" in verdict.detail


@pytest.mark.parametrize("outcome", [Outcome.REJECTED_RECIPIENT, Outcome.REJECTED_MESSAGE])
def test_judge_when_rejected_then_failed_at_once_with_the_reason(outcome: Outcome) -> None:
    verdict = judge(CLAIM, answer(outcome), AT)
    assert (verdict.status, verdict.due, verdict.again) == (Status.FAILED, None, False)
    assert "So it says." in verdict.notice
    assert verdict.detail == "So it says."


@pytest.mark.parametrize("outcome", [Outcome.REJECTED_RECIPIENT, Outcome.REJECTED_MESSAGE])
def test_judge_when_rejected_after_an_unclear_attempt_then_it_does_not_say_failed(outcome: Outcome) -> None:
    verdict = judge(replace(CLAIM, doubtful=True), answer(outcome), AT)
    assert (verdict.status, verdict.due, verdict.again) == (Status.UNCERTAIN, None, False)
    assert "stays unknown" in verdict.notice
    assert verdict.detail == "So it says."


def test_judge_when_rejected_for_a_reason_of_the_provider_then_one_other_is_tried_once() -> None:
    maybe = answer(Outcome.REJECTED_MESSAGE, try_other=True)
    first = judge(CLAIM, maybe, AT)
    assert (first.again, first.refused_by, first.tried, first.notice) == (True, "smtp", True, "")
    second = judge(replace(first.carry_on(CLAIM), provider="ses"), maybe, replace(AT, provider="ses"))
    assert (second.status, second.again) == (Status.FAILED, False)


def test_exhausted_when_it_was_refused_then_failed_with_that_reason() -> None:
    first = judge(CLAIM, Answer(Outcome.REJECTED_MESSAGE, "550 policy", try_other=True), AT)
    between = judge(first.carry_on(CLAIM), answer(Outcome.UNAVAILABLE), replace(AT, provider="ses"))
    last = exhausted(between.carry_on(CLAIM), NOW, 0.0, SETTINGS)
    assert (last.status, last.detail) == (Status.FAILED, "550 policy")


@pytest.mark.parametrize(
    ("outcome", "tried"),
    [
        (Outcome.UNAVAILABLE, True),
        (Outcome.MISCONFIGURED, True),
        (Outcome.THROTTLED, False),
        (Outcome.OVER_QUOTA, False),
    ],
)
def test_judge_when_the_provider_is_at_fault_then_the_next_at_once_and_no_notice(
    outcome: Outcome, tried: bool
) -> None:
    verdict = judge(CLAIM, answer(outcome), AT)
    assert (verdict.status, verdict.again, verdict.tried, verdict.notice) == (Status.QUEUED, True, tried, "")


def test_judge_when_deferred_then_the_same_provider_later() -> None:
    verdict = judge(CLAIM, answer(Outcome.DEFERRED), AT)
    assert (verdict.status, verdict.due, verdict.pinned) == (Status.DEFERRED, NOW + 60, "smtp")
    assert "tried again" in verdict.notice
    later = judge(verdict.carry_on(CLAIM), answer(Outcome.DEFERRED, retry_at=NOW + 300), AT)
    assert (later.due, later.notice) == (NOW + 300, "")


def test_judge_when_deferred_until_after_its_lifetime_then_looked_at_when_that_ends() -> None:
    assert judge(CLAIM, answer(Outcome.DEFERRED, retry_at=NOW + 9999), AT).due == CLAIM.expires


def test_judge_when_uncertain_then_held_for_the_grace() -> None:
    verdict = judge(CLAIM, answer(Outcome.UNCERTAIN), AT)
    assert (verdict.status, verdict.due, verdict.again) == (Status.UNCERTAIN, NOW + 60, False)
    assert verdict.doubtful
    assert "not certain" in verdict.notice


def test_judge_when_uncertain_again_and_again_then_held_longer_each_time() -> None:
    claim, waits = replace(CLAIM, expires=NOW + 1e6), []
    for _ in range(8):
        verdict = judge(claim, answer(Outcome.UNCERTAIN), AT)
        assert verdict.due is not None
        waits.append(verdict.due - NOW)
        claim = verdict.carry_on(claim)
    assert waits == sorted(waits)
    assert waits[-1] == 3600


def test_judge_when_uncertain_and_repeating_is_harmless_then_there_again_at_once_but_only_once() -> None:
    at = replace(AT, idempotent=True)
    first = judge(CLAIM, answer(Outcome.UNCERTAIN), at)
    assert (first.again, first.tried, first.pinned, first.doubtful) == (True, False, "smtp", False)
    second = judge(first.carry_on(CLAIM), answer(Outcome.UNCERTAIN), at)
    assert (second.again, second.due, second.pinned) == (False, NOW + 60, "smtp")


def test_unsettled_when_grace_is_over_then_by_policy() -> None:
    held = judge(CLAIM, answer(Outcome.UNCERTAIN), AT).carry_on(CLAIM)
    assert unsettled(held) is None
    once = replace(CLAIM, policy=Policy.AT_MOST_ONCE)
    verdict = unsettled(judge(once, answer(Outcome.UNCERTAIN), replace(AT, idempotent=True)).carry_on(once))
    assert verdict is not None
    assert (verdict.status, verdict.due, verdict.again) == (Status.UNCERTAIN, None, False)
    assert "unknown" in verdict.notice


def test_exhausted_when_all_were_tried_then_back_off_doubles_up_to_an_hour() -> None:
    claim, waits, notices = replace(CLAIM, expires=NOW + 1e6, detail="421"), [], []
    for _ in range(9):
        verdict = exhausted(claim, NOW, 0.0, SETTINGS)
        assert verdict.status is Status.DEFERRED
        assert verdict.due is not None
        waits.append(verdict.due - NOW)
        notices.append(bool(verdict.notice))
        claim = verdict.carry_on(claim)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert notices == [True] + [False] * 8


@given(some.integers(0, 5000), some.floats(0, 1))
def test_backoff_when_jittered_then_never_longer_and_never_much_shorter(rounds: int, jitter: float) -> None:
    seconds = Backoff().seconds(rounds, jitter)
    full = Backoff().seconds(rounds, 0.0)
    assert 0.8 * full - 1e-6 <= seconds <= full <= 3600


@pytest.mark.parametrize(("doubtful", "status"), [(False, Status.FAILED), (True, Status.UNCERTAIN)])
def test_expired_when_its_lifetime_is_over_then_never_more_is_claimed_than_known(
    doubtful: bool, status: Status
) -> None:
    claim = replace(CLAIM, doubtful=doubtful, detail="421 busy")
    for verdict in (
        exhausted(claim, CLAIM.expires, 0.0, SETTINGS),
        postponed(claim, CLAIM.expires, CLAIM.expires + 5),
        judge(claim, answer(Outcome.DEFERRED), replace(AT, now=CLAIM.expires)),
    ):
        assert (verdict.status, verdict.due) == (status, None)
        assert "time was over" in verdict.detail
        assert verdict.notice


@given(
    some.sampled_from(Outcome),
    some.booleans(),
    some.booleans(),
    some.booleans(),
    some.sampled_from(Policy),
    some.integers(0, 40),
    some.floats(-2e6, 2e6),
    some.sampled_from(["", "smtp", "ses"]),
)
def test_judge_when_anything_comes_then_it_is_final_or_due_or_goes_on(
    outcome: Outcome,
    try_other: bool,
    idempotent: bool,
    doubtful: bool,
    policy: Policy,
    rounds: int,
    left: float,
    refused_by: str,
) -> None:
    claim = replace(
        CLAIM, doubtful=doubtful, policy=policy, rounds=rounds, expires=NOW + left, refused_by=refused_by
    )
    verdict = judge(claim, answer(outcome, try_other=try_other), replace(AT, idempotent=idempotent))
    final = {Status.SENT, Status.FAILED}
    if verdict.again:
        assert verdict.due is None
        assert verdict.status not in final
    elif verdict.due is None:
        assert verdict.status in final | {Status.UNCERTAIN}
        assert verdict.notice, "what is final is told to the author"
    else:
        assert verdict.status in {Status.DEFERRED, Status.UNCERTAIN}
        assert verdict.due > NOW
    if verdict.status is Status.FAILED:
        assert not doubtful, "what may have been accepted has not failed for certain"
