"""What the mail model refuses, in words for the person who asked."""

from __future__ import annotations

from bitmail.catalogue import _, ngettext
from mta.errors import FieldError

__all__ = ["AlreadySent", "FieldError", "LogInRefused", "NoSuchMail", "Refused", "Unsendable"]


class Refused(Exception):
    """The model refuses what was asked; the message is a sentence for the person."""


class LogInRefused(Refused):
    """Name and password do not open an account."""


class TooMany(LogInRefused):
    """It was tried too often; it may be tried again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        wait = max(1, round(seconds + 0.5))
        again = (
            ngettext("{count} second", "{count} seconds", wait)
            if wait < 120
            else ngettext("{count} minute", "{count} minutes", round(wait / 60))
        )
        super().__init__(_("Too many tries. Wait {again}, then try again.", again=again))
        self.seconds = wait


class CodeNeeded(Refused):
    """The password was right, and the account asks for a code as well.

    Attributes:
        ticket: proves for some minutes that the password was given.
    """

    def __init__(self, ticket: str) -> None:
        super().__init__(_("Type the code that your authenticator app shows, or one of your recovery codes."))
        self.ticket = ticket


class AlreadySent(Refused):
    """The same key was used for another mail, which is on its way."""


class Overtaken(Refused):
    """Another window changed the same draft meanwhile."""


class TooLate(Refused):
    """The mail is on its way and cannot be called back."""


class NoSuchContact(Refused):
    """There is no such contact for this person."""


class NoSuchMail(Refused):
    """There is no such mail for this person."""


class NoSuchFolder(Refused):
    """There is no such folder for this person."""


class Unsendable(Refused):
    """A mail cannot be sent as it was written; every reason is in `errors`."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(" ".join(error.reason for error in errors))
        self.errors = errors


class Suppressed(Unsendable):
    """A mail would go to addresses that had better not be written to; its author may send it all the same."""
