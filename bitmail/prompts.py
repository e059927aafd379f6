"""Prompts: the few things that a person is asked about before a mail leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bitmail.catalogue import _
from bitmail.drafts import Draft
from mta.addresses import parse_recipients

VISIBLE = 5
"""More visible recipients than this are asked about: perhaps they were meant for Bcc."""
_QUOTED_LINE = re.compile(r"^>.*$", re.MULTILINE)
_REST = re.compile(r"^(?:-- $|-{5,} ?forwarded message)", re.MULTILINE | re.IGNORECASE)
_ATTACHED = re.compile(
    r"\b(?:attach(?:ed|ing|ment|ments)?|enclos(?:ed|ure|ures)|"
    r"vedhæft(?:er|et|ede|ning|ninger|ningen|ningerne)?|vedlagt|vedlagte|vedlægger|bilag|bilaget|bilagene)\b",
    re.IGNORECASE,
)


def prompts(draft: Draft, files: int, uploading: Iterable[str] = ()) -> list[str]:
    """What to ask before sending, one question each; none for most mails.

    Args:
        draft: as typed.
        files: how many are attached.
        uploading: the names of files that are still on their way.
    """
    asked = []
    if not draft.subject.strip():
        asked.append(_("The subject is empty."))
    if names := list(uploading):
        asked.append(_("“{name}” is still being attached, and would be left out.", name=names[0]))
    word = _ATTACHED.search(f"{draft.subject}\n{own_words(draft.text)}")
    if word and not files and not names:
        asked.append(_("You wrote “{word}”, and no file is attached.", word=word[0]))
    visible = len(parse_recipients(draft.to).addresses) + len(parse_recipients(draft.cc).addresses)
    if visible > VISIBLE:
        asked.append(
            _(
                "All {count} recipients in To and Cc will see each other. In Bcc nobody is seen.",
                count=visible,
            )
        )
    return asked


def own_words(text: str) -> str:
    """The text without quotations, a forwarded mail and the signature."""
    return _QUOTED_LINE.sub("", _REST.split(text, maxsplit=1)[0])
