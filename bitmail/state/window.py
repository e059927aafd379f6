"""What every part of a window in which a mail is written goes by: its draft, its fields, and what is wrong in them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.catalogue import _
from bitmail.chips import Chip, read_chips, shown
from bitmail.current import off_loop, service
from bitmail.drafts import Draft, Hold
from bitmail.errors import FieldError, Overtaken
from bitmail.sessions import Session
from bitmail.typed import FIELDS, PEOPLE, TYPING, cleaned, draft_in
from bitmail.words import clock_time

QUICKLY_READ = 2_000
"""Characters in the fields of people that are read within the loop, which takes less time than to ask a thread."""


class Window(rx.State, mixin=True):
    """A window: which draft is in it, and what it says beside the form.

    What is typed lives in the browser, in uncontrolled fields, and comes along with each event. Which draft the window
    holds lives there too, so that nothing that becomes of the server closes the window. Until its draft fills the form,
    nothing can be typed there: the draft would take its place.
    """

    key: str = rx.SessionStorage("")
    window: str = rx.SessionStorage("")
    filled: str = rx.SessionStorage("")
    revision: str = rx.SessionStorage("0")
    size: str = rx.SessionStorage("")
    extra: str = rx.SessionStorage("")
    rich: str = rx.SessionStorage("")
    title: str = ""
    errors: dict[str, str] = {}  # noqa: RUF012 - Reflex copies the default for each client
    problem: str = ""
    saved: str = ""
    people: dict[str, list[Chip]] = {}  # noqa: RUF012
    summary: str = ""
    _kept: Draft | None = None
    _slot: ClassVar[int] = 0

    @rx.event
    def resize(self, size: str) -> None:
        """The window is to be small, large, or as it comes."""
        if size in ("", "small", "large"):
            self.size = size

    @rx.event
    def show_field(self, name: str) -> Any:
        """A field that is seldom needed is."""
        if name not in PEOPLE:
            return None
        self.extra = " ".join(dict.fromkeys([*self.extra.split(), name]))
        return rx.set_focus(self._id(name + TYPING))

    async def _typed(self, form: object) -> Draft | None:
        """The draft in what a client sent, or None when it is no such thing, or of another window."""
        draft = draft_in(form, self.key, self.window)
        if draft is None:
            return None
        return await off_loop(cleaned, draft) if self.rich else replace(draft, html="")

    @property
    def _hold(self) -> Hold:
        return Hold(self.window, int(self.revision) if self.revision.isdecimal() else 0)

    async def _save(self, draft: Draft, me: Session) -> Draft:
        """Keep the draft; return it under the key that it has from now on."""
        model = service().model
        before = self.revision
        try:
            revision = await off_loop(model.drafts.save, me.user, draft, self._hold)
        except Overtaken as news:
            draft = await off_loop(model.drafts.fork, me.user, draft)
            self.key, self.revision, self.problem = draft.key, "1", str(news)
        else:
            self.revision = str(max(revision, int(before) if before.isdecimal() else 0))
        if self.revision not in ("0", before):
            self.saved = _("Saved {time}", time=clock_time(time.time(), ZoneInfo(me.zone))[:5])
            if before == "0":  # who sees it as it was a moment ago is not told of every word
                model.changed(me.user)
        self._kept = draft
        return draft

    async def _show_people(self, fields: Mapping[str, str], *, is_same: bool = False) -> None:
        """Show the people who are finished; whoever is being typed is shown by the browser.

        While it is the same mail with the same people, what is said of it stays.
        """
        lines = {name: fields.get(name, "").replace("\r\n", "\n") for name in PEOPLE}
        read = partial(_read_people, lines)
        people = read() if sum(map(len, lines.values())) < QUICKLY_READ else await off_loop(read)
        shown_people = {name: shown(chips) for name, chips in people.items()}
        if not is_same or shown_people != self.people:
            wrong = {name: [chip for chip in chips if chip.reason] for name, chips in people.items()}
            self.errors = {
                name: " ".join(chip.reason for chip in chips[:3]) for name, chips in wrong.items() if chips
            }
        if shown_people != self.people:
            self.people = shown_people
        count = sum(len(people[name]) for name in ("to", "cc", "bcc"))
        self.summary = _("{count} recipients", count=count) if count > 1 else ""
        self.title = fields.get("subject", "").strip()[:80]

    def _show(self, errors: tuple[FieldError, ...]) -> Any:
        told: dict[str, str] = {}
        for error in errors:
            told[error.field] = f"{told[error.field]} {error.reason}" if error.field in told else error.reason
        self.errors = {field: told[field] for field in (*FIELDS, "attachments") if field in told}
        self.problem = " ".join(reason for field, reason in told.items() if field not in self.errors)
        field = next((field for field in FIELDS if field in self.errors), "")
        if field in PEOPLE:
            self.extra = " ".join(
                dict.fromkeys([*self.extra.split(), *(name for name in PEOPLE if name in told)])
            )
        return rx.set_focus(self._id(field + TYPING if field in PEOPLE else field)) if field else None

    def _leave(self, key: str) -> Any:
        """The address names the draft no more, where it did."""
        if self.router.url.query_parameters.get(routes.DRAFT, "") == key:
            return rx.redirect(routes.without_draft(self.router.url), replace=True)
        return None

    def _id(self, name: str) -> str:
        return element_id(self._slot, name)


def _read_people(lines: Mapping[str, str]) -> dict[str, list[Chip]]:
    return {name: read_chips(text) for name, text in lines.items()}


def element_id(slot: int, name: str) -> str:
    """The id of an element in a window."""
    return f"composer{slot}_{name}"
