"""What the mail model refuses, in words for the person who asked."""

from __future__ import annotations

from dataclasses import dataclass


class Refused(Exception):
    """The model refuses what was asked; the message is a sentence for the person."""


class LogInRefused(Refused):
    """Name and password do not open an account."""


class AlreadySent(Refused):
    """The same key was used for another mail, which is on its way."""


class NoSuchMail(Refused):
    """There is no such mail for this person."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with what was typed.

    Attributes:
        field: `to`, `cc`, `bcc`, `subject`, `text`, `attachments`.
        value: the offending part as it was typed.
        reason: why, as a sentence.
    """

    field: str
    value: str
    reason: str


class Unsendable(Refused):
    """A mail cannot be sent as it was written; every reason is in `errors`."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(" ".join(error.reason for error in errors))
        self.errors = errors
