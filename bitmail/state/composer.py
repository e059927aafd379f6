"""One window in which a mail is written. There are a few of them; each has a state of its own."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.begun import begun, forget_untouched, has_words
from bitmail.catalogue import _, moment, ngettext
from bitmail.current import caller, off_loop, service
from bitmail.drafts import TYPED, Draft, Hold, is_key, new_key
from bitmail.errors import AlreadySent, Overtaken, Suppressed, Unsendable
from bitmail.outbox import SentMail
from bitmail.prompts import prompts
from bitmail.sessions import Session
from bitmail.state.attaching import Attaching
from bitmail.state.suggesting import Suggesting
from bitmail.state.templates import Templates
from bitmail.state.toasts import ToastState
from bitmail.typed import PEOPLE, TYPING, as_html, fields_in, is_early, time_in
from store import StoreError

log = logging.getLogger(__name__)


class Composer(Attaching, Suggesting, Templates, mixin=True):
    """What becomes of the mail in a window, from the first word until it is sent, left or discarded."""

    asked: list[str] = []  # noqa: RUF012 - Reflex copies the default for each client
    asks_to_discard: bool = False
    _later: bool = False
    _warned: list[str] = []  # noqa: RUF012

    @rx.event
    async def begin(self, spare: str) -> Any:
        """The form appeared: give it what was typed before the page went away, else what was saved of its draft.

        `spare` is the browser's copy of what was typed last in this window, or "".
        """
        me, model = caller(), service().model
        if not is_key(self.key) or not self.window.startswith(f"{me.user} "):
            self._shut()
            return None
        if await off_loop(model.drafts.is_over, me.user, self.key):
            self._shut()
            return None
        self._clear()
        self._kept = None
        typed = fields_in(spare, self.window)
        try:
            draft, revision = await off_loop(model.drafts.open, me.user, self.key)
            if typed is None:
                self.revision, self.rich = str(max(revision, 0)), ""
                if revision < 0:
                    draft = await off_loop(begun, model, me.user, self.key)
            fields = typed or {name: getattr(draft, name) for name in TYPED}
            is_rich, self.rich = bool(fields.get("html")), ""
            shown = {name for name in PEOPLE if fields.get(name) or fields.get(name + TYPING)}
            self.extra = " ".join(dict.fromkeys([*self.extra.split(), *sorted(shown)]))
            await self._show_people(fields)
            await self._show_files(me)
            self.filled = self.window
        except StoreError:
            log.exception("a draft could not be opened")
            self.problem = _("This draft could not be opened. Close this window and open it again.")
            return None
        focus = (
            "text"
            if fields.get("to") and fields.get("subject")
            else "subject"
            if fields.get("to")
            else f"to{TYPING}"
        )
        values = {name: value for name, value in fields.items() if value} | {"loaded": self.window}
        return [
            *(rx.set_value(self._id(name), value) for name, value in values.items()),
            rx.set_focus(self._id(focus)),
            *([type(self).show_rich] if is_rich else []),
        ]

    @rx.event
    def show_rich(self) -> None:
        """The form has a rich text: show it in the editor."""
        self.rich = "1"

    @rx.event
    async def enrich(self, form: dict[str, Any]) -> Any:
        """The text is to be rich from now on."""
        draft = await self._typed(form)
        if draft is None or self.rich:
            return None
        return [rx.set_value(self._id("html"), as_html(draft.text)), type(self).show_rich]

    @rx.event
    async def simplify(self, form: dict[str, Any]) -> Any:
        """The text is to be plain again."""
        draft = await self._typed(form)
        if draft is None or not self.rich:
            return None
        self.rich = ""
        return [rx.set_value(self._id("text"), draft.text), rx.set_value(self._id("html"), "")]

    @rx.event
    async def keep(self, form: dict[str, Any]) -> Any:
        """Something was typed some time ago, or the person went elsewhere: show the people, keep all of it."""
        draft = await self._typed(form)
        if draft is None:
            return
        if form.get(self.offered_in + TYPING) != self.offered_for:
            self._offer("", "", [])
        await self._show_people(form, is_same=draft == self._kept)
        if draft == self._kept:
            return
        self.saved = _("Saving…")
        yield
        try:
            await self._save(draft, caller())
        except Unsendable as refusal:
            self._show(refusal.errors)
        except StoreError:
            log.exception("a draft could not be kept")
            self.saved = _("Not saved. It is tried again as you type on.")
        if self.saved == _("Saving…"):
            self.saved = ""

    @rx.event
    async def send(self, form: dict[str, Any]) -> Any:
        """Send was pressed."""
        self._later = False
        return await self._send(form)

    @rx.event
    async def send_later(self, form: dict[str, Any]) -> Any:
        """A time was chosen and confirmed."""
        self._later = True
        return await self._send(form)

    @rx.event
    async def send_anyway(self, form: dict[str, Any]) -> Any:
        """What was asked before sending was answered with yes."""
        return await self._send(form, is_confirmed=True)

    @rx.event
    def write_on(self) -> Any:
        """What was asked was answered with no."""
        self.asked, self.asks_to_discard = [], False
        return rx.set_focus(self._id("text"))

    @rx.event
    async def close(self, form: dict[str, Any]) -> Any:
        """The window is closed: what is in it stays a draft."""
        me, model, key = caller(), service().model, self.key
        draft = await self._typed(form)
        if draft is not None:
            try:
                await self._save(draft, me)
            except Unsendable as refusal:
                self._show(refusal.errors)
                return None
            await off_loop(forget_untouched, model, me.user, draft)
        self._shut()
        model.changed(me.user)
        return self._leave(key)

    @rx.event
    async def discard(self, form: dict[str, Any], is_confirmed: bool = False) -> Any:
        """The draft is not wanted; unless it is empty, that is asked about once."""
        me, model, key = caller(), service().model, self.key
        draft = await self._typed(form)
        if (
            draft is not None
            and is_confirmed is not True
            and (has_words(model, me.user, draft) or self.files)
        ):
            self.asks_to_discard = True
            return None
        if draft is not None:
            try:
                await self._save(draft, me)
            except Unsendable:
                self.problem = _(
                    "This is too long to be kept, so discarding could not be undone. Shorten it first."
                )
                return None
        key = self.key
        if await off_loop(model.drafts.discard, me.user, key):
            toasts = await self.get_state(ToastState)
            toasts._say(_("Draft discarded."), draft=key)
        self._shut()
        model.changed(me.user)
        return self._leave(key)

    async def _send(self, form: object, *, is_confirmed: bool = False) -> Any:
        self._clear()
        me, model, key = caller(), service().model, self.key
        draft = await self._typed(form)
        if draft is None:
            self.problem = (
                _("This window was still being made ready. Press Send again.")
                if is_early(form)
                else _("The page sent something that is no mail. Reload it; what you saved is still there.")
            )
            return None
        await self._show_people(form)
        try:
            later = time_in(form, ZoneInfo(me.zone)) if self._later else None
            if not is_confirmed and not any(self.errors.values()):
                self.asked = prompts(draft, len(self.files), self.uploading)
                if self.asked:
                    await self._save_if_it_can_be(draft, me)
                    return rx.set_focus(self._id("asked"))
            anyway = self._warned == [draft.to, draft.cc, draft.bcc]
            try:
                sent = await off_loop(_sent, me.user, draft, self._hold, later, anyway)
            except Overtaken:
                draft = await self._save(draft, me)
                sent = await off_loop(_sent, me.user, draft, self._hold, later, anyway)
        except Suppressed as warning:
            await self._save_if_it_can_be(draft, me)
            self._warned = [draft.to, draft.cc, draft.bcc]
            shown = self._show(warning.errors)
            self.asked = [error.reason for error in warning.errors[:5]]
            return shown
        except Unsendable as refusal:
            await self._save_if_it_can_be(draft, me)
            return self._show(refusal.errors)
        except AlreadySent as refusal:
            self.problem = str(refusal)
            return None
        self._shut()
        model.changed(me.user)
        if not sent.not_before:
            return rx.redirect(routes.mail(routes.SENT, sent.id))
        count = len(sent.submission.deliveries)
        text = ngettext("Queued for {count} person", "Queued for {count} people", count, count=count)
        if self._later:
            at = datetime.fromtimestamp(sent.not_before, ZoneInfo(me.zone))
            text = _("Scheduled for {time}", time=moment(at, _("EEEE, d MMMM, HH:mm")))
        toasts = await self.get_state(ToastState)
        toasts._say(text, mail=sent.id)
        return self._leave(key)

    async def _save_if_it_can_be(self, draft: Draft, me: Session) -> None:
        """Keep what is not sent for now; what is too long, or one draft too many, stays in the browser alone."""
        with suppress(Unsendable):
            await self._save(draft, me)

    async def _refresh(self) -> None:
        """Something of the person's changed: perhaps the files, in another window."""
        if self.window and is_key(self.key):
            await self._show_files(caller())

    def _open(self, user: str, key: str) -> None:
        self.key, self.window, self.revision, self.size, self.extra = key, f"{user} {new_key()}", "0", "", ""
        self.rich = ""

    def _shut(self) -> None:
        self.key, self.window, self.revision, self.size, self.extra = "", "", "0", "", ""
        self.rich = ""
        self.people, self.files, self.uploading, self.summary, self.title = {}, [], [], "", ""
        self._early, self._unshown = [], []
        self._clear()

    def _clear(self) -> None:
        self.errors, self.problem, self.saved = {}, "", ""
        self.asked, self.asks_to_discard = [], False
        self._offer("", "", [])


def _sent(user: str, draft: Draft, hold: Hold, later: float | None, anyway: bool) -> SentMail:
    """What became of the draft once it was sent, at a time or as soon as it cannot be called back any more."""
    running = service()
    model = running.model
    draft = model.drafts.to_send(user, draft, hold)
    wanted = model.preferences.of(user)
    undo = min(wanted.undo, running.settings.undo)
    return model.outbox.send(
        model.accounts.account(user),
        draft,
        not_before=later if later is not None else time.time() + undo if undo else 0.0,
        name=wanted.display_name,
        anyway=anyway,
    )


class FirstComposer(Composer, rx.State):
    """The first window."""

    _slot: ClassVar[int] = 0


class SecondComposer(Composer, rx.State):
    """The second window."""

    _slot: ClassVar[int] = 1


class ThirdComposer(Composer, rx.State):
    """The third window."""

    _slot: ClassVar[int] = 2


COMPOSERS = (FirstComposer, SecondComposer, ThirdComposer)
