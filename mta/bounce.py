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

LISTED = 50
"""Recipients that the first part names; the second names all."""
HEAD_OCTETS = 64 * 1024
"""Bytes of the original's head that go along: a list of thousands has a long one."""

_ENHANCED = re.compile(r"(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.])")
_ADVICE = (
    (
        "5.2.2",
        re.compile(r"quota|full", re.IGNORECASE),
        "The mailbox there is full. Send the mail again in a few days.",
    ),
    (
        "5.3.4",
        re.compile(r"too large|too big|size", re.IGNORECASE),
        "The mail is too large for them. Send it with smaller files, or a link to them.",
    ),
    (
        "5.7.",
        re.compile(r"spam|policy|block|reputation", re.IGNORECASE),
        "Their server does not want this mail. Write it in other words, or ask the operator of this service.",
    ),
    (
        "5.1.",
        re.compile(r"unknown|no such|not exist|invalid|not found", re.IGNORECASE),
        "Check the address for a typing mistake. If it is right, it does not exist any more: "
        "ask the person another way.",
    ),
)
"""What to do: by the beginning of the enhanced status code (RFC 3463), or else by words."""
_OTHERWISE = "Put right what is said above if you can, and send the mail again."


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


def bounce_message(bounce: Bounce, domain: str) -> bytes:
    """The message to the author, in MIME; the same bytes each time.

    Args:
        bounce: what it is about.
        domain: our own, in whose name it is written.
    """
    unique = hashlib.sha256(bounce.name.encode()).hexdigest()[:32]
    boundary = f"=_{unique}"
    original = message_ids(read_head(bounce.head), "message-id")[:1]
    local, _, author_domain = bounce.submission.sender.rpartition("@")
    fields = [
        address_field("From", [Address("Mail Delivery System", "mailer-daemon", domain)]),
        address_field("To", [Address("", local, author_domain)]),
        text_field("Subject", f"Not delivered: {bounce.submission.subject}".rstrip(": ")),
        f"Date: {_date(bounce.at)}",
        f"Message-ID: <bounce.{unique}@{domain}>",
        *(f"{name}: {original[0]}" for name in ("In-Reply-To", "References") if original),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"',
    ]
    parts = (
        _part("text/plain", in_words(bounce)),
        _report_part(bounce, domain),
        _part("text/rfc822-headers", _original_head(bounce.head)),
    )
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + body + f"--{boundary}--\r\n".encode()


def in_words(bounce: Bounce) -> str:
    """The first part: who did not get the mail, why, and what to do."""
    submission, failed = bounce.submission, bounce.deliveries
    named = f"Your mail “{submission.subject}”" if submission.subject else "Your mail"
    when = datetime.fromtimestamp(submission.created, UTC)
    total = len(submission.deliveries)
    whom = f"{len(failed):,} of its {total:,} recipients" if total > 1 else "its recipient"
    lines = [f"{named} of {when.day} {when:%B %Y, %H:%M} UTC could not be delivered to {whom}.", ""]
    for delivery in failed[:LISTED]:
        reason = delivery.detail or "No reason was given."
        lines += [delivery.recipient, f"    {reason}", f"    {advice(delivery)}", ""]
    if len(failed) > LISTED:
        lines += [f"And {len(failed) - LISTED:,} more; the second part of this message names them all.", ""]
    if len(failed) < total:
        lines += ["The page of the mail in Sent shows what became of the others.", ""]
    return "\n".join(lines)


def advice(delivery: Delivery) -> str:
    """What the author can do about a delivery that came to nothing."""
    found = _ENHANCED.search(delivery.detail)
    if found:
        code = f"5{found[1][1:]}."
        return next((words for start, _, words in _ADVICE if code.startswith(start)), _OTHERWISE)
    return next((words for _, pattern, words in _ADVICE if pattern.search(delivery.detail)), _OTHERWISE)


def _report_part(bounce: Bounce, domain: str) -> bytes:
    """The second part, for programs (RFC 3464, section 2)."""
    groups = [[f"Reporting-MTA: dns; {domain}", f"Arrival-Date: {_date(bounce.submission.created)}"]]
    groups += [_group(delivery) for delivery in bounce.deliveries]
    text = "\r\n\r\n".join("\r\n".join(group) for group in groups)
    return f"Content-Type: message/delivery-status\r\n\r\n{text}\r\n".encode("ascii", "replace")


def _group(delivery: Delivery) -> list[str]:
    code = _ENHANCED.search(delivery.detail)
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
