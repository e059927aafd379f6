"""Gmail's shortcuts, for whoever works with the keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from bitmail import routes
from bitmail.catalogue import N_
from bitmail.mail import Only
from bitmail.state.compose import ComposeState
from bitmail.state.selection import MOVES, Act, SelectionState
from bitmail.view import View, number

SEARCH_ID = "search"
"""The id of the search field's element."""
HELP_ID = "help"
"""The id of the button that closes the help."""
GO_TO = {
    "i": routes.INBOX,
    "s": View(only=Only.STARRED).href(),
    "t": routes.SENT,
    "d": routes.DRAFTS,
}
ACTS = {"e": Act.ARCHIVE, "#": Act.DELETE, "!": Act.SPAM, "I": Act.READ, "U": Act.UNREAD}
KEYS = (*"jkoxs/cug?", *ACTS, *(key for key in GO_TO if key not in "s"), "Escape", "Enter")
"""Every key that is a shortcut; the page sends no other."""
HELP = (
    ("j, k", N_("next, previous mail")),
    (N_("o or Enter"), N_("open it")),
    ("u", N_("back to the list")),
    ("x", N_("select it")),
    ("s", N_("star on or off")),
    ("e", N_("archive")),
    ("#", N_("delete")),
    ("!", N_("it is spam")),
    (N_("Shift I, Shift U"), N_("read, unread")),
    ("c", N_("compose")),
    ("/", N_("search")),
    (N_("g then i, s, t, d"), N_("go to Inbox, starred, Sent, Drafts")),
    ("?", N_("this help")),
)


class KeysState(rx.State):
    """Where the keyboard is in the list, and whether its help is shown."""

    is_helping: bool = False
    cursor: int = 0
    _opened: int = 0
    _goes: bool = False

    @rx.event
    async def press(self, key: str) -> Any:
        """A key was pressed that is a shortcut, while nothing was being typed."""
        if key not in KEYS:
            return None
        goes, self._goes = self._goes, key == "g"
        if goes and key in GO_TO:
            return rx.redirect(GO_TO[key])
        match key:
            case "?":
                self.is_helping = not self.is_helping
                return rx.set_focus(HELP_ID) if self.is_helping else None
            case "Escape":
                self.is_helping = False
                return SelectionState.clear
            case "c":
                return ComposeState.new
            case "/":
                return rx.set_focus(SEARCH_ID)
        return await self._on_list(key)

    @rx.event
    def close_help(self) -> None:
        """The help was read."""
        self.is_helping = False

    async def _on_list(self, key: str) -> Any:
        selection = await self.get_state(SelectionState)
        ids = [row.id for row in selection.rows]
        opened = number(self.router.url.query_parameters.get(routes.OPENED, ""))
        if opened != self._opened:  # it was opened by other means, so that is where the person is
            self._opened, self.cursor = opened, opened or self.cursor
        at = self.cursor if self.cursor in ids else 0
        if key in "jk":
            if not ids:
                return None
            step = 1 if key == "j" else -1
            place = min(max(ids.index(at) + step, 0), len(ids) - 1) if at else 0
            self.cursor = ids[place]
            return None
        if key == "u":
            return rx.redirect(selection.list_href) if opened else None
        row = next((row for row in selection.rows if row.id == at), None)
        if key in ACTS:
            chosen = 0 if selection.selected else opened or at
            if not chosen and not selection.selected:
                return None
            if ACTS[key] in MOVES:
                self.cursor = _next(ids, at, {chosen, *selection.selected})
            return SelectionState.act(ACTS[key].value, chosen)
        if row is None:
            return None
        match key:
            case "o" | "Enter":
                return rx.redirect(row.href)
            case "x":
                return SelectionState.select(row.id, False)
            case "s":
                is_starred = selection.marks[row.id].starred
                return SelectionState.act((Act.UNSTAR if is_starred else Act.STAR).value, row.id)
        return None


def _next(ids: Sequence[int], at: int, leaving: set[int]) -> int:
    """Where the cursor goes when some rows leave: to the next one that stays, else to the one before."""
    start = ids.index(at) if at else 0
    staying = [id for id in (*ids[start:], *reversed(ids[:start])) if id not in leaving]
    return staying[0] if staying else 0
