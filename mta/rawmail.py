"""Finished mails, as they are handed in: checked, completed, and otherwise left as they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mta.addresses import Address, BadAddress, halves
from mta.errors import FieldError, Unacceptable
from mta.fields import Field, decode_words
from mta.headers import date_field
from mta.parsed import ADDRESSES_CHARACTERS, read_mailboxes

LONGEST_LINE = 998
"""Octets in a line without its end (RFC 5322 section 2.1.1)."""
TAKEN_OUT = frozenset(("bcc", "resent-bcc", "return-path"))
"""Fields that nobody but the author and the last host may see."""

_LINE_END = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")


@dataclass(frozen=True, slots=True)
class RawMail:
    """A finished mail, ready to be sent.

    Attributes:
        raw: MIME with CRLF line ends and no Bcc.
        sender: the author, by From.
        recipients: those of To, Cc and Bcc, each once.
        visible: how many of To and Cc there are.
        subject: as people see it.
    """

    raw: bytes = field(repr=False)
    sender: Address
    recipients: tuple[Address, ...]
    visible: int
    subject: str


def prepare(raw: bytes, *, key: str, date: datetime) -> RawMail:
    """Check a mail and make it ready.

    Args:
        raw: RFC 5322, with line ends of any kind.
        key: makes the Message-ID, where there is none.
        date: the date, where there is none.

    Raises:
        Unacceptable: naming the header at fault.
    """
    raw = with_crlf(raw)
    check_lines(raw)
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = list(_fields(head))
    sender = _sender(fields)
    visible, hidden = _people(fields, ("to", "cc")), _people(fields, ("bcc",))
    kept = [one.raw for one in fields if one.name not in TAKEN_OUT]
    names = {one.name for one in fields}
    if "message-id" not in names:
        kept.insert(0, f"Message-ID: {message_id(sender, key)}".encode())
    if "date" not in names:
        kept.insert(0, date_field(date).encode())
    subject = next((decode_words(one.value) for one in fields if one.name == "subject"), "")
    people = tuple({address.key: address for address in (*visible, *hidden)}.values())
    return RawMail(b"\r\n".join(kept) + b"\r\n\r\n" + body, sender, people, len(visible), subject)


def with_crlf(raw: bytes) -> bytes:
    """The same with CRLF for every kind of line end."""
    ends = raw.count(b"\r\n")
    if ends == raw.count(b"\n") == raw.count(b"\r"):
        return raw
    return _LINE_END.sub(b"\r\n", raw)


def check_lines(raw: bytes) -> None:
    """Refuse what no mail can carry.

    Raises:
        Unacceptable: it has NUL in it, or a line that is too long.
    """
    if b"\0" in raw:
        reason = "The mail contains NUL, which no mail carries. Encode it in base64."
        raise Unacceptable(FieldError("body", "", reason))
    if max(map(len, raw.split(b"\r\n"))) > LONGEST_LINE:
        reason = (
            f"A line is longer than {LONGEST_LINE} octets. Encode that part as quoted-printable or base64."
        )
        raise Unacceptable(FieldError("body", "", reason))


def message_id(sender: Address, key: str) -> str:
    """The Message-ID of a mail that came without: the same for the same key."""
    unique = hashlib.sha256(f"{sender.email}\0{key}".encode()).hexdigest()[:32]
    return f"<{unique}@{sender.domain}>"


def _fields(head: bytes) -> Iterator[Field]:
    """The fields of a head, each with its continuation lines."""
    lines: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and lines:
            lines.append(line)
            continue
        if lines:
            yield _field(lines)
        if not _FIELD.match(line):
            value = line[:80].decode("ascii", "replace")
            raise Unacceptable(FieldError("header", value, "This line is no header field (RFC 5322, 2.2)."))
        lines = [line]
    yield _field(lines)


def _field(lines: Sequence[bytes]) -> Field:
    name = lines[0].partition(b":")[0].rstrip().lower().decode("ascii")
    return Field(name, b"\r\n".join(lines))


def _sender(fields: Sequence[Field]) -> Address:
    senders = [one for one in fields if one.name == "from"]
    people = [person for one in senders for person in _addresses(one)]
    if len(senders) != 1 or len(people) != 1:
        value = senders[0].value[:80] if senders else ""
        raise Unacceptable(
            FieldError("From", value, "The mail has to come from one address, in one From header.")
        )
    return people[0]


def _people(fields: Sequence[Field], names: Sequence[str]) -> list[Address]:
    found: dict[str, Address] = {}
    for one in fields:
        if one.name in names:
            for address in _addresses(one):
                found.setdefault(address.key, address)
    return list(found.values())


def _addresses(one: Field) -> list[Address]:
    shown = one.name.capitalize()
    value = one.value
    if len(value) > ADDRESSES_CHARACTERS:
        reason = (
            f"{shown} is longer than {ADDRESSES_CHARACTERS:,} characters. Send the mail in several parts."
        )
        raise Unacceptable(FieldError(shown, value[:80], reason))
    found: list[Address] = []
    errors: list[FieldError] = []
    for mailbox in read_mailboxes(value)[0]:
        try:
            found.append(Address("", *halves(mailbox.email or mailbox.name)))
        except BadAddress as error:
            errors.append(FieldError(shown, error.value, str(error)))
    if errors:
        raise Unacceptable(*errors)
    return found
