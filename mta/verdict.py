"""Verdicts: what becomes of a delivery after an attempt, or without one. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mta.claim import Claim
from mta.outcomes import Answer, Outcome, Status
from mta.settings import ContainerSettings
from mta.submission import Policy

STOPPED_DURING = "The service stopped during this attempt, so it may have been accepted."
"""The detail of an attempt that a crash left without an outcome."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery.

    Attributes:
        status: the status it has now.
        due: when to look at it again, in seconds since the epoch; None when it is over, or goes on at once.
        again: it goes to a provider at once, as soon as there is room, and stays claimed until then.
        tried: this provider has had its chance in this round.
        notice: what its author is told, or "".
    """

    status: Status
    detail: str
    due: float | None = None
    again: bool = False
    tried: bool = True
    pinned: str = ""
    refused_by: str = ""
    rounds: int = 0
    doubtful: bool = False
    notice: str = ""

    def carry_on(self, claim: Claim) -> Claim:
        """The delivery as it goes on, after this verdict."""
        return replace(
            claim,
            status=self.status,
            detail=self.detail,
            pinned=self.pinned,
            refused_by=self.refused_by,
            rounds=self.rounds,
            doubtful=self.doubtful,
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a verdict depends on beside the delivery and the answer.

    Attributes:
        provider: the name of the provider that answered.
        idempotent: repeating an attempt there is harmless.
        now: the time in seconds since the epoch.
        jitter: a random number between 0 and 1.
        settings: the container's.
    """

    provider: str
    idempotent: bool
    now: float
    jitter: float
    settings: ContainerSettings

    def backoff(self, rounds: int) -> float:
        """The wait in seconds after so many earlier rounds."""
        return self.settings.backoff.seconds(rounds, self.jitter)


def judge(claim: Claim, answer: Answer, at: Circumstances) -> Verdict:
    """What becomes of a delivery after a provider's answer.

    Args:
        claim: the delivery as it was when the attempt started.
        answer: what the provider said.
        at: the circumstances.
    """
    match answer.outcome:
        case Outcome.ACCEPTED:
            return _accepted(claim, answer, at)
        case Outcome.REJECTED_RECIPIENT | Outcome.REJECTED_MESSAGE:
            return _rejected(claim, answer, at)
        case Outcome.DEFERRED:
            return _deferred(claim, answer, at)
        case Outcome.UNCERTAIN:
            return _uncertain(claim, answer, at)
        case Outcome.THROTTLED | Outcome.OVER_QUOTA:
            # Its pause keeps it from the next one; when that is over it may have this one again.
            return _next(claim, answer, tried=False)
        case Outcome.UNAVAILABLE | Outcome.MISCONFIGURED:
            return _next(claim, answer, tried=True)


def exhausted(claim: Claim, now: float, jitter: float, settings: ContainerSettings) -> Verdict:
    """What becomes of a delivery when every provider had its chance: it fails, or waits with back-off."""
    if claim.refused_by:
        return _failed(claim, claim.detail)
    if now >= claim.expires:
        return expired(claim)
    first = claim.rounds == 0
    return Verdict(
        status=Status.DEFERRED,
        detail=claim.detail or "No provider can take it at the moment.",
        due=min(now + settings.backoff.seconds(claim.rounds, jitter), claim.expires),
        rounds=claim.rounds + 1,
        doubtful=claim.doubtful,
        notice=f"{_mail(claim)} could not be sent yet; it will be tried again. {claim.detail}".rstrip()
        if first
        else "",
    )


def postponed(claim: Claim, now: float, due: float) -> Verdict:
    """What becomes of a delivery that nobody can take before a known time: it waits, as it is."""
    if now >= claim.expires:
        return expired(claim)
    return Verdict(
        status=claim.status,
        detail=claim.detail,
        due=min(due, claim.expires),
        pinned=claim.pinned,
        refused_by=claim.refused_by,
        rounds=claim.rounds,
        doubtful=claim.doubtful,
    )


def expired(claim: Claim) -> Verdict:
    """What becomes of a delivery whose lifetime is over."""
    return _failed(claim, f"It was tried until its time was over. {claim.detail}".rstrip())


