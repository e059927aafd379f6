"""The timeline of a delivery: queued, each attempt, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from bitmail.explain import explain
from mta.outcomes import Outcome, Status
from mta.submission import Delivery

_MADE_OF_IT = {
    Outcome.REJECTED_RECIPIENT: "refused the address",
    Outcome.REJECTED_MESSAGE: "refused the mail",
    Outcome.DEFERRED: "asked to try again later",
    Outcome.THROTTLED: "asked for slower sending",
    Outcome.OVER_QUOTA: "takes no more mail for now",
    Outcome.UNAVAILABLE: "could not take it",
    Outcome.MISCONFIGURED: "cannot be used until an operator mends its settings",
    Outcome.UNCERTAIN: "gave no clear answer: it may have taken the mail",
}
_ENDS: dict[Status, tuple[str, bool | None]] = {
    Status.QUEUED: ("It waits for its turn.", None),
    Status.DELIVERED: ("Delivered: the receiving server has it.", True),
    Status.DEFERRED: ("It waits, and is tried again by itself.", None),
    Status.BOUNCED: ("It bounced: the receiving server gave it back.", False),
    Status.COMPLAINED: ("The recipient reported it as spam.", False),
    Status.FAILED: ("It failed: nobody tries it again by itself.", False),
    Status.UNCERTAIN: ("It is not certain whether it was sent.", None),
    Status.CANCELLED: ("Cancelled: it was not sent.", None),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a delivery.

    Attributes:
        at: when, in seconds since the epoch.
        text: what, as a sentence.
        plain: what it means in plain language, or "".
        words: the provider's own words, or "".
        good: how it looks: whether it helped the mail on; None when it did neither.
    """

    at: float
    text: str
    plain: str = ""
    words: str = ""
    good: bool | None = None


def timeline(delivery: Delivery, created: float) -> list[Step]:
    """Everything that happened to a delivery since it was accepted at `created`, in order."""
    steps = [Step(created, "Queued: on disk, and waiting for its turn.")]
    for attempt in delivery.attempts:
        match attempt.outcome:
            case None:
                steps.append(Step(attempt.at, f"{attempt.provider} was asked to take it."))
            case Outcome.ACCEPTED:
                text = f"{attempt.provider} took it in {attempt.ms} ms."
                steps.append(Step(attempt.end, text, words=attempt.detail, good=True))
            case outcome:
                text = f"{attempt.provider} {_MADE_OF_IT[outcome]}."
                plain = explain(attempt.detail)
                steps.append(Step(attempt.end, text, plain, attempt.detail, good=False))
    last = delivery.attempts[-1].detail if delivery.attempts else ""
    if delivery.status in _ENDS and (delivery.attempts or delivery.status is not Status.QUEUED):
        text, good = _ENDS[delivery.status]
        words = "" if delivery.detail == last else delivery.detail
        steps.append(Step(delivery.updated, text, explain(words), words, good))
    return steps
