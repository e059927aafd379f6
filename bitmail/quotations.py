"""Plain text as it is read: links to follow, and quotations that can be folded away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

SEGMENTS = 2000
"""Segments of one text; beyond them it goes on as plain text."""
FOLDED = 4
"""Quoted lines from which on they are folded."""
_LINK = re.compile(
    r"\b(?:https?://|www\.)[^\s<>\"“”]{1,2000}"
    r"|\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?'’)]}>*_"
_QUOTED = re.compile(r"(?:^>[^\n]*(?:\n|\Z)){%d,}" % FOLDED, re.MULTILINE)  # noqa: UP031 - braces


class SegmentKind(StrEnum):
    """How a segment is shown."""

    TEXT = "text"
    LINK = "link"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text.

    Attributes:
        kind: how it is shown.
        text: what it says.
        href: where a link leads, else "".
    """

    kind: SegmentKind
    text: str
    href: str = ""


def segments(text: str) -> list[Segment]:
    """The text in stretches, in order; joined, their texts are the text again."""
    found: list[Segment] = []
    end = 0
    for quoted in _QUOTED.finditer(text):
        found += _linked(text[end : quoted.start()])
        found.append(Segment(SegmentKind.QUOTE, quoted[0]))
        end = quoted.end()
        if len(found) > SEGMENTS:
            break
    found += _linked(text[end:])
    if all(segment.kind is SegmentKind.QUOTE or not segment.text.strip() for segment in found):
        return list(_linked(text))
    if len(found) > SEGMENTS:
        rest = "".join(segment.text for segment in found[SEGMENTS:])
        return [*found[:SEGMENTS], Segment(SegmentKind.TEXT, rest)]
    return found


def _linked(text: str) -> Iterator[Segment]:
    end = 0
    for link in _LINK.finditer(text):
        shown = _without_trailing(link[0])
        if link.start() > end:
            yield Segment(SegmentKind.TEXT, text[end : link.start()])
        yield Segment(SegmentKind.LINK, shown, _href(shown))
        end = link.start() + len(shown)
    if end < len(text):
        yield Segment(SegmentKind.TEXT, text[end:])


def _without_trailing(link: str) -> str:
    """Without what ends the sentence rather than the address; a bracket that was opened in it belongs to it."""
    while link[-1] in _TRAILING:
        if link[-1] == ")" and link.count("(") >= link.count(")"):
            break
        link = link[:-1]
    return link


def _href(link: str) -> str:
    if link.lower().startswith(("http://", "https://")):
        return link
    if link.lower().startswith("www."):
        return f"http://{link}"
    return f"/compose?mailto={quote(f'mailto:{link}', safe='')}"
