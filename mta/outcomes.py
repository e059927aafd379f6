"""What a provider may answer, and what becomes of a delivery: the closed sets every tier shares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a provider made of one attempt. It never raises for what the world does to it."""

    ACCEPTED = "accepted"
    """The provider took it, and said so in its own API's words."""
    REJECTED_RECIPIENT = "rejected recipient"
    """This address is at fault. Never counted against the provider."""
    REJECTED_MESSAGE = "rejected message"
    """This mail is at fault. Never counted against the provider."""
    DEFERRED = "deferred"
    """Not now for this one recipient (greylisting, mailbox full): the same provider later; not counted."""
    THROTTLED = "throttled"
    """Too fast: pause this provider until the time it gave; not counted."""
    OVER_QUOTA = "over quota"
    """The day's share is used up: pause this provider until it is renewed; not counted."""
    UNAVAILABLE = "unavailable"
    """Surely not accepted, the provider's fault: next provider at once; counted."""
    MISCONFIGURED = "misconfigured"
    """Credentials, domain, sender or address of the service are wrong: out of service at once."""
    UNCERTAIN = "uncertain"
    """It was sent, but there is no clear answer: it may have been accepted; counted."""


class Status(StrEnum):
    """What is known of a delivery; never more than is known."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said to one attempt.

    Attributes:
        outcome: the class of the answer.
        detail: one sentence for people, with the provider's own words where they help; never a secret.
        provider_id: the id by which the provider knows the mail, if it gave one.
        whole: the provider's answer as it came, for operators, where `detail` does not say all of it; never a secret.
        retry_at: for throttled, over quota and deferred: when to try again, in seconds since the epoch.
        try_other: for a rejection: the reason may be this provider's own, so one other may be tried.
        sender_only: for misconfigured: only this mail's sender is at fault, others may go on.
    """

    outcome: Outcome
    detail: str
    provider_id: str = ""
    retry_at: float | None = None
    try_other: bool = False
    sender_only: bool = False
    whole: str = ""
