"""A mail as MIME: composed for the wire."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mta.email import DEFAULT_TYPE, Attachment, Email
from mta.headers import address_field, date_field, fold, parameter, text_field
from mta.parsed import Mailbox, ParsedMail, parse

__all__ = ["Mailbox", "ParsedMail", "compose", "parse"]

PLAIN_LINES = re.compile(
    rb"(?!--)(?!From )(?:[\t -~]{0,77}[!-~])?(?:\r\n(?!--)(?!From )(?:[\t -~]{0,77}[!-~])?)*"
)
"""Text that needs no encoding: short lines of ASCII without blanks at the end, none like a boundary, and none
that mailboxes change."""
NESTED_MAIL = re.compile(rb"(?:[\t -~]{0,998}\r\n)*[\t -~]{0,998}")
BEYOND_ASCII = bytes(range(128, 256))
BASE64_SHARE = 6
"""Quoted-printable stays readable while at most one octet in so many is not ASCII."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One entity: its own header fields and its encoded body."""

    fields: tuple[str, ...]
    body: bytes


def compose(email: Email, *, with_bcc: bool = False) -> bytes:
    """The mail in MIME, 7-bit, with CRLF line ends and lines of at most 998 octets; the same bytes each time.

    Only an address whose local part is not ASCII stands in the header as UTF-8 (RFC 6532).

    Args:
        email: the mail.
        with_bcc: for the author's own copy; never for what others receive.
    """
    content = _content(email)
    visible = [("To", email.to), ("Cc", email.cc), *([("Bcc", email.bcc)] if with_bcc else [])]
    fields = [address_field("From", [email.sender])]
    fields += [address_field(name, addresses) for name, addresses in visible if addresses]
    if not email.to and not email.cc:
        fields.append("To: undisclosed-recipients:;")
    if email.reply_to:
        fields.append(address_field("Reply-To", email.reply_to))
    fields += [
        text_field("Subject", email.subject),
        date_field(email.date),
        f"Message-ID: {email.message_id}",
    ]
    if email.in_reply_to:
        fields.append(f"In-Reply-To: {email.in_reply_to}")
    if email.references:
        fields.append(fold("References", email.references))
    return _written(_Part((*fields, "MIME-Version: 1.0", *content.fields), content.body))


def _content(email: Email) -> _Part:
    """Text alone, or with its HTML as an alternative, the images beside the HTML, the files beside all."""
    boundaries = _boundaries(email.message_id)
    shown = email.html is not None
    inline = [file for file in email.attachments if shown and file.content_id]
    files = [file for file in email.attachments if not (shown and file.content_id)]
    content = _text("plain", email.text)
    if email.html is not None:
        rich = _text("html", email.html)
        if inline:
            rich = _multipart(
                "related", [rich, *(_file(file, "inline") for file in inline)], next(boundaries)
            )
        content = _multipart("alternative", [content, rich], next(boundaries))
    if files:
        content = _multipart(
            "mixed", [content, *(_file(file, "attachment") for file in files)], next(boundaries)
        )
    return content


def _boundaries(message_id: str) -> Iterator[str]:
    """No encoded body can hold `=_`, and plain ones have no line that begins with two hyphens."""
    number = 0
    while True:
        number += 1
        yield "=_" + hashlib.sha256(f"{number} {message_id}".encode()).hexdigest()[:32]


def _text(subtype: str, text: str) -> _Part:
    octets = text.replace("\n", "\r\n").encode()
    if not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    encoding, body = encode_text(octets)
    charset = "us-ascii" if encoding == "7bit" else "utf-8"
    return _Part(
        (f'Content-Type: text/{subtype}; charset="{charset}"', f"Content-Transfer-Encoding: {encoding}"), body
    )


def encode_text(octets: bytes) -> tuple[str, bytes]:
    """The transfer encoding that suits a text, and the text in it.

    Args:
        octets: the text in a charset that has ASCII in it, its lines ended by CRLF, the last one too.
    """
    if PLAIN_LINES.fullmatch(octets):
        return "7bit", octets
    if (len(octets) - len(octets.translate(None, BEYOND_ASCII))) * BASE64_SHARE <= len(octets):
        return "quoted-printable", binascii.b2a_qp(octets, istext=True)
    return "base64", encode_base64(octets)


def _file(file: Attachment, disposition: str) -> _Part:
    kind, encoding, body = file.type, "base64", file.content
    if kind.startswith("message/") and NESTED_MAIL.fullmatch(body):
        encoding = "7bit"  # RFC 2046 section 5.2.1: a message in a message may not be encoded again
    elif kind.startswith(("message/", "multipart/")):
        kind = DEFAULT_TYPE
    fields = [
        f"Content-Type: {kind}",
        f"Content-Transfer-Encoding: {encoding}",
        f"Content-Disposition: {disposition}" + parameter("filename", file.name),
    ]
    if file.content_id:
        fields.append(f"Content-ID: <{file.content_id}>")
    return _Part(tuple(fields), body if encoding == "7bit" else encode_base64(body))


def _multipart(subtype: str, parts: list[_Part], boundary: str) -> _Part:
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(delimiter + _written(part) + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    return _Part((f"Content-Type: multipart/{subtype}" + parameter("boundary", boundary),), body)


def _written(part: _Part) -> bytes:
    return "\r\n".join(part.fields).encode() + b"\r\n\r\n" + part.body


def encode_base64(octets: bytes) -> bytes:
    """Any octets in base64, in lines."""
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")
