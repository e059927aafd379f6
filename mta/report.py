"""Reports: the events that tell operators and authors what happened, in sentences for people."""

from __future__ import annotations

from datetime import UTC, datetime

from mta.claim import Claim
from mta.events import Event, EventKind, StatusChange
from mta.outcomes import Answer, Outcome, Status
from mta.service import ProviderHealth, Transition
from mta.settings import WhenDown
from mta.verdict import Verdict


def attempt_events(claim: Claim, answer: Answer, verdict: Verdict, now: float) -> list[Event]:
    """What an attempt tells operators; `claim` is the delivery as it was during the attempt."""
    provider, recipient = claim.provider, claim.recipient
    events = []
    match answer.outcome:
        case Outcome.ACCEPTED:
            events.append(_event(EventKind.OK, f"{provider} took a mail to {recipient}.", claim, now))
        case Outcome.UNAVAILABLE:
            text = f"{provider} could not take a mail. {answer.detail}"
            events.append(_event(EventKind.DOWN_TEMPORARILY, text, claim, now))
        case Outcome.UNCERTAIN:
            text = f"{provider} left it unclear whether it took a mail to {recipient}. {answer.detail}"
            events.append(_event(EventKind.TIMEOUT, text, claim, now))
        case Outcome.REJECTED_MESSAGE | Outcome.REJECTED_RECIPIENT:
            text = f"{provider} refused a mail to {recipient}. {answer.detail}"
            events.append(_event(EventKind.WARNING, text, claim, now))
        case Outcome.THROTTLED | Outcome.OVER_QUOTA | Outcome.MISCONFIGURED | Outcome.DEFERRED:
            pass  # told by what becomes of the provider, or of the delivery
    if verdict.again:
        text = f"The mail to {recipient} goes to the next provider."
        events.append(_event(EventKind.RESUBMIT, text, claim, now))
    elif verdict.due is not None:
        text = f"The mail to {recipient} is looked at again at {_moment(verdict.due)}."
        events.append(_event(EventKind.RESUBMIT, text, claim, now))
    return events


def status_change(claim: Claim, verdict: Verdict, now: float) -> StatusChange:
    """That a delivery's status became another."""
    return _change(claim, verdict.status, verdict.detail, now)


def sending_change(claim: Claim, now: float) -> StatusChange:
    """That a delivery is on its way to a provider; `claim` is the delivery as it is during the attempt."""
    return _change(claim, Status.SENDING, "", now)


def notice(claim: Claim, verdict: Verdict, now: float) -> Event:
    """What the author is told of a recipient."""
    return _event(EventKind.INFORM_USER, verdict.notice, claim, now, verdict=verdict)


def provider_event(health: ProviderHealth, change: Transition, detail: str, now: float) -> Event:
    """What an answer did to a provider's service."""
    until = f" until {_moment(health.until)}" if health.until is not None else ""
    name = health.name
    match change:
        case Transition.PAUSED:
            kind, text = EventKind.DOWN_TEMPORARILY, f"{name} pauses{until}. {detail}"
        case Transition.TAKEN_OUT:
            kind, text = EventKind.FATAL, f"{name} is out of service{until}. {detail}"
        case Transition.MISCONFIGURED:
            kind, text = (
                EventKind.CRITICAL,
                f"{name} is misconfigured and out of service until that is mended. {detail}",
            )
        case Transition.WITHDRAWN:
            kind, text = EventKind.WARNING, f"{name} is out of service until an operator puts it back."
        case Transition.BARRED_SENDER:
            kind, text = (
                EventKind.CRITICAL,
                f"{name} does not send for this sender until that is mended. {detail}",
            )
        case _:
            kind, text = EventKind.OK, f"{name} is back in service. {detail}"
    return Event(kind, now, text.strip(), provider=name)


def nobody_left_event(when_down: WhenDown, now: float) -> Event:
    """No provider is left."""
    if when_down is WhenDown.TERMINATE:
        text = "No MTA provider is left: the service is down and ends. Every mail stays in the spool."
        return Event(EventKind.GOOD_BYE, now, text)
    text = "No MTA provider is left: the service is down and waits for one. Every mail stays in the spool."
    return Event(EventKind.CRITICAL, now, text)


def beat_event(providers: tuple[ProviderHealth, ...], now: float) -> Event:
    """The container is alive."""
    return Event(EventKind.BEAT, now, ", ".join(f"{one.name} {one.state}" for one in providers) + ".")


def _event(kind: EventKind, text: str, claim: Claim, now: float, verdict: Verdict | None = None) -> Event:
    return Event(
        kind=kind,
        at=now,
        text=text.strip(),
        provider=claim.provider,
        owner=claim.owner,
        submission_id=claim.submission_id,
        delivery_id=claim.id,
        recipient=claim.recipient,
        status=verdict.status if verdict else None,
    )


def _change(claim: Claim, status: Status, detail: str, now: float) -> StatusChange:
    return StatusChange(
        at=now,
        owner=claim.owner,
        submission_id=claim.submission_id,
        delivery_id=claim.id,
        recipient=claim.recipient,
        status=status,
        provider=claim.provider,
        detail=detail,
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
