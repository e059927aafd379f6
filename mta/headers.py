"""Header fields as they are written: folded, 7-bit, and read back exactly as they were meant.

The standard library's folding has lost commas, blanks and characters in some releases of Python, so it is
not used.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import TypeVar

from mta.addresses import PHRASE, Address

Unit = TypeVar("Unit")

LINE_LENGTH = 76
"""RFC 2047 section 2: no longer line may hold an encoded word."""
WORD_LENGTH = 75
NAME_WORD_LENGTH = 60
"""Leaves room for the name of the field before a display name."""
MAX_ASCII_WORD = 70
PLAIN_TEXT = re.compile(r"[!-~]+(?: [!-~]+)*")
"""What folding brings back exactly: single blanks, none at the ends."""
QUOTABLE = re.compile(r"[ -~]*")
Q_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
"""RFC 2047 section 5 (3): the letters an encoded word may show inside a display name."""
ATTRIBUTE_SAFE = Q_SAFE - frozenset("*") | frozenset("._")
Q_OVERHEAD = len("=?utf-8?q??=")


def text_field(name: str, text: str) -> str:
    """A field of free text such as Subject, without the final line end."""
    if not text:
        return f"{name}:"
    plain = PLAIN_TEXT.fullmatch(text) and "=?" not in text
    if plain and max(map(len, text.split(" "))) <= MAX_ASCII_WORD:
        return fold(name, text.split(" "))
    return f"{name}: " + "\r\n ".join(encoded_words(text, LINE_LENGTH - len(name) - 2))


def address_field(name: str, addresses: Sequence[Address]) -> str:
    """A field of addresses such as To; local parts that are not ASCII stand as they are (RFC 6532)."""
    words: list[str] = []
    for address in addresses:
        words += [*_phrase(address.name), f"<{address.email}>" if address.name else address.email]
        words[-1] += ","
    if words:
        words[-1] = words[-1][:-1]
    return fold(name, words)


def date_field(date: datetime) -> str:
    """The field Date, without the final line end."""
    return _date_field(date.replace(microsecond=0), date.utcoffset())


@lru_cache(maxsize=16)  # the mails of one second have the same
def _date_field(date: datetime, _offset: timedelta | None) -> str:
    return f"Date: {format_datetime(date)}"


def fold(name: str, words: Iterable[str]) -> str:
    """A field of words that may stand on lines of their own."""
    lines = [f"{name}:"]
    for index, word in enumerate(words):
        if index and len(lines[-1]) + 1 + len(word) > LINE_LENGTH:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)


def parameter(name: str, value: str) -> str:
    """A parameter of a field, with the semicolon and line end before it, as RFC 2231 where needed."""
    if QUOTABLE.fullmatch(value) and len(value) <= MAX_ASCII_WORD - len(name) and "=?" not in value:
        return f';\r\n {name}="' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    units = ["".join(c if c in ATTRIBUTE_SAFE else f"%{o:02X}" for o in c.encode()) for c in value]
    pieces = [""]
    for unit in ["utf-8''", *units]:
        if len(pieces[-1]) + len(unit) > LINE_LENGTH - len(name) - len(" *00*=;"):
            pieces.append("")
        pieces[-1] += unit
    if len(pieces) == 1:
        return f";\r\n {name}*={pieces[0]}"
    return "".join(f";\r\n {name}*{index}*={piece}" for index, piece in enumerate(pieces))


def encoded_words(text: str, first_length: int = WORD_LENGTH, length: int = WORD_LENGTH) -> list[str]:
    """The text as encoded words of RFC 2047, none of which parts a character.

    Args:
        text: what to encode; without surrogates.
        first_length: characters that the first word may take.
        length: characters that each further one may take, at most 75.
    """
    q_units = [_q_unit(character) for character in text]
    if sum(map(len, q_units)) <= len(text.encode()) * 4 / 3:
        words = _gather(q_units, list(map(len, q_units)), first_length - Q_OVERHEAD, length - Q_OVERHEAD)
        return [f"=?utf-8?q?{''.join(word)}?=" for word in words]
    octets = [character.encode() for character in text]
    room, first_room = ((n - Q_OVERHEAD) // 4 * 3 for n in (length, first_length))
    words_ = _gather(octets, list(map(len, octets)), first_room, room)
    return [f"=?utf-8?b?{base64.b64encode(b''.join(word)).decode()}?=" for word in words_]


def _q_unit(character: str) -> str:
    if character == " ":
        return "_"
    return character if character in Q_SAFE else "".join(f"={octet:02X}" for octet in character.encode())


def _gather(units: Sequence[Unit], sizes: Sequence[int], first_room: int, room: int) -> list[list[Unit]]:
    """The units in groups that fit."""
    groups: list[list[Unit]] = [[]]
    left = first_room
    for unit, size in zip(units, sizes, strict=True):
        if size > left:
            groups.append([])
            left = room
        groups[-1].append(unit)
        left -= size
    return groups


def _phrase(name: str) -> list[str]:
    """The words of a display name."""
    if not name:
        return []
    if name.isascii() and "=?" not in name and len(name) <= NAME_WORD_LENGTH:
        return name.split(" ") if PHRASE.fullmatch(name) else ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    return encoded_words(name, NAME_WORD_LENGTH, NAME_WORD_LENGTH)
