"""The list: one page of the mails that the address names."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.catalogue import N_, _
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchFolder, NoSuchMail
from bitmail.mail import Mail, Only, Page
from bitmail.places import MailboxName
from bitmail.preferences import Listing
from bitmail.view import View, number
from bitmail.words import full_time, initials, names, short_time, summary
from mta.submission import Submission

ONLY_SHOWN = {
    Only.UNREAD: (N_("Only unread"), N_("No mail here is unread.")),
    Only.STARRED: (N_("Only starred"), N_("No mail here is starred.")),
    Only.FILES: (N_("Only with attachments"), N_("No mail here is with attachments.")),
}
"""What is said above a list that shows only these, and in it when there are none."""


@dataclass
class Row:
    """One line of the list; `opens` is the mail that it shows, 0 where it is written on."""

    id: int
    href: str
    opens: int
    who: str
    initials: str
    subject: str
    snippet: str
    time: str
    full_time: str
    has_files: bool
    thread_size: str
    place: str


@dataclass
class Marks:
    """What changes of a line while it stays where it is; apart, so that a click does not draw every line again."""

    unread: bool
    starred: bool
    status: str
    status_text: str


@dataclass(frozen=True, slots=True)
class _Loaded:
    page: Page
    submissions: Mapping[str, Submission]
    sizes: Mapping[str, int]
    folder: str
    is_grouped: bool
    places: Mapping[str, str]


class MailboxState(rx.State):
    """The rows of one page of a list, and the ways on from it."""

    rows: list[Row] = []  # noqa: RUF012 - Reflex copies the default for each client
    marks: dict[int, Marks] = {}  # noqa: RUF012
    title: str = ""
    typed: str = ""
    place: str = ""
    shown: str = ""
    empty: str = ""
    older_href: str = ""
    newest_href: str = ""
    all_href: str = ""
    list_href: str = routes.INBOX
    is_grouped: bool = False
    is_loaded: bool = False
    _view: View | None = None
    _page: str | None = None

    async def _arrive(self) -> None:
        """A list's page is opened, or turned."""
        view = View.of(self.router.url.path, self.router.url.query_parameters)
        if self._view is None or view.top != self._view.top:
            self.rows, self.marks, self.is_loaded = [], {}, False
        page = self.router.session.session_id
        if self.is_loaded and (view, page) == (self._view, self._page):
            return  # another mail of it was opened, and what changes in it is told to this page
        self._view, self._page = view, None  # who goes elsewhere meanwhile ends this before anything is told
        await self._look()
        self._page = page

    @rx.event
    async def show(self, what: str) -> rx.event.EventSpec | None:
        """Show only some of the mails, or all, or in another order, or a row for each conversation."""
        view = self._view or View()
        if what in tuple(Listing):
            await off_loop(service().model.set_preference, caller().user, "listing", what)
            self._view = view.top
            await self._look()
            return rx.redirect(view.top.href()) if view.before else None
        if what in tuple(Only):
            return rx.redirect(replace(view.top, only=Only(what)).href())
        if what == "all":
            return rx.redirect(replace(view.top, only=None).href())
        if what in ("newest", "oldest"):
            return rx.redirect(replace(view.top, oldest_first=what == "oldest").href())
        return None

    @rx.event
    def search(self, form: dict[str, str]) -> rx.event.EventSpec | None:
        """Search was asked for; with nothing typed, the list is shown again."""
        typed = form.get(routes.TYPED) if isinstance(form, dict) else None
        if not isinstance(typed, str):
            return None
        return rx.redirect(routes.search(typed.strip()) if typed.strip() else routes.INBOX)

    @rx.event
    async def open_thread(self, id: int) -> rx.event.EventSpec | None:
        """Show all mails of the conversation that a mail belongs to."""
        me, named = caller(), number(id)
        found = await off_loop(_thread_of, me.user, named)
        return rx.redirect(View(thread=found).href(named)) if found else None

    async def _refresh(self) -> None:
        if self._view is not None:
            await self._look()

    async def _look(self) -> None:
        view, me = self._view or View(), caller()
        zone, now = ZoneInfo(me.zone), time.time()
        loaded = await off_loop(_load, me.user, view, zone)
        rows = [_row(mail, view, loaded, now, zone) for mail in loaded.page.mails]
        if rows != self.rows:
            self.rows = rows
        marks = {mail.id: _marks(mail, loaded) for mail in loaded.page.mails}
        if marks != self.marks:
            self.marks = marks
        self.title, self.place = loaded.folder, view.place
        self.typed, self.shown, self.empty = view.typed, _shown(view), _empty(view)
        self.older_href = replace(view, before=loaded.page.older).href() if loaded.page.older else ""
        self.newest_href = view.top.href() if view.before else ""
        self.is_grouped = loaded.is_grouped
        self.all_href, self.list_href = view.plain.href(), view.href()
        self.is_loaded = True


