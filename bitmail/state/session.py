"""The person at the page: who they are, what is new for them, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from bitmail import routes
from bitmail.catalogue import chosen, speak, spoken
from bitmail.current import caller, off_loop, service
from bitmail.errors import Refused
from bitmail.mailboxes import COUNTED
from bitmail.model import Notice
from bitmail.places import Folder, MailboxName
from bitmail.preferences import Preferences
from bitmail.retelling import retold
from bitmail.state.composer import COMPOSERS
from bitmail.state.delivery import DeliveryState
from bitmail.state.language import LanguageState
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
from bitmail.state.ops import OpsState
from bitmail.version import version
from bitmail.words import initials, is_zone

SHOWN = 3
"""Notices on the screen at once."""


@dataclass
class ShownNotice:
    """A notice on the screen."""

    number: int
    text: str
    good: bool


@dataclass
class FolderRow:
    """A folder of one's own in the rail."""

    id: int
    name: str
    place: str
    href: str
    unread: str


class SessionState(rx.State):
    """What every page shows about the person, and the notices that float above it."""

    name: str = ""
    address: str = ""
    initials: str = ""
    is_demo: bool = False
    is_operator: bool = False
    version: str = ""
    unread: str = ""
    drafts: str = ""
    outbox: str = ""
    spam: str = ""
    folders: list[FolderRow] = []  # noqa: RUF012 - Reflex copies the default for each client
    folder_problem: str = ""
    shortcuts: bool = True
    density: str = "normal"
    theme: str = ""
    notices: list[ShownNotice] = []  # noqa: RUF012
    _last_notice: int = -1

    async def _arrive(self) -> None:
        """A page is opened: say whose it is, and follow what changes from now on."""
        me = caller()
        running = service()
        wanted = await off_loop(running.model.preferences.of, me.user)
        if wanted.language != me.language:
            await off_loop(running.model.sessions.set_language, me, wanted.language)
            speak(chosen(wanted.language, self.router.headers.accept_language))
        if not wanted.language and wanted.spoken != spoken().value:
            await off_loop(running.model.preferences.set, me.user, "spoken", spoken().value)
        (await self.get_state(LanguageState))._take()
        account = running.model.accounts.account(me.user)
        self.name, self.address, self.initials = account.name, account.address, initials(account.name)
        self.is_demo, self.version = running.is_demo, version()
        self.is_operator = running.operations.is_operator(me.user)
        running.pages.join(me.user, self.router.session.client_token)
        if self._last_notice < 0:
            seen = running.model.notices(me.user)
            self._last_notice = seen[-1].number if seen else 0

    @rx.event
    async def refresh(self) -> None:
        """Something of the person's changed: look again, in one go."""
        me = caller()
        service().pages.join(me.user, self.router.session.client_token)
        news = service().model.notices(me.user, self._last_notice)
        if news:
            self._last_notice = news[-1].number
            self.notices = [*self.notices, *(_shown(notice) for notice in news)][-SHOWN:]
        await self._look()
        if "/" + self.router.url.path.strip("/") == routes.OPS:
            await (await self.get_state(OpsState))._refresh()
        else:
            await (await self.get_state(MailboxState))._refresh()
            await (await self.get_state(DeliveryState))._look()
        for window in COMPOSERS:
            await (await self.get_state(window))._refresh()

    @rx.event
    def dismiss(self, number: int) -> None:
        """Take one notice off the screen."""
        self.notices = [notice for notice in self.notices if notice.number != number]

    @rx.event
    async def set_zone(self, zone: str) -> None:
        """The browser says in which time zone the person is; a zone that they chose counts more."""
        me, model = caller(), service().model
        if not is_zone(zone):
            return
        zone = (await off_loop(model.preferences.of, me.user)).zone or zone
        if zone == me.zone:
            return
        await off_loop(model.sessions.set_zone, me, zone)
        await (await self.get_state(MailboxState))._refresh()
        await (await self.get_state(MessageState))._arrive()
        await (await self.get_state(DeliveryState))._look()

    @rx.event
    async def create_folder(self, form: dict[str, str]) -> rx.event.EventSpec | None:
        """Make a folder, and show it."""
        name = form.get("name") if isinstance(form, dict) else None
        if not isinstance(name, str):
            return None
        me, model = caller(), service().model
        try:
            folder = await off_loop(model.folders.create, me.user, name[:1000])
        except Refused as refusal:
            self.folder_problem = str(refusal)
            return None
        self.folder_problem = ""
        model.changed(me.user)
        return rx.redirect(routes.folder(folder.id))

    async def _look(self) -> None:
        wanted, counts, folders = await off_loop(_beside, caller().user)
        self.shortcuts = wanted.shortcuts
        self.density, self.theme = wanted.density.value, wanted.theme.value
        self.unread, self.drafts, self.outbox, self.spam = (_count_shown(count) for count in counts)
        rows = [
            FolderRow(folder.id, folder.name, folder.place, routes.folder(folder.id), _count_shown(unread))
            for folder, unread in folders
        ]
        if rows != self.folders:
            self.folders = rows


def _beside(user: str) -> tuple[Preferences, tuple[int, int, int, int], list[tuple[Folder, int]]]:
    """How the person wants the page, and what is counted beside the places: unread in Inbox, drafts, what waits in
    Outbox, unread in Spam and folders.
    """
    model = service().model
    boxes, folders = model.mailboxes, model.folders.all(user)
    counts = (
        boxes.unread(user),
        boxes.count(user, MailboxName.DRAFTS),
        boxes.count(user, MailboxName.OUTBOX),
        boxes.unread(user, MailboxName.SPAM),
    )
    unread = [(folder, boxes.unread(user, folder.place)) for folder in folders]
    return model.preferences.of(user), counts, unread


def _count_shown(count: int) -> str:
    if not count:
        return ""
    return str(count) if count < COUNTED else f"{COUNTED - 1}+"


def _shown(notice: Notice) -> ShownNotice:
    return ShownNotice(notice.number, retold(notice.text), notice.good)
