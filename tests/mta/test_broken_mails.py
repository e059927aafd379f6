"""Broken and odd mails, each beside what is to be shown of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mta.parsed import Mailbox, ParsedMail, parse

BROKEN = Path(__file__).resolve().parents[1] / "corpus/broken"
MAILS = sorted(path.name.removesuffix(".eml") for path in BROKEN.glob("*.eml"))


def shown(mail: ParsedMail) -> dict[str, Any]:
    """A mail in the words of the expectations."""
    return {
        "subject": mail.subject,
        "sender": _person(mail.sender) if mail.sender else None,
        "to": [person.email for person in mail.to],
        "to_label": mail.to_label,
        "bcc": [person.email for person in mail.bcc],
        "date": mail.date.isoformat() if mail.date else None,
        "attachments": [[file.name, len(file.content)] for file in mail.attachments],
        "damaged": mail.damaged,
        "text_is": mail.text,
    }


def test_the_corpus_is_whole() -> None:
    expectations = {path.name.removesuffix(".expected.json") for path in BROKEN.glob("*.expected.json")}
    assert expectations == set(MAILS)
    assert len(MAILS) >= 60


@pytest.mark.parametrize("name", MAILS)
def test_broken_mail_when_shown_then_as_expected_beside_it(name: str) -> None:
    mail = parse((BROKEN / f"{name}.eml").read_bytes())
    expected = json.loads((BROKEN / f"{name}.expected.json").read_text())
    found = shown(mail)
    for words in expected.pop("text", []):
        assert words in mail.text
    for words in expected.pop("text_not", []):
        assert words not in mail.text
    for markup in expected.pop("html", []):
        assert markup in (mail.html or "")
    assert mail.text.startswith(expected.pop("text_starts", ""))
    assert expected.pop("sender_contains", "") in (found["sender"] or "")
    longest = expected.pop("attachment_name_at_most", None)
    assert longest is None or (mail.attachments and len(mail.attachments[0].name) <= longest)
    assert {key: found[key] for key in expected} == expected
    assert "\0" not in mail.text + mail.subject + mail.snippet
    assert "\n" not in mail.subject + mail.snippet


def _person(person: Mailbox) -> str:
    return f"{person.name} <{person.email}>"
