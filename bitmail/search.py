"""Searching: from what a person types to what the index is asked."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from store import Part, Query, Term

LONGEST = 300
"""Characters of a search that are looked at."""
FILES = "files"
"""The mark of a mail that has attachments."""
PARTS = {"from": Part.AUTHOR, "to": Part.READERS, "subject": Part.TITLE}

# A word may have a quoted phrase for its value; a quote that never ends runs to the end.
_PIECE = re.compile(r'(?:(?P<key>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


def parse_search(typed: str, zone: ZoneInfo) -> Query:
    """What was typed as a query; never fails, and takes what it does not understand for words.

    Words and quoted phrases are looked for in sender, recipients, subject and body; `from:`, `to:` and `subject:` look
    there alone. `has:attachment` asks for attachments, `before:2026-11-25` (or `2026-11`, `2026`) for older mails.

    Args:
        typed: by a person.
        zone: in which days begin.
    """
    terms: list[Term] = []
    marks: list[str] = []
    before: float | None = None
    for found in _PIECE.finditer(typed.replace("“", '"').replace("”", '"').replace("„", '"')[:LONGEST]):
        key, whole = (found["key"] or "").lower(), found["phrase"] is not None
        value = found["phrase"] if whole else found["word"]
        if key == "has" and value.lower().rstrip("s") == "attachment":
            marks.append(FILES)
        elif key == "before" and (day := _midnight(value, zone)) is not None:
            before = day if before is None else min(before, day)
        elif key in PARTS:
            terms.append(Term(value, PARTS[key], whole))
        elif key:
            terms.append(Term(f"{key} {value}", None, whole))
        else:
            terms.append(Term(value, None, whole))
    return Query(tuple(terms), tuple(dict.fromkeys(marks)), before)


def _midnight(text: str, zone: ZoneInfo) -> float | None:
    """When a day, month or year begins, in seconds since the epoch; None when it is none."""
    parts = re.fullmatch(r"(\d{4})(?:[-/.](\d{1,2}))?(?:[-/.](\d{1,2}))?", text)
    if not parts:
        return None
    year, month, day = (int(part or 1) for part in parts.groups())
    try:
        return datetime(year, month, day, tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        return None
