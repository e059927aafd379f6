"""Where everything is: the addresses of pages and of the HTTP API."""

from __future__ import annotations

from urllib.parse import urlencode

LOG_IN = "/login"
INBOX = "/inbox"
DRAFTS = "/drafts"
SENT = "/sent"
COMPOSE = "/compose"

GUARDED = (INBOX, DRAFTS, SENT, COMPOSE)
"""Pages that need a session."""

ENTER = "/enter"
"""Where the log-in form is posted to."""
LEAVE = "/leave"
"""Where the log-out form is posted to."""

OPENED = "mail"
"""The query parameter that names the mail to show."""
DRAFT = "draft"
"""The query parameter that names the draft to write on."""
OLDER = "before"
"""The query parameter of the next page of a list."""


def compose(key: str) -> str:
    """The page on which the draft with this key is written."""
    return f"{COMPOSE}?{urlencode({DRAFT: key})}"


def mail(mailbox: str, id: int) -> str:
    """The page of a mailbox with one mail open."""
    return f"{mailbox}?{urlencode({OPENED: id})}"
