"""Finished mails, as scripts hand them in for an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bitmail.errors import FieldError, Unsendable
from mta import rawmail
from mta.errors import Unacceptable
from mta.parsed import ParsedMail, parse


@dataclass(frozen=True, slots=True)
class RawMail:
    """A finished mail, ready to be sent.

    Attributes:
        raw: MIME with CRLF line ends and no Bcc.
        recipients: the envelope, `local@domain` each.
        parsed: the mail taken apart, with its Bcc.
    """

    raw: bytes
    recipients: tuple[str, ...]
    parsed: ParsedMail


def prepare(raw: bytes, author: str, *, key: str, date: datetime) -> RawMail:
    """Check a mail and make it ready.

    Args:
        raw: RFC 5322, with line ends of any kind.
        author: the address that it has to come from.
        key: makes the Message-ID, where there is none.
        date: the date, where there is none.

    Raises:
        Unsendable: naming the header at fault.
    """
    try:
        mail = rawmail.prepare(raw, key=key, date=date)
    except Unacceptable as error:
        raise Unsendable(error.errors) from None
    if mail.sender.email.casefold() != author.casefold():
        reason = f"The mail has to come from {author}, in one From header."
        raise Unsendable((FieldError("From", mail.sender.email, reason),))
    if not mail.recipients:
        raise Unsendable((FieldError("to", "", "The mail names nobody to send to, in To, Cc or Bcc."),))
    return RawMail(mail.raw, tuple(address.email for address in mail.recipients), parse(raw))
