"""HTML of strangers: what is shown holds nothing that runs, loads or leads away."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from bitmail.sanitiser import TAGS, sanitise, sanitise_written

SHOWN = {*TAGS, "details", "summary"}
SOURCE = re.compile(r"data:image/(?:png|gif|jpe?g|webp|bmp);base64,[A-Za-z0-9+/=\s%]*", re.IGNORECASE)
LINK = re.compile(r"https?:|tel:|/compose\?mailto=", re.IGNORECASE)


def one(data: bytes) -> None:
    markup = data.decode("utf-8", "replace")
    clean = sanitise(markup)
    _Judge(clean.html, is_read=True)
    assert not re.search(r"</|<!--|@import|url\s*\(", clean.css, re.IGNORECASE), "CSS that gets out, or loads"
    written = sanitise_written(markup)
    _Judge(written, is_read=False)


class _Judge(HTMLParser):
    def __init__(self, html: str, *, is_read: bool) -> None:
        super().__init__()
        self._is_read = is_read
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHOWN, f"<{tag}>"
        for name, value in attrs:
            said = (value or "").strip()
            assert not name.startswith("on"), f"{name}={said!r}"
            assert name not in ("srcdoc", "action", "formaction", "background", "srcset", "id", "name"), name
            if name == "style":
                assert not re.search(r"url|expression|(?:^|;)\s*position|@|<", said, re.IGNORECASE), said
            if self._is_read and name == "src":
                assert SOURCE.fullmatch(said), said
            if self._is_read and name == "href":
                assert LINK.match(said), said
            assert not said.lower().startswith(("javascript:", "vbscript:", "data:text")), said
