"""What is typed into the window of a mail: the form that a browser sends, and the draft that it means."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from bitmail.catalogue import N_, _
from bitmail.drafts import TYPED, Draft, is_key
from bitmail.errors import FieldError, Unsendable
from bitmail.sanitiser import sanitise_written
from mta.plaintext import html_to_text

PEOPLE = {"to": N_("To"), "cc": N_("Cc"), "bcc": N_("Bcc"), "reply_to": N_("Reply-To")}
"""The fields for people, and what each is called on the screen."""
FIELDS = {**PEOPLE, "subject": N_("Subject"), "text": N_("Message"), "at": N_("Send later")}
TYPING = "_new"
"""What is being typed into a field for people lies in a field of its own, with this at the end of its name."""
_NAMES = (*TYPED, *(name + TYPING for name in PEOPLE))


def draft_in(form: object, key: str, window: str) -> Draft | None:
    """The draft in what a client sent, or None when it is no such thing, or of another window.

    Args:
        form: whatever it is.
        key: of the draft that the window holds.
        window: the window's own name, or "" while it is shut.
    """
    if not isinstance(form, dict) or not window or form.get("loaded") != window:
        return None
    typed = {name: form.get(name, "") for name in _NAMES}
    if not is_key(key) or not all(isinstance(value, str) for value in typed.values()):
        return None
    for name in PEOPLE:
        if unfinished := typed.pop(name + TYPING).strip():
            typed[name] += f"\n{unfinished}"
    return Draft(key, **{name: typed[name].replace("\r\n", "\n") for name in TYPED})


def is_early(form: object) -> bool:
    """Whether what a client sent comes from a window that has not been filled with its draft yet."""
    return isinstance(form, dict) and form.get("loaded") == ""


def fields_in(spare: object, window: str) -> dict[str, str] | None:
    """The fields of a browser's spare copy, or None when it is none of this window."""
    try:
        form = json.loads(spare) if isinstance(spare, str) else None
    except ValueError:
        return None
    if not isinstance(form, dict) or form.get("loaded") != window:
        return None
    fields = {name: form.get(name, "") for name in _NAMES}
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def time_in(form: object, zone: ZoneInfo) -> float:
    """The moment that was chosen for sending, in seconds since the epoch.

    Raises:
        Unsendable: none was, or it has passed.
    """
    given = form.get("at", "") if isinstance(form, dict) else ""
    try:
        at = datetime.fromisoformat(str(given)).replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        raise Unsendable((FieldError("at", "", _("Choose a day and a time.")),)) from None
    if at < time.time():
        raise Unsendable((FieldError("at", "", _("This time has passed. Choose a later one.")),))
    return at


def cleaned(draft: Draft) -> Draft:
    """A rich text as it may be kept and sent, with the plain text that says the same."""
    html = sanitise_written(draft.html)
    text = html_to_text(html)
    return replace(draft, html=html if text or "<img" in html else "", text=text)


def as_html(text: str) -> str:
    """A plain text as a rich one."""
    paragraphs = escape(text, quote=False).split("\n\n")
    return "".join(f"<p>{paragraph.replace(chr(10), '<br>') or '<br>'}</p>" for paragraph in paragraphs)