def impossible(claim: Claim, reason: str) -> Verdict:
    """What becomes of a delivery that no configured provider is able to take."""
    return _failed(claim, reason)


def unsettled(claim: Claim) -> Verdict | None:
    """What becomes of an uncertain delivery whose grace is over; None when its policy has it sent again."""
    if claim.policy is Policy.AT_LEAST_ONCE:
        return None
    return _given_up(claim, claim.detail)


def _accepted(claim: Claim, answer: Answer, at: Circumstances) -> Verdict:
    twice = " An earlier attempt was unclear, so it may arrive twice." if claim.doubtful else ""
    return Verdict(
        status=Status.SENT,
        detail=answer.detail + twice,
        doubtful=claim.doubtful,
        notice=f"{_mail(claim)} was sent by {at.provider}.{twice}",
    )


def _rejected(claim: Claim, answer: Answer, at: Circumstances) -> Verdict:
    if answer.try_other and not claim.refused_by:
        return Verdict(
            status=Status.QUEUED,
            detail=answer.detail,
            again=True,
            refused_by=at.provider,
            rounds=claim.rounds,
            doubtful=claim.doubtful,
        )
    return _failed(claim, answer.detail)


def _deferred(claim: Claim, answer: Answer, at: Circumstances) -> Verdict:
    if at.now >= claim.expires:
        return expired(claim)
    due = max(answer.retry_at or 0.0, at.now + at.backoff(claim.rounds))
    first = claim.rounds == 0
    return Verdict(
        status=Status.DEFERRED,
        detail=answer.detail,
        due=min(due, claim.expires),
        pinned=at.provider,
        refused_by=claim.refused_by,
        rounds=claim.rounds + 1,
        doubtful=claim.doubtful,
        notice=f"{_mail(claim)} has to wait; it will be tried again. {answer.detail}" if first else "",
    )


def _uncertain(claim: Claim, answer: Answer, at: Circumstances) -> Verdict:
    if at.now >= claim.expires:
        return _given_up(claim, answer.detail)
    harmless = at.idempotent and claim.policy is Policy.AT_LEAST_ONCE
    if harmless and claim.rounds == 0:
        return Verdict(
            status=Status.UNCERTAIN,
            detail=answer.detail,
            again=True,
            tried=False,
            pinned=at.provider,
            rounds=1,
            doubtful=claim.doubtful,
        )
    hold = at.backoff(claim.rounds) if claim.doubtful else 0.0
    return Verdict(
        status=Status.UNCERTAIN,
        detail=answer.detail,
        due=at.now + max(hold, at.settings.uncertain_grace),
        pinned=at.provider if harmless else "",
        rounds=claim.rounds + 1,
        doubtful=claim.doubtful or not harmless,
        notice=f"It is not certain whether {_mail(claim, first=False)} was sent. {answer.detail}",
    )


def _next(claim: Claim, answer: Answer, *, tried: bool) -> Verdict:
    return Verdict(
        status=Status.QUEUED,
        detail=claim.detail if claim.refused_by else answer.detail,
        again=True,
        tried=tried,
        refused_by=claim.refused_by,
        rounds=claim.rounds,
        doubtful=claim.doubtful,
    )


def _failed(claim: Claim, reason: str) -> Verdict:
    if claim.doubtful:
        # An earlier attempt may have been accepted, whatever was said to the last one.
        return _given_up(claim, reason)
    return Verdict(
        status=Status.FAILED,
        detail=reason,
        notice=f"{_mail(claim)} could not be sent. {reason}",
    )


def _given_up(claim: Claim, reason: str) -> Verdict:
    return Verdict(
        status=Status.UNCERTAIN,
        detail=reason,
        doubtful=True,
        notice=f"It stays unknown whether {_mail(claim, first=False)} was sent. {reason}",
    )


def _mail(claim: Claim, *, first: bool = True) -> str:
    your = "Your" if first else "your"
    named = f"{your} mail “{claim.subject}”" if claim.subject else f"{your} mail"
    return f"{named} to {claim.recipient}"
