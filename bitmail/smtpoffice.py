"""Mail that people's own programs hand in by SMTP: the same rules, limits and copies in Sent as by the page."""

from __future__ import annotations

import secrets

from bitmail.accounts import Account
from bitmail.door import Client
from bitmail.errors import CodeNeeded, LogInRefused, Suppressed, TooMany, Unsendable
from bitmail.model import MailModel
from bitmail.tokens import PREFIX, Scope
from mta.addresses import BadAddress, parse_address
from mta.smtpserver import reply
from mta.submissionlistener import Refused

NO_TOKEN = "There is no such token for this account, or it has expired. Make a new one in Settings."  # noqa: S105
NOT_FOR_SENDING = "This token may not send. Make one that may, in Settings."
LIFT = "To write there all the same, take it off the list in Settings."


class SmtpOffice:
    """The mail model, as a client by SMTP meets it; see `mta.submissionlistener.Office`."""

    def __init__(self, model: MailModel) -> None:
        self._model = model

    def log_in(self, name: str, secret: str, address: str) -> str:
        """The account of a name, by its password or by an API token that may send.

        Guesses count as at the door. A good token is none, and so nobody's guessing keeps its owner waiting.
        """
        client = Client(address=address, agent="SMTP")
        try:
            known = self._model.accounts.canonical(name)
            if secret.startswith(PREFIX) and not self._fault(known, secret):
                return known
            return self._model.door.admit(known, client, lambda known: self._opened(known, secret)).name
        except TooMany as refusal:
            raise Refused(reply("454 4.7.0", str(refusal))) from None
        except CodeNeeded:
            words = "This account asks for a code as well. Log in with an API token, made in Settings."
            raise Refused(reply("534 5.7.9", words)) from None
        except LogInRefused as refusal:
            raise Refused(reply("535 5.7.8", str(refusal))) from None

    def check_sender(self, account: str, sender: str) -> None:
        """Whether this is the account's own address, and nobody locked it meanwhile."""
        if not self._model.accounts.is_open(account):
            raise Refused("550 5.7.1 This account is locked. Ask the operator of this server.")
        own = self._model.accounts.account(account).address
        if sender.casefold() != own.casefold():
            raise Refused(reply("550 5.7.1", f"You may send as {own} only."))

    def check_recipient(self, account: str, recipient: str) -> None:
        """Whether this is an address, and none that had better not be written to."""
        try:
            address = parse_address(recipient)
        except BadAddress as error:
            raise Refused(reply("553 5.1.3", str(error))) from None
        for one in self._model.suppressions.among(account, [address.email]):
            raise Refused(reply("550 5.7.1", f"{one.warning} {LIFT}"))

    def hand_in(self, account: str, recipients: tuple[str, ...], raw: bytes) -> str:
        """Take a mail for sending, on disk when this returns; the id of its submission."""
        author = self._model.accounts.account(account)
        envelope = tuple(parse_address(recipient) for recipient in recipients)
        try:
            sent = self._model.outbox.send_raw(author, secrets.token_urlsafe(16), raw, envelope=envelope)
        except Suppressed as warning:
            raise Refused(reply("550 5.7.1", f"{warning} {LIFT}")) from None
        except Unsendable as refusal:
            raise Refused(reply(_code(refusal), str(refusal))) from None
        return sent.submission.id

    def _opened(self, name: str, secret: str) -> Account:
        if secret.startswith(PREFIX):
            raise LogInRefused(self._fault(name, secret))
        account = self._model.accounts.log_in(name, secret, may_create=False)
        if self._model.second_factor.is_on(name):
            raise CodeNeeded("")
        return account

    def _fault(self, name: str, secret: str) -> str:
        """Why a token does not let this account send, or ""."""
        token = self._model.tokens.find(secret)
        if token is None or token.user != name or not self._model.accounts.is_open(name):
            return NO_TOKEN
        return "" if Scope.SEND in token.scopes else NOT_FOR_SENDING


def _code(refusal: Unsendable) -> str:
    """What says by numbers why a mail is not taken."""
    fields = {error.field.casefold() for error in refusal.errors}
    if "limit" in fields:
        return "452 4.7.1"
    return "550 5.7.1" if "from" in fields else "554 5.6.0"
