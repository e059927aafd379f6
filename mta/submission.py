"""Submissions, their deliveries and attempts: what is handed to the container, and what it shows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from mta.outcomes import Outcome, Status

LONG_LIST = 50
"""More recipients than this are a list, which a person's single mail may overtake."""


class Policy(StrEnum):
    """What to do with a delivery when a provider leaves it unclear whether it took the mail."""

    AT_LEAST_ONCE = "at_least_once"
    """Send again: it may arrive twice, but it arrives."""
    AT_MOST_ONCE = "at_most_once"
    """Give up: it may not arrive, but never twice."""


class Priority(IntEnum):
    """Which of the due deliveries go first; a person's single mail overtakes a long list."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


_NORMAL, _LOW = Priority.NORMAL, Priority.LOW
"""Looked up once: in Python 3.11 that takes longer than to decide between them."""


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """One mail to be sent.

    Attributes:
        key: the idempotency key, chosen by the owner; the same key again is the same submission.
        owner: the account that sends; keys are scoped to it and notices go to it.
        sender: the envelope sender, `local@domain`.
        recipients: the envelope recipients, `local@domain` each; one delivery is made for each different one.
        subject: as people see it.
        raw: the whole mail in MIME with CRLF line ends and no Bcc.
        needs_envelope: several recipients are visible in it, so a provider with `can_envelope` is preferred.
        not_before: not sent earlier than this, in seconds since the epoch.
        policy: what to do when it is unclear whether a provider took it.
        priority: which deliveries go first; by default those of a long list go last.
        fingerprint: what makes two mails the same mail, for callers that compose anew at each try (and so
            get another Date and Message-ID); by default everything above counts.
        trace: the step of a trace that submits it, or ""; see `store.tracing.context`.
    """

    key: str
    owner: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    raw: bytes = field(repr=False)
    needs_envelope: bool = False
    not_before: float = 0.0
    policy: Policy = Policy.AT_LEAST_ONCE
    priority: Priority | None = None
    fingerprint: str = ""
    trace: str = ""

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("a submission needs a key; take the draft's id, or a random one")
        if not self.recipients:
            raise ValueError("a submission needs at least one recipient")

    @property
    def rank(self) -> Priority:
        """The priority that its deliveries get."""
        if self.priority is not None:
            return self.priority
        return _LOW if len(self.recipients) > LONG_LIST else _NORMAL

    def digest(self) -> str:
        """The same for the same mail, in 64 hexadecimal digits."""
        parts = (self.fingerprint,) if self.fingerprint else (self.sender, self.subject, *self.recipients)
        text = ""
        for part in parts:  # each with its length in octets, so that parts never run together
            text += f"{len(part)}:{part}"
        told_apart = text.encode() if text.isascii() else _told_apart(parts)
        if self.fingerprint:
            return hashlib.sha256(told_apart).hexdigest()
        digest = hashlib.sha256(told_apart + b",")
        digest.update(self.raw)
        return digest.hexdigest()


def _told_apart(parts: Sequence[str]) -> bytes:
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join([b"%d:%b" % (len(part), part) for part in encoded])


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of one provider for one delivery.

    Attributes:
        provider: its name.
        outcome: what it made of it, or None while it runs.
        at: when it was started, in seconds since the epoch.
        ms: how long it took, in milliseconds; 0 while it runs.
        detail: one sentence, with the provider's own words.
        provider_id: what the provider calls the mail, or "".
    """

    provider: str
    outcome: Outcome | None
    at: float
    ms: int
    detail: str
    provider_id: str = ""

    @property
    def end(self) -> float:
        """When its outcome was known, in seconds since the epoch."""
        return self.at + self.ms / 1000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of a submission.

    Attributes:
        id: unique forever.
        recipient: `local@domain`.
        status: what is known of it.
        provider: the provider that had it last, or "".
        detail: one sentence that says why it is so.
        updated: when the status became what it is, in seconds since the epoch.
        attempts: in order of time.
    """

    id: str
    recipient: str
    status: Status
    provider: str
    detail: str
    updated: float
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """One mail accepted for sending, as it is now."""

    id: str
    key: str
    owner: str
    sender: str
    subject: str
    created: float
    deliveries: tuple[Delivery, ...]
