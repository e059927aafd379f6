"""HTML as plain text: what is left of a mail for a list, a quotation or a terminal."""

from __future__ import annotations

import html
import re

HIDDEN = frozenset(["script", "style", "title", "template", "noscript", "xmp", "iframe"])
PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre"])
BLOCKS = frozenset(["div", "tr", "li", "section", "article", "header", "footer", "dt", "dd"])
BREAKS = frozenset(["br", "hr"])
CELLS = frozenset(["td", "th"])
TAG_NAME = re.compile(r"/?([a-z][a-z0-9]*)", re.IGNORECASE | re.ASCII)
BLANKS = re.compile(r"[ \t\n\r\f\v\0\x01]+")
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
EDGE = "\x01"
"""Where a block begins or ends: a new line, but only where there is text on both sides."""


def html_to_text(markup: str) -> str:
    """The text that a person would read, paragraphs parted by an empty line; in linear time.

    It is for reading only: nothing about it makes the markup safe to show.
    """
    found: list[str] = []
    position = 0
    while position < len(markup):
        opening = markup.find("<", position)
        end = opening if opening >= 0 else len(markup)
        found.append(_plain(markup[position:end]))
        if opening < 0:
            break
        replacement, position = _markup(markup, opening)
        found.append(replacement)
    lines: list[str] = []
    for line in "".join(found).split("\n"):
        lines += list(filter(None, (_even(text) for text in line.split(EDGE)))) or [""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _markup(markup: str, opening: int) -> tuple[str, int]:
    """What stands for the `<` at `opening`, and where the text goes on; what is not closed has no end."""
    if markup.startswith("<!--", opening):
        return "", _after(markup, "-->", opening + 4)
    name = TAG_NAME.match(markup, opening + 1)
    if name is None:
        if markup.startswith(("<!", "<?"), opening):
            return "", _after(markup, ">", opening)
        return "<", opening + 1
    tag = name[1].lower()
    end = _after(markup, ">", name.end())
    if tag in HIDDEN and markup[opening + 1] != "/":
        closing = re.compile(rf"</{tag}\b", re.IGNORECASE | re.ASCII).search(markup, end)
        return "", _after(markup, ">", closing.end()) if closing else len(markup)
    if tag in PARAGRAPHS:
        return "\n\n", end
    if tag in BREAKS:
        return "\n", end
    if tag in BLOCKS:
        return EDGE, end
    return " " if tag in CELLS else "", end


def _after(markup: str, mark: str, position: int) -> int:
    found = markup.find(mark, position)
    return len(markup) if found < 0 else found + len(mark)


def _plain(text: str) -> str:
    """Blanks and entities as a browser shows them."""
    return ENTITY.sub(lambda match: BLANKS.sub(" ", html.unescape(match[0])), BLANKS.sub(" ", text))


def _even(text: str) -> str:
    return re.sub(" {2,}", " ", text).strip()
