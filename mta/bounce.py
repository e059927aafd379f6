"""Bounce messages: what an author finds in INBOX when a mail came to nothing (RFC 3464, RFC 6522)."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from mta.addresses import Address
from mta.fields import read_head
from mta.headers import address_field, fold, text_field
from mta.outcomes import Status
from mta.parsed import message_ids
from mta.submission import Delivery, Submission

HEAD_OCTETS = 64 * 1024
"""Bytes of the original's head that go along: a list of thousands has a long one."""

ENHANCED = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
"""An enhanced status code (RFC 3463) among what a server said."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a bounce message is about.

    Attributes:
        name: the same for the same message, so that it is made alike each time.
        submission: the mail that came back.
        deliveries: those of its deliveries that came to nothing.
        head: the beginning of the mail, at least its header fields.
        at: when it is made, in seconds since the epoch.
    """

    name: str
    submission: Submission
    deliveries: tuple[Delivery, ...]
    head: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a bounce message says to a person, in their language.

    Attributes:
        writer: the name that it comes from.
        subject: the subject.
        text: the first part: who did not get the mail, why, and what to do.
    """

    writer: str
    subject: str
    text: str


def bounce_message(bounce: Bounce, told: Told, domain: str) -> bytes:
    """The message to the author, in MIME; the same bytes each time.

    Args:
        bounce: what it is about.
        told: what it says.
        domain: our own, in whose name it is written.
    """
    unique = hashlib.sha256(bounce.name.encode()).hexdigest()[:32]
    boundary = f"=_{unique}"
    original = message_ids(read_head(bounce.head), "message-id")[:1]
    local, _, author_domain = bounce.submission.sender.rpartition("@")
    fields = [
        address_field("From", [Address(told.writer, "mailer-daemon", domain)]),
        address_field("To", [Address("", local, author_domain)]),
        text_field("Subject", told.subject),
        f"Date: {_date(bounce.at)}",
        f"Message-ID: <bounce.{unique}@{domain}>",
        *(f"{name}: {original[0]}" for name in ("In-Reply-To", "References") if original),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
    ]
    parts = (
        _part("text/plain", told.text),
        _report_part(bounce, domain),
        _part("text/rfc822-headers", _original_head(bounce.head)),
    )
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + body + f"--{boundary}--\r\n".encode()


def _report_part(bounce: Bounce, domain: str) -> bytes:
    """The second part, for programs (RFC 3464, section 2)."""
    groups = [[f"Reporting-MTA: dns; {domain}", f"Arrival-Date: {_date(bounce.submission.created)}"]]
    groups += [_group(delivery) for delivery in bounce.deliveries]
    text = "\r\n\r\n".join("\r\n".join(group) for group in groups)
    return f"Content-Type: message/delivery-status\r\n\r\n{text}\r\n".encode("ascii", "replace")


def _group(delivery: Delivery) -> list[str]:
    code = ENHANCED.search(delivery.detail)
    status = code[1] if code and code[1].startswith("5") else "5.0.0"
    group = [
        f"Final-Recipient: {_typed(delivery.recipient)}",
        "Action: failed",
        f"Status: {status}",
        f"Last-Attempt-Date: {_date(delivery.updated)}",
    ]
    if delivery.detail:
        kind = "smtp" if delivery.status is Status.BOUNCED else "x-bitmail"
        words = delivery.detail.encode("ascii", "replace").decode().split()
        group.append(fold("Diagnostic-Code", [f"{kind};", *words]))
    return group


def _typed(recipient: str) -> str:
    """The address with its type; one beyond ASCII in the form for 7 bits (RFC 6533, section 3)."""
    if recipient.isascii():
        return f"rfc822; {recipient}"
    letters = (letter if letter.isascii() else f"\\x{{{ord(letter):X}}}" for letter in recipient)
    return f"utf-8; {''.join(letters)}"


def _original_head(head: bytes) -> str:
    end = re.search(rb"\r?\n\r?\n", head)
    kept = head[: end.start() if end else None][:HEAD_OCTETS]
    return kept.decode("utf-8", "replace").replace("\r\n", "\n") + "\n"


def _part(kind: str, text: str) -> bytes:
    octets = text.replace("\n", "\r\n").encode()
    fields: Sequence[str] = (
        f"Content-Type: {kind}; charset=utf-8",
        "Content-Transfer-Encoding: quoted-printable",
    )
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + binascii.b2a_qp(octets, istext=True)


def _date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC))
