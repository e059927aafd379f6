"""Where everything is: the addresses of pages and of the HTTP API."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

LOG_IN = "/login"
INBOX = "/inbox"
DRAFTS = "/drafts"
OUTBOX = "/outbox"
SENT = "/sent"
ARCHIVE = "/archive"
SPAM = "/spam"
TRASH = "/trash"
FOLDER = "/folder"
SEARCH = "/search"
COMPOSE = "/compose"
CONTACTS = "/contacts"
CONTACTS_VCARD = "/contacts.vcf"
CONTACTS_CSV = "/contacts.csv"
SETTINGS = "/settings"
OPS = "/ops"

LISTS = (INBOX, DRAFTS, OUTBOX, SENT, ARCHIVE, SPAM, TRASH, FOLDER, SEARCH)
"""Pages with a list of mails."""
GUARDED = (*LISTS, COMPOSE, CONTACTS, SETTINGS, OPS)
"""Pages that need a session."""

ENTER = "/enter"
"""Where the log-in form is posted to."""
ENTER_CODE = "/enter/code"
"""Where the form for the second factor's code is posted to."""
LEAVE = "/leave"
"""Where the log-out form is posted to."""

NEW_PASSWORD = "/account/password"  # noqa: S105 - an address
"""Where the form for another password is posted to."""
DELETION = "/account/delete"
"""Where the form that deletes the account is posted to."""
MBOX = "/account/mbox"
"""All mail of who is logged in, as a file."""

INVITATION = "invitation"
"""The query parameter, and the form's field, of an invitation's code."""
NEXT = "next"
"""The query parameter, and the form's field, of the page that was asked for before logging in."""
ZONE = "zone"
"""The form's field of the browser's time zone."""
STAYS = "stays"
"""The form's field that says which page stays while a frame of it takes the answer; empty where none does."""
HOOKS = "/hooks"
"""Where providers call, each at a place of its own below."""

OPENED = "mail"
"""The query parameter that names the mail to show."""
DRAFT = "draft"
"""The query parameter that names the draft to write on."""
CONTACT = "contact"
"""The query parameter that names the contact to edit; `new` for one that is not there yet."""
FIND = "find"
"""The query parameter with the words by which contacts are looked for."""
MAILTO = "mailto"
"""The query parameter with a `mailto:` link to follow, of the page that begins a mail."""
OLDER = "before"
"""The query parameter of the next page of a list."""
ID = "id"
"""The query parameter that names the folder to show."""
TYPED = "q"
"""The query parameter of what is searched for."""
THREAD = "thread"
"""The query parameter that names the conversation to show."""
ONLY = "only"
"""The query parameter of which mails to show, where not all."""
SORT = "sort"
"""The query parameter of the order, where it is not newest first."""


def way_in(page: str = "", invitation: str = "") -> str:
    """The log-in page for somebody who asked for a page, or was invited."""
    page = own_page(page)
    known = {INVITATION: invitation, NEXT: page if page != INBOX else ""}
    query = urlencode({name: value for name, value in known.items() if value})
    return f"{LOG_IN}?{query}" if query else LOG_IN


def own_page(address: str) -> str:
    """The path and query of an address whose path is that of a page of ours which needs a session, else ""."""
    try:
        url = urlsplit(address[:2000])
    except ValueError:
        return ""
    path = url.path.rstrip("/")
    if path not in GUARDED:
        return ""
    query = urlencode(parse_qsl(url.query))
    return f"{path}?{query}" if query else path


def compose(key: str) -> str:
    """The page on which the draft with this key is written."""
    return f"{DRAFTS}?{urlencode({DRAFT: key})}"


def with_draft(here: str, key: str) -> str:
    """The page of an address, with this draft open over it."""
    return _changed(here, [(DRAFT, key)])


def without_draft(here: str) -> str:
    """The page of an address, with no draft named."""
    return _changed(here, [])


def _changed(here: str, more: list[tuple[str, str]]) -> str:
    url = urlsplit(here)
    query = [(name, value) for name, value in parse_qsl(url.query) if name != DRAFT]
    path = url.path.rstrip("/") or INBOX
    return f"{path}?{urlencode([*query, *more])}" if query or more else path


def mail(mailbox: str, id: int) -> str:
    """The page of a mailbox with one mail open."""
    return f"{mailbox}?{urlencode({OPENED: id})}"


def folder(id: int) -> str:
    """The page of a folder of one's own."""
    return f"{FOLDER}?{urlencode({ID: id})}"


def search(typed: str) -> str:
    """The page of what a search finds."""
    return f"{SEARCH}?{urlencode({TYPED: typed})}"
