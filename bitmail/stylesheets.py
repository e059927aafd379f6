"""The CSS of mail: what only changes how the mail itself looks is kept, what could load, cover or hide is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import tinycss2  # type: ignore[import-untyped]

LIMIT = 200_000
"""Characters of one style sheet; what is longer is left out."""
DEPTH = 3
"""Blocks of `@media` within each other."""

PROPERTIES = frozenset(
    (
        *(
            "background",
            "background-color",
            "border-collapse",
            "border-spacing",
            "box-sizing",
            "caption-side",
        ),
        *("clear", "color", "column-gap", "direction", "display", "empty-cells", "flex", "flex-basis"),
        *(
            "flex-direction",
            "flex-grow",
            "flex-shrink",
            "flex-wrap",
            "float",
            "font",
            "font-family",
            "font-size",
        ),
        *("font-style", "font-variant", "font-weight", "gap", "height", "hyphens", "justify-content"),
        *(
            "letter-spacing",
            "line-height",
            "list-style",
            "list-style-position",
            "list-style-type",
            "align-items",
        ),
        *("max-height", "max-width", "min-height", "min-width", "mso-line-height-rule", "opacity", "order"),
        *("overflow", "overflow-wrap", "quotes", "row-gap", "table-layout", "text-align", "text-decoration"),
        *("text-decoration-color", "text-decoration-line", "text-decoration-style", "text-indent"),
        *("text-overflow", "text-transform", "unicode-bidi", "vertical-align", "visibility", "white-space"),
        *("width", "word-break", "word-spacing", "word-wrap", "writing-mode"),
    )
)
"""Properties that are kept, beside the families below. `position` is not among them."""
_IMAGED = frozenset(("background", "background-image", "list-style", "list-style-image"))
"""Properties that may name an image elsewhere, once the person allows such."""
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&*+,;=%-]{1,2000}", re.IGNORECASE)
_FAMILIES = re.compile(r"(?:border|margin|padding|outline)(?:-[a-z-]+)?")
_FUNCTIONS = frozenset(
    ("calc", "hsl", "hsla", "linear-gradient", "max", "min", "radial-gradient", "rgb", "rgba")
)
"""Functions that load nothing."""
_DOUBTFUL = re.compile(r"[<>\\]|/\*|@|url|expression|image-set|javascript", re.IGNORECASE)


@dataclass(slots=True)
class RemoteImages:
    """Images that a style sheet loads from elsewhere.

    Attributes:
        are_shown: whether they may be loaded.
        held: how many were held back.
    """

    are_shown: bool = False
    held: int = 0


def clean_declarations(style: str, images: RemoteImages | None = None) -> str:
    """What may stay of a `style` attribute."""
    if len(style) > LIMIT:
        return ""
    contents = tinycss2.parse_blocks_contents(style, skip_comments=True, skip_whitespace=True)
    return _kept(contents, images or RemoteImages())


def clean_stylesheet(sheet: str, images: RemoteImages | None = None) -> str:
    """What may stay of a `style` element; the answer can stand in one whatever came in."""
    if len(sheet) > LIMIT:
        return ""
    rules = tinycss2.parse_stylesheet(_without_comment_signs(sheet), skip_comments=True, skip_whitespace=True)
    return "\n".join(_rules(rules, 0, images or RemoteImages()))


def _rules(rules: Iterable[Any], depth: int, images: RemoteImages) -> Iterable[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            selector = tinycss2.serialize(rule.prelude).strip()
            contents = tinycss2.parse_blocks_contents(rule.content, skip_comments=True, skip_whitespace=True)
            declarations = _kept(contents, images)
            is_fit = _is_whole(rule.prelude) and not _DOUBTFUL.search(selector.replace(">", ""))
            if declarations and selector and is_fit:
                yield f"{selector} {{{declarations}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content and depth < DEPTH:
            condition = tinycss2.serialize(rule.prelude).strip()
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            kept = "\n".join(_rules(inner, depth + 1, images))
            if kept and _is_whole(rule.prelude) and not _DOUBTFUL.search(condition):
                yield f"@media {condition} {{{kept}}}"


def _kept(contents: Iterable[Any], images: RemoteImages) -> str:
    kept = []
    for declaration in contents:
        if declaration.type != "declaration":
            continue
        name = declaration.lower_name
        remote = [token for token in declaration.value if name in _IMAGED and _is_remote(token)]
        rest = [token for token in declaration.value if token not in remote]
        value = tinycss2.serialize(rest).strip()
        is_known = name in PROPERTIES or name in _IMAGED or _FAMILIES.fullmatch(name)
        if not is_known or not _is_harmless(rest, value):
            continue
        if images.are_shown:
            value = tinycss2.serialize(declaration.value).strip()
        else:
            images.held += len(remote)
        if value:
            kept.append(f"{name}: {value}{' !important' if declaration.important else ''}")
    return "; ".join(kept)


def _is_remote(token: Any) -> bool:
    """Whether it is `url(…)` of an image elsewhere, written so that nothing in it could end it early."""
    if token.type == "function" and token.lower_name == "url":
        said = [inner.value for inner in token.arguments if inner.type == "string"]
        address = said[0] if len(said) == len(token.arguments) == 1 else ""
    else:
        address = token.value if token.type == "url" else ""
    return _ADDRESS.fullmatch(address) is not None


def _is_harmless(tokens: Iterable[Any], value: str) -> bool:
    return not _DOUBTFUL.search(value) and all(_loads_nothing(token) for token in tokens)


def _loads_nothing(token: Any) -> bool:
    if token.type in ("url", "error", "{} block") or token in (":", ";"):  # which no value has
        return False
    if token.type == "function":
        return token.lower_name in _FUNCTIONS and all(_loads_nothing(inner) for inner in token.arguments)
    if token.type in ("() block", "[] block"):
        return all(_loads_nothing(inner) for inner in token.content)
    return True


def _is_whole(tokens: Iterable[Any]) -> bool:
    """Whether nothing in them was left open, closes what it did not open, or ends what was before it."""
    return all(
        token.type != "error"
        and token != ";"  # noqa: S105 - of CSS
        and _is_whole(getattr(token, "arguments", None) or getattr(token, "content", None) or ())
        for token in tokens
    )


def _without_comment_signs(sheet: str) -> str:
    """Without the signs of an HTML comment that old mail programs put around a style sheet."""
    return sheet.replace("<!--", "").replace("-->", "")
