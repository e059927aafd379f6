"""HTML as plain text: what is left of a mail for a list, a quotation or a terminal."""

from __future__ import annotations

import html
import re

HIDDEN = re.compile(r"(script|style|title|template|noscript|xmp|iframe)\b", re.IGNORECASE | re.ASCII)
TAG_NAME = re.compile(r"/?([a-z][a-z0-9]*)", re.IGNORECASE | re.ASCII)
PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "pre"])
LINES = frozenset(["br", "div", "tr", "li", "hr", "section", "article", "header", "footer", "dt", "dd"])
BLANKS = re.compile(r"[ \t\n\r\f]+")
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")


def html_to_text(markup: str) -> str:
    """The text that a person would read, paragraphs parted by an empty line; in linear time.

    It is for reading only: nothing about it makes the markup safe to show.
    """
    lines: list[str] = [""]
    position = 0
    while position < len(markup):
        opening = markup.find("<", position)
        text = markup[position : opening if opening >= 0 else len(markup)]
        _add(lines, _plain(text))
        if opening < 0:
            break
        position = _after_markup(markup, opening, lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in lines)).strip()


def _after_markup(markup: str, opening: int, lines: list[str]) -> int:
    """Where the text goes on after the `<` at `opening`; what is not closed reaches to the end."""
    if markup.startswith("<!--", opening):
        return _after(markup, "-->", opening + 4)
    name = TAG_NAME.match(markup, opening + 1)
    if name is None:
        if markup.startswith(("<!", "<?"), opening):
            return _after(markup, ">", opening)
        _add(lines, "<")
        return opening + 1
    tag = name[1].lower()
    end = _after(markup, ">", name.end())
    if tag in PARAGRAPHS:
        lines += ["", ""]
    elif tag in LINES and (tag in ("br", "hr") or lines[-1].strip()):
        lines.append("")
    elif tag in ("td", "th"):
        _add(lines, " ")
    if markup[opening + 1] != "/" and HIDDEN.fullmatch(tag):
        closing = re.compile(rf"</{tag}\b", re.IGNORECASE | re.ASCII).search(markup, end)
        return _after(markup, ">", closing.end()) if closing else len(markup)
    return end


def _after(markup: str, mark: str, position: int) -> int:
    found = markup.find(mark, position)
    return len(markup) if found < 0 else found + len(mark)


def _plain(text: str) -> str:
    return ENTITY.sub(lambda match: html.unescape(match[0]), BLANKS.sub(" ", text))


def _add(lines: list[str], text: str) -> None:
    lines[-1] += text if lines[-1] and not lines[-1].endswith(" ") else text.lstrip(" ")
