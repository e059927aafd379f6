"""Hostile HTML made fit to be shown: an allow-list of tags, attributes, addresses and styles.

This is the first of three walls. The frame that shows the result runs no scripts, and its Content-Security-Policy loads
nothing that is not named there (`bitmail.reading`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from html import escape, unescape
from html.parser import HTMLParser
from urllib.parse import quote, unquote

import nh3

from bitmail.stylesheets import RemoteImages, clean_declarations, clean_stylesheet
from mta.plaintext import html_to_text

LIMIT = 2_000_000
"""Characters of HTML that are shown; the rest is cut off."""
AMPERSANDS = 20_000
"""Of one mail: a parser takes quadratic time over them too."""
DEPTH = 1000
"""Tags open within each other; a parser of HTML takes quadratic time over such a tower, and no mail needs one."""
STYLESHEETS = 20
FOLDED = 280
"""A quotation longer than this is folded."""

TAGS = frozenset(
    (
        *(
            "a",
            "abbr",
            "acronym",
            "address",
            "article",
            "aside",
            "b",
            "bdi",
            "bdo",
            "big",
            "blockquote",
            "br",
        ),
        *(
            "caption",
            "center",
            "cite",
            "code",
            "col",
            "colgroup",
            "dd",
            "del",
            "dfn",
            "dir",
            "div",
            "dl",
            "dt",
            "em",
        ),
        *(
            "figcaption",
            "figure",
            "font",
            "footer",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "header",
            "hr",
            "i",
            "img",
        ),
        *("ins", "kbd", "li", "main", "mark", "nav", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp"),
        *(
            "section",
            "small",
            "span",
            "strike",
            "strong",
            "sub",
            "sup",
            "table",
            "tbody",
            "td",
            "tfoot",
            "th",
        ),
        *("thead", "time", "tr", "tt", "u", "ul", "var", "wbr"),
    )
)
_SHAPE = {"align", "valign", "width", "height", "bgcolor"}
ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "class", "dir", "lang", "title"},
    "a": {"href", "name"},
    "img": {"src", "alt", "border", "hspace", "vspace"} | _SHAPE,
    "font": {"color", "face", "size"},
    "table": {"border", "cellpadding", "cellspacing", "summary"} | _SHAPE,
    "td": {"colspan", "rowspan", "nowrap"} | _SHAPE,
    "th": {"colspan", "rowspan", "nowrap", "scope"} | _SHAPE,
    "tr": _SHAPE,
    "tbody": _SHAPE,
    "thead": _SHAPE,
    "tfoot": _SHAPE,
    "col": {"span"} | _SHAPE,
    "colgroup": {"span"} | _SHAPE,
    "hr": {"align", "width", "size", "color", "noshade"},
    "ol": {"start", "type"},
    "ul": {"type"},
    "li": {"value", "type"},
} | {tag: {"align"} for tag in ("div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "center", "caption")}
DROPPED = {
    *(
        "script",
        "style",
        "title",
        "template",
        "noscript",
        "noembed",
        "noframes",
        "iframe",
        "frame",
        "frameset",
    ),
    *("object", "embed", "applet", "svg", "math", "video", "audio", "select", "textarea", "button", "xmp"),
}
"""Tags that go with all that is in them."""
_CLOSED_BY_THEMSELVES = frozenset(
    (
        *(
            "area",
            "base",
            "br",
            "col",
            "embed",
            "hr",
            "img",
            "input",
            "link",
            "meta",
            "param",
            "source",
            "track",
            "wbr",
        ),
        *("colgroup", "dd", "dt", "li", "option", "p", "tbody", "td", "tfoot", "th", "thead", "tr"),
    )
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
_INLINE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp);base64,[A-Za-z0-9+/=\s%]+", re.IGNORECASE)
_BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
_QUOTE = re.compile(r"<blockquote\b[^>]*>|</blockquote>")


@dataclass(frozen=True, slots=True)
class Clean:
    """HTML that may be shown.

    Attributes:
        html: what may stand in a body.
        css: what may stand in a style element before it.
        blocked: remote images that are not shown.
    """

    html: str
    css: str
    blocked: int


def sanitise(
    markup: str, *, images: bool = False, inline: Callable[[str], str | None] = lambda _: None
) -> Clean:
    """Make HTML of a stranger fit to be shown.

    Args:
        markup: as it came.
        images: whether remote images may be loaded.
        inline: gives, for the Content-ID of an image that came along, the address it is shown from, or None.

    Returns:
        What may be shown.
    """
    bounded = _bounded(markup)
    if bounded is None:
        return Clean(_as_text(markup), "", 0)
    blocked, styled = 0, RemoteImages(images)

    def judged(tag: str, attribute: str, value: str) -> str | None:
        nonlocal blocked
        if attribute == "style":
            return clean_declarations(value, styled) or None
        if attribute == "href":
            return _link(value)
        if attribute == "src":
            source, is_remote = _image(value, images, inline)
            blocked += is_remote
            return source
        return value

    cleaned = nh3.clean(
        bounded,
        tags=set(TAGS),
        clean_content_tags=DROPPED,
        attributes=ATTRIBUTES,
        attribute_filter=judged,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}, "img": {"referrerpolicy": "no-referrer"}},
        url_relative=lambda url: url if url.startswith("/") and not url.startswith("//") else None,
    )
    css = _styles(bounded, styled)
    return Clean(folded(cleaned), css, blocked + styled.held)


def sanitise_written(markup: str) -> str:
    """Make HTML that a person wrote or pasted in an editor fit to be sent: the same, and nothing folded or blocked."""
    bounded = _bounded(markup)
    if bounded is None:
        return _as_text(markup)
    return nh3.clean(
        bounded,
        tags=set(TAGS),
        clean_content_tags=DROPPED,
        attributes=ATTRIBUTES,
        attribute_filter=_written,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel=None,
        url_relative="deny",
    )


def folded(cleaned: str) -> str:
    """Sanitised HTML with its long quotations folded away, as far as something else is said as well."""
    depth, start, found = 0, 0, []
    for tag in _QUOTE.finditer(cleaned):
        if tag[0].startswith("</"):
            depth -= 1
            if depth == 0:
                found.append((start, tag.end()))
        else:
            if depth == 0:
                start = tag.start()
            depth += 1
    outside = "".join(
        cleaned[end:begin]
        for end, begin in zip(
            [0, *(end for _, end in found)], [*(begin for begin, _ in found), None], strict=True
        )
    )
    if not re.sub(r"<[^>]*>|&nbsp;|\s", "", outside):
        return cleaned
    for begin, end in reversed(found):
        if end - begin > FOLDED:
            quoted = cleaned[begin:end]
            cleaned = (
                f"{cleaned[:begin]}<details><summary>Quoted text</summary>{quoted}</details>{cleaned[end:]}"
            )
    return cleaned


def _bounded(markup: str) -> str | None:
    """The markup as far as it is shown, or None where parsing it would take for ever."""
    markup = markup[:LIMIT]
    if markup.count("&") > AMPERSANDS:
        markup = _ENTITY.sub(lambda entity: _character(entity[0]), markup)
    return None if markup.count("&") > AMPERSANDS or _depth(markup) > DEPTH else markup


def _as_text(markup: str) -> str:
    """What a mail says whose HTML cannot be shown."""
    return f'<pre style="font-family: inherit">{escape(html_to_text(markup[:LIMIT]))}</pre>'


def _character(entity: str) -> str:
    """The letter that an entity stands for, unless it means something to a parser."""
    letter = unescape(entity)
    return letter if len(letter) == 1 and letter > "\x7f" else entity


def _depth(markup: str) -> int:
    """How many tags are open within each other at most; counted no further than it matters."""
    is_open: Counter[str] = Counter()
    depth = deepest = 0
    for tag in _TAG.finditer(markup):
        name = tag[2].lower()
        if name in _CLOSED_BY_THEMSELVES:
            continue
        if not tag[1]:
            is_open[name] += 1
            depth += 1
        elif is_open[name]:
            is_open[name] -= 1
            depth -= 1
        deepest = max(deepest, depth)
        if deepest > DEPTH:
            break
    return deepest


def _written(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "style":
        return clean_declarations(value) or None
    if attribute == "src":
        return (
            value if _INLINE.fullmatch(value) or value.startswith(("https://", "http://", "cid:")) else None
        )
    if attribute == "href":
        return value if not value.lstrip().lower().startswith(("data:", "cid:")) else None
    return value


def _link(value: str) -> str | None:
    """Where a link may lead: out of here, or to a new mail."""
    scheme = value.strip().partition(":")[0].lower()
    if scheme == "mailto":
        return f"/compose?mailto={quote(value.strip(), safe='')}"
    return value.strip() if scheme in ("http", "https", "tel") else None


def _image(value: str, images: bool, inline: Callable[[str], str | None]) -> tuple[str | None, bool]:
    """What to show an image from, and whether it is a remote one that is held back."""
    value = value.strip()
    scheme = value.partition(":")[0].lower()
    if scheme == "cid":
        return inline(unquote(value[4:])), False
    if scheme == "data":
        return (value if _INLINE.fullmatch(value) else None), False
    if scheme not in ("http", "https"):
        return None, False
    return (value, False) if images else (_BLANK, True)


class _Styles(HTMLParser):
    """Gathers what stands in style elements."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.sheets: list[str] = []
        self._is_in = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._is_in = tag == "style"
        if self._is_in:
            self.sheets.append("")

    def handle_endtag(self, tag: str) -> None:
        self._is_in = False

    def handle_data(self, data: str) -> None:
        if self._is_in:
            self.sheets[-1] += data


def _styles(markup: str, images: RemoteImages) -> str:
    """The style sheets. However this parser and a browser differ: nothing of it is shown unless it is clean CSS."""
    if "<style" not in markup.lower():
        return ""
    parser = _Styles()
    parser.feed(markup)
    sheets = (clean_stylesheet(sheet, images) for sheet in parser.sheets[:STYLESHEETS])
    return "\n".join(filter(None, sheets))
