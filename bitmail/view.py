"""Views: which list the address names, so that the address always says what is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from bitmail import routes
from bitmail.mail import Only
from bitmail.places import MailboxName
from bitmail.search import LONGEST

ROUTES: Mapping[str, MailboxName] = {
    routes.INBOX: MailboxName.INBOX,
    routes.DRAFTS: MailboxName.DRAFTS,
    routes.OUTBOX: MailboxName.OUTBOX,
    routes.SENT: MailboxName.SENT,
    routes.ARCHIVE: MailboxName.ARCHIVE,
    routes.SPAM: MailboxName.SPAM,
    routes.TRASH: MailboxName.TRASH,
}
OLDEST = "oldest"
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_THREAD = re.compile(r"[0-9a-f]{32}")


def number(text: object) -> int:
    """The id that a client names, or 0 when it names none."""
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    return int(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else 0


@dataclass(frozen=True, slots=True)
class View:
    """A list of mails.

    Attributes:
        route: the page.
        folder: the id of the folder of one's own, or 0.
        typed: what is searched for, or "".
        thread: the conversation, or "" for mails of all.
        only: which mails, where not all.
        oldest_first: the order.
        before: the end of the page above this one.
    """

    route: str = routes.INBOX
    folder: int = 0
    typed: str = ""
    thread: str = ""
    only: Only | None = None
    oldest_first: bool = False
    before: int | None = None

    @classmethod
    def of(cls, path: str, query: Mapping[str, str]) -> View:
        """The view that an address names; what it does not understand is as if it were not there."""
        route = "/" + path.strip("/")
        thread = query.get(routes.THREAD, "")
        only = query.get(routes.ONLY, "")
        return cls(
            route=route if route in routes.LISTS else routes.INBOX,
            folder=number(query.get(routes.ID, "")) if route == routes.FOLDER else 0,
            typed=query.get(routes.TYPED, "")[:LONGEST] if route == routes.SEARCH else "",
            thread=thread if _THREAD.fullmatch(thread) else "",
            only=Only(only) if only in tuple(Only) else None,
            oldest_first=query.get(routes.SORT) == OLDEST,
            before=number(query.get(routes.OLDER, "")) or None,
        )

    @property
    def place(self) -> str:
        """Where the mails of the list lie; "" when they lie in various places."""
        if self.thread or self.route == routes.SEARCH:
            return ""
        return f"folder-{self.folder}" if self.route == routes.FOLDER else ROUTES[self.route]

    @property
    def can_be_grouped(self) -> bool:
        """Whether a row of it may stand for a conversation."""
        return bool(self.place) and self.route not in (routes.DRAFTS, routes.OUTBOX)

    @property
    def top(self) -> View:
        """The first page of the same list."""
        return replace(self, before=None)

    @property
    def plain(self) -> View:
        """The same list with all mails, newest first."""
        return replace(self, thread="", only=None, oldest_first=False, before=None)

    def href(self, mail: int = 0) -> str:
        """The address of this view, with a mail open where one is named."""
        query = {
            routes.ID: self.folder,
            routes.TYPED: self.typed,
            routes.THREAD: self.thread,
            routes.ONLY: self.only.value if self.only else "",
            routes.SORT: OLDEST if self.oldest_first else "",
            routes.OLDER: self.before or "",
            routes.OPENED: mail,
        }
        named = {name: value for name, value in query.items() if value}
        return f"{self.route}?{urlencode(named)}" if named else self.route
