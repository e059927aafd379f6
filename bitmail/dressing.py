"""Pages as they are first painted: in the language and the colours of who asks for them, before any script runs.

The build holds each page once, in English. What a page's scripts look words up in comes with the file that tells them
where the server is, so that they find the words which stand in the page already.
"""

from __future__ import annotations

import gzip
import html
import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from starlette.responses import Response

from bitmail.catalogue import Language, chosen, page_words
from bitmail.current import off_loop, service
from bitmail.preferences import Theme
from bitmail.retelling import pattern_of
from bitmail.sessions import Session

_PIECE = re.compile(
    r"""<(script|style)\b.*?</\1>  # stays as it is: its digest is in the policy
    |(?P<before>>|\s(?:aria-label|placeholder|title)=")(?P<text>[^<>"]+)(?=[<"])""",
    re.DOTALL | re.VERBOSE,
)
_ROOT = '<html lang="en"'
_TITLE = " · BitMail"
ENOUGH = 1000
"""Bytes from which packing pays."""


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody is to see a page from its first frame on."""

    language: Language = Language.ENGLISH
    theme: Theme = Theme.SYSTEM


AS_BUILT = Look()
"""How pages lie in the build."""


async def look_of(session: Session | None, accepted: str) -> Look:
    """What a person wants; of who is not logged in, only the browser's language is known.

    Args:
        session: whose page it is, if anyone's.
        accepted: the header by which the browser says which languages it likes.
    """
    if session is None:
        return Look(chosen("", accepted))
    wanted = await off_loop(service().model.preferences.of, session.user)
    return Look(chosen(wanted.language, accepted), wanted.theme)


@cache
def dressed(page: Path, look: Look) -> bytes:
    """A page of the build with this look.

    Args:
        page: the file.
        look: how it is to be.

    Raises:
        OSError: there is no such page.
    """
    told = _told(page.read_text(), look.language)
    theme = "" if look.theme is Theme.SYSTEM else f' data-theme="{look.theme.value}"'
    return told.replace(_ROOT, f'<html lang="{look.language.value}"{theme}', 1).encode()


def with_words(script: str, language: Language) -> str:
    """The script with what the server says to a page, and in it the words of this language."""
    return script.replace("{", f"{{WORDS:{_dictionary(language)},", 1)


@cache
def _dictionary(language: Language) -> str:
    return json.dumps(page_words(language), ensure_ascii=False, separators=(",", ":"))


def packed(body: bytes, kind: str, encodings: str) -> Response:
    """An answer with this body, packed where the browser takes it so.

    Args:
        body: what is answered.
        kind: its media type.
        encodings: the header by which the browser says what it takes.
    """
    if len(body) < ENOUGH or "gzip" not in encodings:
        return Response(body, media_type=kind)
    return Response(_gzipped(body), media_type=kind, headers={"Content-Encoding": "gzip"})


def _told(page: str, language: Language) -> str:
    if language is Language.ENGLISH:
        return page

    def piece(found: re.Match[str]) -> str:
        text = found["text"]
        if text is None:
            return found[0]
        return found["before"] + html.escape(_in_words(html.unescape(text), language))

    return _PIECE.sub(piece, page)


def _in_words(text: str, language: Language) -> str:
    """A text as the page's scripts will put it."""
    words = page_words(language)
    if text in words:
        return words[text]
    if text.endswith(_TITLE):
        return _in_words(text.removesuffix(_TITLE), language) + _TITLE
    for form, pattern in _forms(language):
        if found := pattern.fullmatch(text):
            told = words[form]
            for name, value in found.groupdict().items():
                told = told.replace(f"{{{name}}}", _in_words(value, language))
            return told
    return text


@cache
def _forms(language: Language) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((form, pattern_of(form)) for form in page_words(language) if "{" in form)


@lru_cache(maxsize=256)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)
