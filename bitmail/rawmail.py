"""Finished mails, as scripts hand them in: checked, completed, and otherwise left as they are."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from bitmail.errors import FieldError, Unsendable
from mta.parsed import ParsedMail, parse

LONGEST_LINE = 998
"""Octets in a line without its end (RFC 5322, 2.1.1)."""
_LINE_END = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")


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
    raw = _LINE_END.sub(b"\r\n", raw)
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = _fields(head)
    mail = parse(raw)
    _check(raw, mail, fields, author)
    kept = [field for field in fields if _name(field) not in (b"bcc", b"resent-bcc", b"return-path")]
    names = {_name(field) for field in kept}
    if b"message-id" not in names:
        unique = hashlib.sha256(f"{author}\0{key}".encode()).hexdigest()[:32]
        kept.insert(0, f"Message-ID: <{unique}@{author.rpartition('@')[2]}>".encode())
    if b"date" not in names:
        kept.insert(0, f"Date: {format_datetime(date)}".encode())
    people = dict.fromkeys(address.email for address in (*mail.to, *mail.cc, *mail.bcc))
    return RawMail(b"\r\n".join(kept) + b"\r\n\r\n" + body, tuple(people), mail)


def _check(raw: bytes, mail: ParsedMail, fields: list[bytes], author: str) -> None:
    if b"\0" in raw:
        raise Unsendable((FieldError("body", "", "The mail contains NUL, which no mail carries. Encode it in base64."),))
    if any(len(line) > LONGEST_LINE for line in raw.split(b"\r\n")):
        reason = f"A line is longer than {LONGEST_LINE} octets. Encode that part as quoted-printable or base64."
        raise Unsendable((FieldError("body", "", reason),))
    senders = [field for field in fields if _name(field) == b"from"]
    if len(senders) != 1 or mail.sender is None or mail.sender.email.casefold() != author.casefold():
        value = mail.sender.email if mail.sender else ""
        raise Unsendable((FieldError("From", value, f"The mail has to come from {author}, in one From header."),))
    if not (mail.to or mail.cc or mail.bcc):
        raise Unsendable((FieldError("to", "", "The mail names nobody to send to, in To, Cc or Bcc."),))


def _fields(head: bytes) -> list[bytes]:
    """The header's fields, each with its continuation lines."""
    fields: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1] += b"\r\n" + line
        elif _FIELD.match(line):
            fields.append(line)
        else:
            value = line[:80].decode("ascii", "replace")
            raise Unsendable((FieldError("header", value, "This line is no header field (RFC 5322, 2.2)."),))
    return fields


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0].rstrip().lower()
