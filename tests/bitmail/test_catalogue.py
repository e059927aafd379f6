"""The catalogues are whole, what a page shows comes out of them, and each language writes as it does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_dir

from bitmail.catalogue import Language, _, catalogue, chosen, ngettext, page_words, preferred, speak
from bitmail.retelling import retold
from bitmail.words import file_size, full_time, short_time
from mta.addresses import BadAddress, parse_address

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "bitmail/pages").rglob("*.py"))
SHOWN = {"aria_label", "title", "placeholder", "alt", "label", "hint"}
"""Arguments of a component that a person sees or hears."""
NAMES = {"BitMail", "English", "Dansk", "Grace Hopper", "https://example.com/hook"}
"""What is called the same in every language."""
OTHERS = [language for language in Language if language is not Language.ENGLISH]
_PLACE = re.compile(r"\{(\w+)\}")
_LETTERS = re.compile(r"[A-Za-z]{2}")
NOON = datetime(2026, 11, 25, 14, 2, 7, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def danish() -> Iterator[None]:
    """Danish counts during each test, and English again after it."""
    speak(Language.DANISH)
    yield
    speak(Language.ENGLISH)


def sources() -> set[object]:
    """All that is marked for the catalogue."""
    keywords = {"_": None, "N_": None, "ngettext": (1, 2)}
    found = extract_from_dir(ROOT / "bitmail", [("**.py", "python")], keywords=keywords)
    return {message for _name, _line, message, _comments, _context in found}


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_each_text_of_the_sources_and_no_other(language: Language) -> None:
    known = {message.id for message in catalogue(language) if message.id}
    assert known == sources()


@pytest.mark.parametrize("language", OTHERS)
def test_each_text_is_translated_surely_and_with_the_same_places(language: Language) -> None:
    for message in catalogue(language):
        if not message.id:
            continue
        english = [message.id] if isinstance(message.id, str) else list(message.id)
        other = [message.string] if isinstance(message.string, str) else list(message.string)
        assert all(other), message.id
        assert not message.fuzzy, message.id
        for one, translated in zip(english, other, strict=True):
            assert sorted(_PLACE.findall(one)) == sorted(_PLACE.findall(translated)), one
            assert one.endswith(" ") == translated.endswith(" "), one


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_whatever_a_page_shows_comes_out_of_the_catalogue(path: Path) -> None:
    bare = [
        f"{path}:{node.lineno} {text}"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        for node in _shown(call)
        for text in _texts(node)
        if _LETTERS.search(text) and text not in NAMES
    ]
    assert bare == []


def _shown(call: ast.Call) -> Iterator[ast.expr]:
    name = ast.unparse(call.func)
    if name.startswith("rx.el.") or name in ("link", "note"):
        yield from call.args
    yield from (keyword.value for keyword in call.keywords if keyword.arg in SHOWN)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


def test_english_costs_the_page_nothing_and_danish_only_what_pages_look_up() -> None:
    assert page_words(Language.ENGLISH) == {}
    words = page_words(Language.DANISH)
    assert words["Inbox"] == "Indbakke"
    assert "There is no such setting." not in words


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("da-DK,da;q=0.9,en;q=0.8", "da"),
        ("en-GB,en;q=0.9,da;q=0.8", "en"),
        ("sv,da;q=0.7,en;q=0.3", "da"),
        ("de", "en"),
        ("da;q=0", "en"),
        ("", "en"),
        (";;q=,da;q=9,\0", "en"),
    ],
)
def test_the_browsers_language_is_read_and_nonsense_is_english(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_chosen_language_counts_more_than_the_browsers() -> None:
    assert chosen("en", "da") is Language.ENGLISH
    assert chosen("", "da") is Language.DANISH
    assert chosen("tlh", "da") is Language.DANISH


def test_the_language_of_one_caller_is_not_that_of_another() -> None:
    other = copy_context()
    other.run(speak, Language.ENGLISH)
    assert (_("Inbox"), other.run(_, "Inbox")) == ("Indbakke", "Inbox")


def test_numbers_and_times_are_written_as_danes_write_them() -> None:
    zone = ZoneInfo("UTC")
    assert full_time(NOON, zone) == "onsdag den 25. november 2026 kl. 14.02.07"
    assert short_time(NOON, NOON + 20 * 86400, zone) == "25. nov."
    assert file_size(3_400_000) == "3,4 MB"
    assert ngettext("{count} mail", "{count} mails", 1234) == "1.234 mails"
    assert ngettext("{count} mail", "{count} mails", 1) == "1 mail"


def test_english_is_written_as_before() -> None:
    speak(Language.ENGLISH)
    zone = ZoneInfo("UTC")
    assert full_time(NOON, zone) == "Wednesday, 25 November 2026, 14:02:07"
    assert short_time(NOON, NOON + 60, zone) == "14:02"
    assert short_time(NOON, NOON + 86400, zone) == "Wed"
    assert short_time(NOON, NOON + 20 * 86400, zone) == "25 Nov"
    assert short_time(NOON, NOON + 400 * 86400, zone) == "2026-11-25"
    assert file_size(3_400_000) == "3.4 MB"


@pytest.mark.parametrize("wrong", ["", "grace", "a..b@a.com", ".a@a.com", "a@b@a.com", "a@", "@b.com"])
def test_what_is_wrong_with_an_address_is_said_in_danish(wrong: str) -> None:
    with pytest.raises(BadAddress) as error:
        parse_address(wrong)
    assert retold(error.value.reason) != error.value.reason


def reasons() -> set[str]:
    """Whatever `mta.addresses` may find wrong, with something in its places."""
    tree = ast.parse((ROOT / "mta/addresses.py").read_text())
    texts = [
        value
        for node in ast.walk(tree)
        for value in (
            node.args[1:]
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "BadAddress"
            else [node.value]
            if isinstance(node, ast.Return)
            else []
        )
    ]
    parts = ("the part before the @", "the part after the @", "the address")
    return {
        "".join(str(one.value) if isinstance(one, ast.Constant) else _put(one, part) for one in text.values)
        if isinstance(text, ast.JoinedStr)
        else str(text.value)
        for text in texts
        if isinstance(text, (ast.JoinedStr, ast.Constant))
        for part in (parts if _is_of_any_part(text) else parts[1:2])
    }


def _is_of_any_part(text: ast.expr) -> bool:
    return "cannot be seen" in ast.unparse(text)


def _put(place: ast.expr, part: str) -> str:
    return part if "{part}" in ast.unparse(place) else "U+0000"


def test_whatever_may_be_wrong_with_an_address_is_said_in_danish() -> None:
    found = {reason for reason in reasons() if " " in reason and not reason.startswith("U+")}
    assert len(found) > 20
    assert {reason for reason in found if retold(reason) == reason} == set()


def test_a_notice_is_retold_with_its_reason_and_unknown_words_stay() -> None:
    told = retold(
        "Your mail “Lunch” to a@example.com could not be sent yet; it will be tried again. "
        "No provider can take it at the moment."
    )
    assert told == (
        "Din mail “Lunch” til a@example.com kunne ikke sendes endnu; der prøves igen. "
        "Ingen udbyder kan tage den i øjeblikket."
    )
    assert retold("550 5.1.1 no such user") == "550 5.1.1 no such user"
