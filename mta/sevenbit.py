"""A mail in 7 bits: for those who spoil what is not ASCII, and lines that are too long."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

from mta.errors import MtaError
from mta.fields import Field, decode_words, parameters
from mta.headers import address_field, encoded_words, fold, parameter, text_field
from mta.mime import BASE64_SHARE
from mta.parsed import read_mailboxes
from mta.tree import Entity, read_tree

LONGEST_LINE = 999
"""RFC 5322 section 2.1.1: 998 octets, and the CR before the LF."""
LINE_END = re.compile(rb"\r?\n")
AS_IT_IS = ("", "7bit", "8bit", "binary")
ADDRESSES = frozenset(["from", "sender", "reply-to", "to", "cc"])
PARAMETERS = frozenset(["content-type", "content-disposition"])


class NotSevenBit(MtaError):
    """A mail that cannot be written in 7 bits without breaking it."""


def seven_bit(raw: bytes) -> bytes:
    """The same mail in ASCII, with lines of at most 998 octets; those that are so already stay to the byte.

    Parts are encoded anew, fields by RFC 2047 and 2231. An address whose local part is not ASCII cannot be written:
    it stays visible as the name of an empty group (RFC 6857 section 3.1.5).

    Raises:
        NotSevenBit: a signature covers what would have to be changed.
    """
    return raw if _fits(raw) else _rewritten(read_tree(raw))


@dataclass(frozen=True, slots=True)
class _Body:
    octets: bytes
    encoding: str = ""
    """The new one, or "" when it stays."""


def _rewritten(entity: Entity) -> bytes:
    raw = entity.raw[entity.start : entity.end]
    if _fits(raw):
        return raw
    if entity.kind == "multipart/signed" and not _fits(entity.body):
        raise NotSevenBit("its signature covers text that is not in 7 bits")
    body = _body(entity)
    fields = [
        field.raw if _fits(field.raw) else _written(field)
        for field in entity.head.fields
        if not (body.encoding and field.name == "content-transfer-encoding")
    ]
    if body.encoding:
        fields.append(f"Content-Transfer-Encoding: {body.encoding}".encode())
    return b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body.octets


def _body(entity: Entity) -> _Body:
    if _fits(entity.body):
        return _Body(entity.body)
    if entity.parts:
        return _Body(_joined(entity), "7bit")
    encoding = entity.head.get("content-transfer-encoding").lower()
    if entity.kind == "message/rfc822" and encoding in AS_IT_IS:
        return _Body(_rewritten(read_tree(entity.body)), "7bit")
    octets = entity.content
    if entity.kind.startswith("text/") and sum(octet > 127 for octet in octets) * BASE64_SHARE <= len(octets):
        return _Body(
            LINE_END.sub(b"\r\n", binascii.b2a_qp(octets, istext=b"\n" in octets)), "quoted-printable"
        )
    lines = [binascii.b2a_base64(octets[at : at + 57], newline=False) for at in range(0, len(octets), 57)]
    return _Body(b"\r\n".join([*lines, b""]), "base64")


def _joined(entity: Entity) -> bytes:
    """The parts, and between them what parts them; of a preamble only what is ASCII."""
    pieces, position = [], entity.head.body_start
    for part in entity.parts:
        pieces += [_ascii(entity.raw[position : part.start]), _rewritten(part)]
        position = part.end
    return b"".join([*pieces, _ascii(entity.raw[position : entity.end])])


def _written(field: Field) -> bytes:
    name = field.raw.partition(b":")[0].decode("ascii").strip()
    if field.name in ADDRESSES:
        written = fold(name, _addresses(field.value))
    elif field.name in PARAMETERS:
        main, details = parameters(field.value)
        written = f"{name}: {main}" + "".join(parameter(key, value) for key, value in details.items())
    else:
        written = text_field(name, decode_words(field.value))
    return written.encode("ascii", "replace")


def _addresses(value: str) -> list[str]:
    words = []
    mailboxes, _ = read_mailboxes(value)
    for mailbox in mailboxes:
        address = mailbox.address
        if address is not None and address.ascii_local:
            words.append(address_field("", [address]).removeprefix(":").replace("\r\n", "").strip())
        else:
            words.append(" ".join(encoded_words(mailbox.email or mailbox.name)) + ":;")
    return [f"{word}," for word in words[:-1]] + words[-1:]


def _fits(octets: bytes) -> bool:
    return octets.isascii() and max(map(len, octets.split(b"\n"))) <= LONGEST_LINE


def _ascii(octets: bytes) -> bytes:
    return octets.decode("ascii", "replace").replace("\ufffd", "?").encode()
