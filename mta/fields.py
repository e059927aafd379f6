"""Header fields as they are read: unfolded, decoded, and never trusted."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from mta.charsets import decode
from mta.email import one_line

HEAD_OCTETS = 2_000_000
"""A longer head is read no further."""
HEAD_FIELDS = 2000
STRUCTURED_CHARACTERS = 16_000
PARAMETERS = 200

HEAD_END = re.compile(rb"(?:^|\n)\r?\n")
FIELD_START = re.compile(rb"([!-9;-~]+)[ \t]*:")
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,100})\?([bBqQ])\?([^?]*)\?=")
BETWEEN_WORDS = re.compile(r"[ \t\r\n]*")
PARAMETER = re.compile(r';\s*([^\s=;"*]{1,100})(\*\d{1,4})?(\*)?\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
NOT_BASE64 = bytes(set(range(256)) - set(BASE64))


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a head.

    Attributes:
        name: in lower case.
        raw: the whole field as it came, folded, without its last line end.
    """

    name: str
    raw: bytes

    @property
    def value(self) -> str:
        """The value on one line, with encoded words as they are."""
        value = self.raw.partition(b":")[2]
        return decode(value.replace(b"\r", b"").replace(b"\n", b"")).strip()


@dataclass(frozen=True, slots=True)
class Head:
    """The fields of a mail or of a part of one, and where its body begins."""

    fields: tuple[Field, ...]
    body_start: int

    def get(self, name: str) -> str:
        """The value of the first field of that name (in lower case), or ""."""
        return next((field.value for field in self.fields if field.name == name), "")


def read_head(raw: bytes, start: int = 0, end: int | None = None) -> Head:
    """The head of what stands in `raw` from `start` to `end`; lines that are no field are passed over."""
    limit = len(raw) if end is None else end
    match = HEAD_END.search(raw, start, limit)
    if raw.startswith((b"\n", b"\r\n"), start, limit):
        return Head((), start + (1 if raw.startswith(b"\n", start) else 2))
    head_end, body_start = (match.start(), match.end()) if match else (limit, limit)
    lines = raw[start : min(head_end, start + HEAD_OCTETS)].split(b"\n")
    fields: list[tuple[str, list[bytes]]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if fields:
                fields[-1][1].append(line)
        elif (found := FIELD_START.match(line)) and len(fields) < HEAD_FIELDS:
            fields.append((found[1].decode("ascii").lower(), [line]))
    return Head(
        tuple(Field(name, b"\n".join(parts).removesuffix(b"\r")) for name, parts in fields), body_start
    )


def decode_words(value: str) -> str:
    """The text of a field, its encoded words decoded, on one line (RFC 2047; lenient where mails are).

    Words of one charset that follow each other are joined before they are decoded, since some mailers part a
    character between two of them.
    """
    out: list[str] = []
    octets = b""
    charset = ""
    position = 0
    for match in ENCODED_WORD.finditer(value):
        gap = value[position : match.start()]
        only_blank = position > 0 and BETWEEN_WORDS.fullmatch(gap) is not None
        label = match[1].partition("*")[0]
        if octets and not (only_blank and label.lower() == charset.lower()):
            out.append(decode(octets, charset))
            octets = b""
        if not only_blank:
            out.append(gap)
        octets += _word_octets(match[2].lower(), match[3])
        charset = label
        position = match.end()
    if octets:
        out.append(decode(octets, charset))
    out.append(value[position:])
    return one_line("".join(out))


def decode_base64(octets: bytes) -> bytes:
    """What base64 stands for, as far as it can be read."""
    try:
        return base64.b64decode(octets)
    except binascii.Error:
        letters = octets.translate(None, NOT_BASE64)
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """The first word of a structured field in lower case, and its parameters (by RFC 2231, also by 2047)."""
    if not value:
        return "", {}
    value = value[:STRUCTURED_CHARACTERS]
    found: dict[str, dict[int, tuple[str, bool]]] = {}
    for match in list(_some(PARAMETER.finditer(value), PARAMETERS)):
        number = int(match[2][1:]) if match[2] else 0
        text = match[4].strip()
        if text.startswith('"') and len(text) > 1:
            text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        found.setdefault(match[1].lower(), {}).setdefault(number, (text, bool(match[3])))
    main = value.partition(";")[0].strip().lower()
    return main, {name: _joined(pieces) for name, pieces in found.items()}


def _joined(pieces: dict[int, tuple[str, bool]]) -> str:
    charset = ""
    octets = b""
    extended = any(is_extended for _, is_extended in pieces.values())
    if not extended:
        return decode_words("".join(text for _, (text, _) in sorted(pieces.items())))
    for index, (_, (text, is_extended)) in enumerate(sorted(pieces.items())):
        if index == 0 and is_extended and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets += unquote_to_bytes(text) if is_extended else text.encode("utf-8", "replace")
    return one_line(decode(octets, charset))


def _word_octets(encoding: str, text: str) -> bytes:
    octets = text.encode("utf-8", "replace")
    if encoding == "b":
        return decode_base64(octets)
    return binascii.a2b_qp(octets.replace(b" ", b"_"), header=True)


def _some(matches: Iterator[re.Match[str]], most: int) -> Iterator[re.Match[str]]:
    for _, match in zip(range(most), matches, strict=False):
        yield match
