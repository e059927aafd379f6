"""CSS of strangers: what stays loads nothing, covers nothing, and stays inside its element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import tinycss2  # type: ignore[import-untyped]

from bitmail.stylesheets import clean_declarations, clean_stylesheet

BAD = re.compile(r"[<\\]|/\*|@(?!media )|url\s*\(|expression|image-set|javascript", re.IGNORECASE)


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    sheet, style = clean_stylesheet(text), clean_declarations(text)
    for kept in (sheet, style):
        assert not BAD.search(kept), kept
    for name in (*_names(tinycss2.parse_stylesheet(sheet)), *_names(tinycss2.parse_blocks_contents(style))):
        assert name != "position", "it can lie over something else"
    assert sheet.count("{") == sheet.count("}") or '"' in sheet or "'" in sheet, "a block is left open"
    assert clean_declarations(style) == style, "cleaning twice is not cleaning once"


def _names(parsed: list[Any]) -> Iterator[str]:
    """The properties that a browser would read there, on any level."""
    for node in parsed:
        if node.type == "declaration":
            yield node.lower_name
        elif getattr(node, "content", None):
            yield from _names(tinycss2.parse_blocks_contents(node.content))
