"""What is done with the mails of the list: those that are selected, or one of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlsplit

import reflex as rx

from bitmail import routes
from bitmail.catalogue import _, ngettext
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchFolder, NoSuchMail, Refused
from bitmail.mail import Moved
from bitmail.places import MailboxName
from bitmail.state.mailbox import MailboxState
from bitmail.view import View, number

MOST = 500
"""Mails that one event may name."""
FADES = 8.0
"""Seconds for which the style sheet shows what was done."""
_PLACE = re.compile(r"[A-Za-z0-9-]{1,30}")


class Act(StrEnum):
    """What can be done with mails, beside moving them to a place that is named."""

    ARCHIVE = "archive"
    DELETE = "delete"
    SPAM = "spam"
    RESTORE = "restore"
    READ = "read"
    UNREAD = "unread"
    STAR = "star"
    UNSTAR = "unstar"


MOVES = {
    Act.ARCHIVE: MailboxName.ARCHIVE,
    Act.DELETE: MailboxName.TRASH,
    Act.SPAM: MailboxName.SPAM,
    Act.RESTORE: MailboxName.INBOX,
}


class SelectionState(MailboxState):
    """Which rows are selected, and what was done last, so that it can be undone."""

    selected: list[int] = []  # noqa: RUF012 - Reflex copies the default for each client
    done: str = ""
    done_number: int = 0
    can_undo: bool = False
    problem: str = ""
    _anchor: int = 0
    _moved: list[Moved] = []  # noqa: RUF012
    _moved_to: str = ""
    _done_until: float = 0.0

    async def _arrive(self) -> None:
        """Another list is shown."""
        self._clear()

    @rx.event
    def clear(self) -> None:
        """The selection is given up."""
        self._clear()

    def _clear(self) -> None:
        self.selected, self._anchor, self.problem = [], 0, ""
        if self.done and time.monotonic() > self._done_until:
            self._say("")  # it has faded, and would come up again with the new page

    @rx.event
    def select(self, id: int, shift: bool = False) -> None:
        """A row's box was clicked; with Shift, all rows from the one before are taken along."""
        ids, one = [row.id for row in self.rows], number(id)
        if one not in ids:
            return
        if shift is True and self._anchor in ids:
            ends = sorted((ids.index(self._anchor), ids.index(one)))
            self.selected = list(dict.fromkeys([*self.selected, *ids[ends[0] : ends[1] + 1]]))
        elif one in self.selected:
            self.selected = [other for other in self.selected if other != one]
        else:
            self.selected = [*self.selected, one]
        self._anchor = one

    @rx.event
    def select_all(self) -> None:
        """Every row of the page, or none when every one is selected."""
        ids = [row.id for row in self.rows]
        self.selected = [] if set(ids) <= set(self.selected) else ids

    @rx.event
    async def act(self, what: str, id: int = 0) -> Any:
        """Do something with one mail, or with the selected ones when none is named."""
        if what not in tuple(Act):
            return None
        return await self._act(Act(what), await self._meant(self._named(id), what))

    @rx.event
    async def move(self, to: str, id: int = 0) -> Any:
        """Move one mail, or the selected ones when none is named."""
        return await self._move(await self._meant(self._named(id)), to)

    @rx.event
    async def drop(self, address: str, to: str) -> Any:
        """A row was dropped on a place; with it come the others when it is one of the selected."""
        dropped = _mail_of(address)
        if not dropped:
            return None
        named = self.selected if dropped in self.selected else [dropped]
        return await self._move(await self._meant(named), to)

    @rx.event
    async def undo(self) -> None:
        """Put back what was moved last."""
        me, moved, to = caller(), self._moved, self._moved_to
        self._say("")
        if moved:
            await off_loop(service().model.mailboxes.put_back, me.user, moved, to)
            await self._changed()

    @rx.event
    def close_toast(self) -> None:
        """Take what was said off the screen."""
        self._say("")

    @rx.event
    async def empty_trash(self) -> None:
        """Delete for good what lies in Trash."""
        me = caller()
        count = await off_loop(service().model.mailboxes.empty_trash, me.user)
        self._say(_("{mails} deleted for good.", mails=_mails(count)))
        await self._changed()

    @rx.event
    async def rename_folder(self, form: dict[str, str]) -> None:
        """Call the folder that is shown by another name."""
        name, view = _text(form, "name"), self._view
        if view is None or not view.folder or name is None:
            return
        await self._try(service().model.folders.rename, view.folder, name)

    @rx.event
    async def remove_folder(self) -> Any:
        """Remove the folder that is shown; what is in it goes to Archive."""
        view = self._view
        if view is None or not view.folder:
            return None
        if not await self._try(service().model.mailboxes.remove_folder, view.folder):
            return None
        self._say(_("Folder removed. What was in it is in Archive."))
        return rx.redirect(routes.ARCHIVE)

    def _named(self, id: object) -> list[int]:
        one = number(id)
        return [one] if one else self.selected[:MOST]

    async def _meant(self, ids: Sequence[int], what: str = "") -> Sequence[int]:
        """These mails; where a row stands for a conversation, all of it that lies here. A star is of one mail."""
        if not self.is_grouped or not ids or what in (Act.STAR, Act.UNSTAR):
            return ids
        found = await off_loop(service().model.mailboxes.together, caller().user, self.place, ids)
        return found[:MOST]

    async def _act(self, what: Act, ids: Sequence[int]) -> Any:
        boxes, me = service().model.mailboxes, caller()
        if not ids:
            return None
        if what in (Act.STAR, Act.UNSTAR):
            await off_loop(boxes.set_starred, me.user, ids, what is Act.STAR)
        elif what in (Act.READ, Act.UNREAD):
            await off_loop(boxes.set_unread, me.user, ids, what is Act.UNREAD)
        elif what is Act.DELETE and self.place == MailboxName.TRASH:
            erased = await off_loop(boxes.erase, me.user, ids)
            self._say(_("{mails} deleted for good.", mails=_mails(erased)))
        else:
            return await self._move(ids, MOVES[what])
        self.selected = [] if what is Act.DELETE else self.selected
        await self._changed()
        return self._leave(ids) if what in (Act.DELETE, Act.UNREAD) else None

    async def _move(self, ids: Sequence[int], to: str) -> Any:
        me = caller()
        if not isinstance(to, str) or not _PLACE.fullmatch(to) or not ids:
            return None
        try:
            name = await off_loop(_name_of, me.user, to)
            moved = await off_loop(service().model.mailboxes.move, me.user, ids, to)
        except Refused as refusal:
            self._say(str(refusal))
            return None
        if not moved:
            self._say(_("Nothing moved: this cannot lie in {place}.", place=name))
            return None
        self.selected = []
        self._say(_("{mails} moved to {place}.", mails=_mails(len(moved)), place=name))
        self._moved, self._moved_to, self.can_undo = moved, str(to), True
        await self._changed()
        return self._leave([one.id for one in moved])

    def _leave(self, ids: Sequence[int]) -> Any:
        """Back to the list, when the open mail is one of these."""
        opened = number(self.router.url.query_parameters.get(routes.OPENED, ""))
        return rx.redirect((self._view or View()).href()) if opened in ids else None

    def _say(self, text: str) -> None:
        self.done, self.done_number, self.can_undo = text, self.done_number + 1, False
        self._moved, self._moved_to, self._done_until = [], "", time.monotonic() + FADES

    async def _try(self, work: Callable[..., object], *args: object) -> bool:
        try:
            await off_loop(work, caller().user, *args)
        except Refused as refusal:
            self.problem = str(refusal)
            return False
        self.problem = ""
        await self._changed()
        return True

    async def _changed(self) -> None:
        """Show it here at once, and tell the person's other pages."""
        service().model.changed(caller().user)
        await self._look()


def _name_of(user: str, place: str) -> str:
    """How a place is called on the screen."""
    if place == MailboxName.INBOX:
        return _("Inbox")
    _before, is_folder, id = place.partition("folder-")
    try:
        return service().model.folders.folder(user, number(id)).name if is_folder else _(place)
    except NoSuchFolder:
        raise NoSuchMail(_("There is no such folder any more.")) from None


def _mails(count: int) -> str:
    return ngettext("{count} mail", "{count} mails", count)


def _text(form: object, name: str) -> str | None:
    value = form.get(name) if isinstance(form, dict) else None
    return value[:1000] if isinstance(value, str) else None


def _mail_of(address: object) -> int:
    """The mail that a dragged link leads to, or 0."""
    if not isinstance(address, str) or len(address) > 2000:
        return 0
    try:
        query = urlsplit(address.splitlines()[0] if address else "").query
    except ValueError:
        return 0
    return number(parse_qs(query).get(routes.OPENED, [""])[0])
