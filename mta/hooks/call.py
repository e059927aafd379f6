"""What one call of a hook says, and why a call is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mta.email import one_line
from mta.errors import MtaError
from mta.incoming import IncomingMail
from mta.outcomes import Status

LONGEST_REASON = 500
"""Characters of a provider's reason that are kept."""
LAST_SECOND = 1e11
"""Some thousand years from now; no time is later."""


class Refusal(StrEnum):
    """Why a call is refused; counted, and never told to the caller."""

    FORGED = "forged"
    """Its signature, or the password it came with, is not right."""
    UNWANTED = "unwanted"
    """It comes from a topic that is not on the list, or the hook has no key set."""
    STALE = "stale"
    """It was signed too long ago, or in the future."""
    REPLAYED = "replayed"
    """The same signature came before."""
    OVERSIZED = "oversized"
    """It is larger than such a call may be, or did not come to its end in time."""
    MALFORMED = "malformed"
    """It cannot be read."""


class HookRefused(MtaError):
    """A call is refused; its sender is told no more than that.

    Attributes:
        refusal: why, for the count.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"a hook was refused: {refusal}")
        self.refusal = refusal


class NotNow(MtaError):
    """A call cannot be verified at the moment; its sender shall try again."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What a provider says became of a delivery.

    Attributes:
        report_id: the same each time the same report comes, so that it counts once.
        provider: `ses`, `sendgrid` or `mailgun`.
        delivery_id: our own id, as the provider gave it back; "" when it gave none.
        recipient: whom it is about, `local@domain`.
        status: sent (the provider surely has it), delivered, deferred, bounced, complained, or failed (the
            provider will not send it).
        reason: why, as a sentence with the provider's own words.
        permanent: for bounced: the address does not take mail at all.
        at: when it happened, in seconds since the epoch.
    """

    report_id: str
    provider: str
    delivery_id: str
    recipient: str
    status: Status
    reason: str
    at: float
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class StoredMail:
    """An incoming mail that waits in an S3 bucket to be fetched.

    Attributes:
        id: the same each time the same mail is told of.
        sender: the envelope sender.
        recipients: the envelope recipients.
        region, bucket, key: where it is.
        received_at: seconds since the epoch.
    """

    id: str
    sender: str
    recipients: tuple[str, ...]
    region: str
    bucket: str
    key: str
    received_at: float


@dataclass(frozen=True, slots=True)
class HookCall:
    """All that one verified call says.

    Attributes:
        reports: what became of deliveries.
        mails: mail that came in.
        stored: mail that came in and has to be fetched.
        token: may be used once only; "" where the provider signs what it says.
        used_for: what the token may be used for again, since repeating that changes nothing; "" for nothing.
        confirm: the address by which a subscription is confirmed, or "".
    """

    reports: tuple[DeliveryReport, ...] = ()
    mails: tuple[IncomingMail, ...] = field(default=(), repr=False)
    stored: tuple[StoredMail, ...] = ()
    token: str = ""
    used_for: str = ""
    confirm: str = ""


def read_json(body: bytes | str) -> Any:
    """The JSON of a call.

    Raises:
        HookRefused: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefused(Refusal.MALFORMED) from None


def member(value: Any, *path: str) -> Any:
    """What stands at a path in parsed JSON, or None where the path ends early."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def words(value: Any, *path: str) -> str:
    """The text or number at a path in parsed JSON as one short line that any database takes, or ""."""
    found = member(value, *path)
    if isinstance(found, bool) or not isinstance(found, (str, int, float)):
        return ""
    return one_line(" ".join(str(found)[: 2 * LONGEST_REASON].split()))[:LONGEST_REASON]


def seconds(value: Any, *path: str) -> float | None:
    """The time at a path in parsed JSON, in seconds since the epoch, or None."""
    found = member(value, *path)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found < LAST_SECOND:
        return None
    return float(found)


def reason(said: str, otherwise: str) -> str:
    """A sentence for people: what the provider said, or what is told where it said nothing."""
    if not said:
        return otherwise
    return said if said[-1] in ".!?…" else f"{said}."