def _thread_of(user: str, id: int) -> str:
    mails = service().model.mailboxes
    try:
        return mails.mail(user, id).thread
    except NoSuchMail:
        return ""


def _load(user: str, view: View, zone: ZoneInfo) -> _Loaded:
    model = service().model
    boxes, folder, places = model.mailboxes, "", {}
    is_grouped = view.can_be_grouped and model.preferences.of(user).listing is Listing.CONVERSATIONS
    sizes: dict[str, int] | None = None
    if view.thread:
        page = boxes.conversation(user, view.thread, view.before)
    elif view.route == routes.SEARCH:
        page = boxes.search(user, view.typed, zone, view.before)
    elif is_grouped:
        page, sizes = boxes.conversations(
            user, view.place, view.before, only=view.only, oldest_first=view.oldest_first
        )
    else:
        page = boxes.page(user, view.place, view.before, only=view.only, oldest_first=view.oldest_first)
    if view.route == routes.FOLDER:
        try:
            folder = model.folders.folder(user, view.folder).name
        except NoSuchFolder:
            folder = _("No such folder")
    if not view.place:
        places = {folder.place: folder.name for folder in model.folders.all(user)}
    ids = [mail.submission for mail in page.mails if mail.submission]
    if sizes is None:
        sizes = {} if view.thread else boxes.sizes(user, [mail.thread for mail in page.mails])
    submissions = model.submissions(user, ids) if ids else {}
    return _Loaded(page, submissions, sizes, folder, is_grouped, places)


def _row(mail: Mail, view: View, loaded: _Loaded, now: float, zone: ZoneInfo) -> Row:
    people = [name for line in (mail.to, mail.cc, mail.bcc) for name in names(line)] if mail.is_own else []
    size = loaded.sizes.get(mail.thread, 0)
    opened = replace(view.plain, thread=mail.thread) if loaded.is_grouped and size > 1 else view
    is_open_draft = mail.mailbox == MailboxName.DRAFTS
    return Row(
        id=mail.id,
        href=routes.compose(mail.key) if is_open_draft else opened.href(mail.id),
        opens=0 if is_open_draft else mail.id,
        who=_("To {names}", names=", ".join(people) or _("nobody yet")) if mail.is_own else mail.sender,
        initials=initials(people[0] if people else "" if mail.is_own else mail.sender),
        subject=mail.subject or _("No subject"),
        snippet=mail.snippet,
        time=short_time(mail.date, now, zone),
        full_time=full_time(mail.date, zone),
        has_files=mail.has_files,
        thread_size=str(size) if size > 1 else "",
        place="" if view.place else _place_name(mail.mailbox, loaded.places),
    )


def _marks(mail: Mail, loaded: _Loaded) -> Marks:
    submission = loaded.submissions.get(mail.submission)
    status, text = summary(submission.deliveries) if submission else ("", "")
    return Marks(mail.unread, mail.starred, str(status), text)


def _place_name(place: str, folders: Mapping[str, str]) -> str:
    return _("Inbox") if place == MailboxName.INBOX else folders.get(place) or _(str(place))


def _shown(view: View) -> str:
    """What is said above a list that shows some of the mails, or in another order."""
    if view.thread:
        return _("All mails of this conversation")
    if view.route == routes.SEARCH:
        return _("Found for “{typed}”", typed=view.typed)
    parts = [_(ONLY_SHOWN[view.only][0])] if view.only else []
    return ", ".join([*parts, *([_("oldest first")] if view.oldest_first else [])]).capitalize()


def _empty(view: View) -> str:
    """What an empty list says where it is not as the mailbox itself would say it."""
    if view.route == routes.SEARCH:
        return _(
            "Nothing found. Try fewer or shorter words, or from:, to:, subject:, has:attachment, before:2026-11."
        )
    if view.only:
        return _(ONLY_SHOWN[view.only][1])
    if view.before:
        return _("Nothing more here. The newest mails are on the first page.")
    return ""
