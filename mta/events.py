"""Events: what happened in the container, for the log, for operators and for the person concerned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mta.outcomes import Status


class EventKind(StrEnum):
    """The kinds of the original system, in its words."""

    OK = "OK"
    """A provider took a mail, or came back into service."""
    DOWN_TEMPORARILY = "DOWN_TEMPORARILY"
    """A provider could not take a mail this time, or pauses."""
    TIMEOUT = "TIMEOUT"
    """A provider did not answer in time; whether it took the mail is not known."""
    BEAT = "BEAT"
    """The container is alive; with how its providers are."""
    WARNING = "WARNING"
    """Something an operator may want to look at."""
    CRITICAL = "CRITICAL"
    """A provider is misconfigured: an operator has to act."""
    FATAL = "FATAL"
    """A provider was taken out of the schedule."""
    RESUBMIT = "RESUBMIT"
    """A delivery goes to another provider, or is tried again later."""
    INFORM_USER = "INFORM_USER"
    """A notice for the author: what became of one recipient."""
    GOOD_BYE = "GOOD_BYE"
    """No provider is left; the service terminates."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: its kind.
        at: when, in seconds since the epoch.
        text: one sentence for people.
        provider: the provider's name, if one is concerned.
        owner: the account whose mail is concerned, or "".
        submission_id: that mail.
        delivery_id: that recipient's delivery.
        recipient: that recipient, `local@domain`.
        status: the status the delivery has now, if it is about one.
    """

    kind: EventKind
    at: float
    text: str
    provider: str = ""
    owner: str = ""
    submission_id: str = ""
    delivery_id: str = ""
    recipient: str = ""
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A delivery's status became another; told for each change, so that a page can follow it live."""

    at: float
    owner: str
    submission_id: str
    delivery_id: str
    recipient: str
    status: Status
    provider: str
    detail: str


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """Something of an account's changed that is no status of a delivery, such as a mail filed in a mailbox."""

    at: float
    owner: str


@dataclass(frozen=True, slots=True)
class ProviderOrder:
    """An operator wants a provider out of service, or back, in every container; until those are started anew.

    Attributes:
        at: seconds since the epoch.
        provider: its name.
        is_out: whether it is to leave service.
    """

    at: float
    provider: str
    is_out: bool


@dataclass(frozen=True, slots=True)
class SteeringChange:
    """An operator set something of the schedule, which now stands in the spool; `at` in seconds since the epoch."""

    at: float


Told = Event | StatusChange | OwnerChange | ProviderOrder | SteeringChange
"""Whatever is told."""
