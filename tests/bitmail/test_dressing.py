"""Pages as they are first painted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bitmail import frontend
from bitmail.catalogue import Language, page_words
from bitmail.dressing import AS_BUILT, Look, dressed, with_words
from bitmail.preferences import Theme

PAGES = sorted(frontend.CLIENT.glob("*/index.html"))
SCRIPT = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
DANISH = Look(Language.DANISH, Theme.DARK)


def test_there_are_pages_to_dress() -> None:
    assert len(PAGES) >= 14


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_a_page_in_another_language_runs_the_same_scripts_which_the_policy_knows(page: Path) -> None:
    assert SCRIPT.findall(dressed(page, DANISH)) == SCRIPT.findall(page.read_bytes())


def test_a_page_says_its_language_and_theme_and_its_words_are_of_that_language() -> None:
    page = dressed(frontend.CLIENT / "inbox/index.html", DANISH).decode()
    assert page.startswith('<!DOCTYPE html><html lang="da" data-theme="dark">')
    assert "<title>Indbakke · BitMail</title>" in page
    assert 'aria-label="Menu, Indbakke"' in page
    assert ">Compose<" not in page


def test_a_page_for_who_wants_it_as_it_was_built_is_that() -> None:
    page = frontend.CLIENT / "inbox/index.html"
    assert dressed(page, AS_BUILT) == page.read_bytes()


def test_the_words_of_a_language_come_with_what_the_server_says() -> None:
    script = with_words("var e={EVENT:`ws://a/_event`};export{e as t};", Language.DANISH)
    assert script.startswith('var e={WORDS:{"')
    assert f'"Inbox":"{page_words(Language.DANISH)["Inbox"]}"' in script
    assert script.endswith("},EVENT:`ws://a/_event`};export{e as t};")
