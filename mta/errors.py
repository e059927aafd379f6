"""What the sending tier refuses; each message says what to do."""

from __future__ import annotations


class MtaError(Exception):
    """Anything the sending tier refuses."""


class KeyConflict(MtaError):
    """The same idempotency key came with another mail; nothing was written."""


class UnknownScheduler(MtaError):
    """The configuration names a scheduler that cannot be had."""
