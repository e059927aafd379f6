"""CSS of strangers: what stays loads nothing, covers nothing, and stays inside its element."""

from __future__ import annotations

import re

from bitmail.stylesheets import clean_declarations, clean_stylesheet

BAD = re.compile(
    r"[<\\]|/\*|@(?!media )|url\s*\(|expression|image-set|javascript|(?:^|[;{])\s*position\s*:", re.IGNORECASE
)


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    sheet, style = clean_stylesheet(text), clean_declarations(text)
    for kept in (sheet, style):
        assert not BAD.search(kept), kept
    assert sheet.count("{") == sheet.count("}") or '"' in sheet or "'" in sheet, "a block is left open"
    assert clean_declarations(style) == style, "cleaning twice is not cleaning once"
