"""The timeline of a delivery: queued, each attempt, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from bitmail.catalogue import N_, _
from bitmail.explain import explain
from mta.outcomes import Outcome, Status
from mta.submission import Delivery

_MADE_OF_IT = {
    Outcome.REJECTED_RECIPIENT: N_("{provider} refused the address."),
    Outcome.REJECTED_MESSAGE: N_("{provider} refused the mail."),
    Outcome.DEFERRED: N_("{provider} asked to try again later."),
    Outcome.THROTTLED: N_("{provider} asked for slower sending."),
    Outcome.OVER_QUOTA: N_("{provider} takes no more mail for now."),
    Outcome.UNAVAILABLE: N_("{provider} could not take it."),
    Outcome.MISCONFIGURED: N_("{provider} cannot be used until an operator mends its settings."),
    Outcome.UNCERTAIN: N_("{provider} gave no clear answer: it may have taken the mail."),
}
_ENDS: dict[Status, tuple[str, bool | None]] = {
    Status.QUEUED: (N_("It waits for its turn."), None),
    Status.DELIVERED: (N_("Delivered: the receiving server has it."), True),
    Status.DEFERRED: (N_("It waits, and is tried again by itself."), None),
    Status.BOUNCED: (N_("It bounced: the receiving server gave it back."), False),
    Status.COMPLAINED: (N_("The recipient reported it as spam."), False),
    Status.FAILED: (N_("It failed: nobody tries it again by itself."), False),
    Status.UNCERTAIN: (N_("It is not certain whether it was sent."), None),
    Status.CANCELLED: (N_("Cancelled: it was not sent."), None),
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
    steps = [Step(created, _("Queued: on disk, and waiting for its turn."))]
    for attempt in delivery.attempts:
        match attempt.outcome:
            case None:
                steps.append(
                    Step(attempt.at, _("{provider} was asked to take it.", provider=attempt.provider))
                )
            case Outcome.ACCEPTED:
                text = _("{provider} took it in {ms} ms.", provider=attempt.provider, ms=attempt.ms)
                steps.append(Step(attempt.end, text, words=attempt.detail, good=True))
            case outcome:
                text = _(_MADE_OF_IT[outcome], provider=attempt.provider)
                plain = explain(attempt.detail)
                steps.append(Step(attempt.end, text, plain, attempt.detail, good=False))
    last = delivery.attempts[-1].detail if delivery.attempts else ""
    if delivery.status in _ENDS and (delivery.attempts or delivery.status is not Status.QUEUED):
        text, good = _ENDS[delivery.status]
        words = "" if delivery.detail == last else delivery.detail
        steps.append(Step(delivery.updated, _(text), explain(words), words, good))
    return steps
