"""The languages of the web-mail: English in the sources, every other in a gettext catalogue beside this file.

Which language counts is a matter of who is calling, so it is kept with the context of an event or a request, as the
caller is. Where nobody said so, in the API and on the command line, it is English.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel.core import Locale
from babel.dates import format_datetime
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

LOCALE = Path(__file__).parent / "locale"
DOMAIN = "bitmail"
PAGES = (
    "bitmail/pages/",
    "bitmail/bitmail.py",
    "bitmail/typed.py",
    "bitmail/state/keys.py",
    "bitmail/words.py",
)
"""Sources of words that the browser itself looks up; all others are put into words here."""
_WEIGHED = re.compile(r"([A-Za-z]{1,8})[A-Za-z0-9-]*(?:\s*;\s*q=([01](?:\.\d{0,3})?))?\s*", re.ASCII)


class Language(StrEnum):
    """The languages there are, by their IETF tags."""

    ENGLISH = "en"
    DANISH = "da"


_spoken: ContextVar[Language] = ContextVar("language", default=Language.ENGLISH)


def speak(language: Language) -> None:
    """Have this language count for the rest of the event or request."""
    _spoken.set(language)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Have this language count inside, and then the one before again."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> Language:
    """The language that counts."""
    return _spoken.get()


def preferred(header: str) -> Language:
    """The language of ours that an Accept-Language header (RFC 9110, 12.5.4) likes best; English when it names none.

    Args:
        header: as the browser sent it, or anything.
    """
    best, weight = Language.ENGLISH, 0.0
    for part in header[:500].split(","):
        found = _WEIGHED.fullmatch(part.strip())
        if found and found[1].lower() in tuple(Language) and float(found[2] or 1) > weight:
            best, weight = Language(found[1].lower()), float(found[2] or 1)
    return best


def chosen(wanted: str, header: str) -> Language:
    """The language a person chose, else the one their browser asks for.

    Args:
        wanted: a tag, or "".
        header: of Accept-Language.
    """
    return Language(wanted) if wanted in tuple(Language) else preferred(header)


def _(text: str, /, **values: object) -> str:
    """The text in the language that counts.

    Args:
        text: in English, as it stands in the catalogue.
        values: for the names in braces.
    """
    found = _translations(spoken()).gettext(text)
    return found.format(**values) if values else found


def ngettext(one: str, many: str, count: int, /, **values: object) -> str:
    """The text for so many, in the language that counts.

    Args:
        one, many: in English, for one and for any other number.
        count: how many.
        values: for the names in braces; `count` is among them as people write it.
    """
    values = {"count": decimal(count)} | values
    return _translations(spoken()).ngettext(one, many, count).format(**values)


def N_(text: str) -> str:  # noqa: N802 - the name by which gettext's tools know it
    """The text itself: marks it for the catalogue, where it is put into words later."""
    return text


def moment(when: datetime, pattern: str) -> str:
    """A date or time by a pattern of CLDR, in the language that counts."""
    return format_datetime(when, pattern, locale=_locale(spoken()))


def decimal(number: float, pattern: str = "#,##0") -> str:
    """A number by a pattern of CLDR, in the language that counts."""
    return format_decimal(number, pattern, locale=_locale(spoken()))


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(language.value)


@cache
def catalogue(language: Language) -> Catalog:
    """The catalogue of a language as its translators wrote it; an empty one for English."""
    path = LOCALE / language.value / "LC_MESSAGES" / f"{DOMAIN}.po"
    if language is Language.ENGLISH:
        return Catalog(locale=language.value)
    with path.open("rb") as source:
        return read_po(source, locale=language.value, domain=DOMAIN)


@cache
def page_words(language: Language) -> dict[str, str]:
    """What the browser looks up to show a page in this language: nothing for English."""
    return {
        str(message.id): str(message.string)
        for message in catalogue(language)
        if message.id
        and isinstance(message.id, str)
        and any(source.startswith(PAGES) for source, _line in message.locations)
    }


@cache
def _translations(language: Language) -> NullTranslations:
    if language is Language.ENGLISH:
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)
