"""What the sending tier refuses; each message says what to do."""

from __future__ import annotations

from dataclasses import dataclass


class MtaError(Exception):
    """Anything the sending tier refuses."""


class KeyConflict(MtaError):
    """The same idempotency key came with another mail; nothing was written."""


class CannotSteer(MtaError):
    """What an operator wants of the schedule cannot be; the message is a sentence that names the culprit."""


class UnknownScheduler(MtaError):
    """The configuration names a scheduler that cannot be had."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with what was typed or handed in.

    Attributes:
        field: `to`, `cc`, `bcc`, `subject`, `text`, `attachments`; of a finished mail, the name of a header.
        value: the offending part as it came.
        reason: why, as a sentence.
    """

    field: str
    value: str
    reason: str


class Unacceptable(MtaError):
    """A mail cannot be sent as it was handed in; every reason is in `errors`."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__(" ".join(error.reason for error in errors))
        self.errors = errors
