"""Claims: a delivery as the container sees it that holds its lease."""

from __future__ import annotations

from dataclasses import dataclass, field

from mta.outcomes import Outcome, Status
from mta.submission import Policy, Priority


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery as the container that holds its lease sees it.

    Attributes:
        attempt: attempts started so far; a result is written only for the attempt that is still the last one.
        rounds: waits behind it.
        pinned: the provider that it shall go to while that is in service, or "".
        refused_by: the provider that refused it for what may be that provider's own reason, or "".
        doubtful: an earlier attempt may have been accepted.
        expires: when its lifetime ends, in seconds since the epoch.
        needs_mime: only a provider with `can_mime` is able to carry it.
        raw: the mail itself, when it is small; a large one is read only when it is sent.
    """

    id: str
    submission_id: str
    owner: str
    subject: str
    sender: str
    recipient: str
    size: int
    needs_envelope: bool
    policy: Policy
    status: Status
    provider: str
    detail: str
    priority: Priority
    attempt: int
    rounds: int
    pinned: str
    refused_by: str
    doubtful: bool
    expires: float
    needs_mime: bool = False
    raw: bytes | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What one attempt came to; `ms` is how long it took in milliseconds, and the rest is as in `Answer`."""

    outcome: Outcome
    ms: int
    detail: str
    provider_id: str = ""
    whole: str = ""
