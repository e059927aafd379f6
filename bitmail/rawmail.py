"""Finished mails, as scripts hand them in for an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bitmail.errors import FieldError, Unsendable
from mta import rawmail
from mta.addresses import Address
from mta.errors import Unacceptable
from mta.parsed import ParsedMail, parse


@dataclass(frozen=True, slots=True)
class RawMail:
    """A finished mail, ready to be sent.

    Attributes:
        raw: MIME with CRLF line ends and no Bcc.
        recipients: the envelope, `local@domain` each.
        hidden: those of them that neither To nor Cc name.
        differs: the envelope is not what To and Cc name.
        parsed: the mail taken apart, with its Bcc.
    """

    raw: bytes
    recipients: tuple[str, ...]
    hidden: tuple[str, ...]
    differs: bool
    parsed: ParsedMail


def prepare(
    raw: bytes, author: str, *, key: str, date: datetime, envelope: tuple[Address, ...] = ()
) -> RawMail:
    """Check a mail and make it ready.

    Args:
        raw: RFC 5322, with line ends of any kind.
        author: the address that it has to come from.
        key: makes the Message-ID, where there is none.
        date: the date, where there is none.
        envelope: whom it goes to, whoever To, Cc and Bcc name; empty for those.

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
    recipients = envelope or mail.recipients
    if not recipients:
        raise Unsendable((FieldError("to", "", "The mail names nobody to send to, in To, Cc or Bcc."),))
    named = {address.key for address in mail.recipients[: mail.visible]}
    unique = {address.key: address.email for address in recipients}
    hidden = tuple(email for key, email in unique.items() if key not in named)
    return RawMail(mail.raw, tuple(unique.values()), hidden, named != set(unique), parse(raw))
