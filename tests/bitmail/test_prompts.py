"""What a person is asked before a mail leaves, and what they are not bothered with."""

from __future__ import annotations

import pytest

from bitmail.drafts import Draft
from bitmail.prompts import prompts


def draft(text: str = "Hello", subject: str = "Hi", to: str = "ann@example.com", cc: str = "") -> Draft:
    return Draft("key", to=to, cc=cc, subject=subject, text=text)


def test_an_ordinary_mail_is_asked_about_nothing() -> None:
    assert prompts(draft(), 0) == []


def test_an_empty_subject_is_asked_about() -> None:
    assert prompts(draft(subject=" "), 0) == ["The subject is empty."]


@pytest.mark.parametrize(
    "text",
    [
        "I attach the report",
        "see attached",
        "Enclosed you find",
        "Jeg har vedhæftet planen",
        "Se bilag 2",
        "vedlagt",
    ],
)
def test_a_file_that_is_spoken_of_and_not_there_is_asked_about(text: str) -> None:
    assert "no file is attached" in prompts(draft(text), 0)[0]
    assert prompts(draft(text), 1) == []


@pytest.mark.parametrize(
    "text",
    [
        "I am unattached",
        "> see attached\nThanks",
        "Hi\n-- \nattached to nobody",
        "Hi\n---------- Forwarded message ----------\nattached",
    ],
)
def test_words_of_others_and_parts_of_words_are_not(text: str) -> None:
    assert prompts(draft(text), 0) == []


def test_more_than_five_visible_recipients_are_asked_about_however_many_are_hidden() -> None:
    five = "; ".join(f"p{number}@example.com" for number in range(5))
    assert prompts(draft(to=five), 0) == []
    assert "All 6 recipients" in prompts(draft(to=five, cc="q@example.com"), 0)[0]


def test_an_unfinished_upload_is_asked_about_once() -> None:
    assert prompts(draft("see attached"), 0, ["a.pdf"]) == [
        "“a.pdf” is still being attached, and would be left out."
    ]
