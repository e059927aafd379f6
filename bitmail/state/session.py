"""The person at the page: who they are, what is new for them, and what they are told."""

from __future__ import annotations

from dataclasses import dataclass

import reflex as rx

from bitmail.current import caller, off_loop, service
from bitmail.mailboxes import COUNTED
from bitmail.model import Notice
from bitmail.state.composer import COMPOSERS
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
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


class SessionState(rx.State):
    """What every page shows about the person, and the notices that float above it."""

    name: str = ""
    address: str = ""
    initials: str = ""
    is_demo: bool = False
    version: str = ""
    unread: str = ""
    drafts: str = ""
    notices: list[ShownNotice] = []  # noqa: RUF012 - Reflex copies the default for each client
    _last_notice: int = -1

    @rx.event
    async def enter(self) -> None:
        """A page is opened: say whose it is, and follow what changes from now on."""
        me = caller()
        running = service()
        account = running.model.accounts.account(me.user)
        self.name, self.address, self.initials = account.name, account.address, initials(account.name)
        self.is_demo, self.version = running.is_demo, version()
        running.pages.join(me.user, self.router.session.client_token)
        if self._last_notice < 0:
            seen = running.model.notices(me.user)
            self._last_notice = seen[-1].number if seen else 0
        await self._count()

    @rx.event
    async def refresh(self) -> list[rx.event.EventCallback]:
        """Something of the person's changed: look again."""
        me = caller()
        service().pages.join(me.user, self.router.session.client_token)
        news = service().model.notices(me.user, self._last_notice)
        if news:
            self._last_notice = news[-1].number
            self.notices = [*self.notices, *(_shown(notice) for notice in news)][-SHOWN:]
        await self._count()
        return [MailboxState.refresh, MessageState.refresh, *(window.refresh for window in COMPOSERS)]

    @rx.event
    def dismiss(self, number: int) -> None:
        """Take one notice off the screen."""
        self.notices = [notice for notice in self.notices if notice.number != number]

    @rx.event
    async def set_zone(self, zone: str) -> list[rx.event.EventCallback] | None:
        """The browser says in which time zone the person is."""
        me = caller()
        if not is_zone(zone) or zone == me.zone:
            return None
        await off_loop(service().model.sessions.set_zone, me, zone)
        return [MailboxState.refresh, MessageState.refresh]

    async def _count(self) -> None:
        model, user = service().model, caller().user
        self.unread = _count_shown(await off_loop(model.mailboxes.unread, user))
        self.drafts = _count_shown(await off_loop(model.mailboxes.drafts, user))


def _count_shown(count: int) -> str:
    if not count:
        return ""
    return str(count) if count < COUNTED else f"{COUNTED - 1}+"


def _shown(notice: Notice) -> ShownNotice:
    return ShownNotice(notice.number, notice.text, notice.good)
