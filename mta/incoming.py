"""Mail that a provider hands in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One mail for one recipient.

    Attributes:
        id: the same each time the same mail is handed in, so that it is filed once.
        sender: the envelope sender, `local@domain`, or "" for a bounce.
        recipient: the envelope recipient, `local@domain`.
        raw: the mail in MIME.
        received_at: when the provider had it, in seconds since the epoch.
    """

    id: str
    sender: str
    recipient: str
    raw: bytes = field(repr=False)
    received_at: float
