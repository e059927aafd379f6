"""The mail that is being written."""

from __future__ import annotations

import time
from typing import Any
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.current import caller, off_loop, service
from bitmail.drafts import TYPED, Draft, is_key, new_key
from bitmail.errors import AlreadySent, FieldError, Suppressed, Unsendable
from bitmail.words import clock_time

FIELDS = {"to": "To", "cc": "Cc", "bcc": "Bcc", "subject": "Subject", "text": "Message"}
"""The form's fields, and what each is called on the screen."""


def field_id(name: str) -> str:
    """The id of a field's element."""
    return f"draft_{name}"


class ComposeState(rx.State):
    """What the page says beside the form. What is typed lives in the browser and comes along with each event."""

    errors: dict[str, str] = {}  # noqa: RUF012 - Reflex copies the default for each client
    problem: str = ""
    saved: str = ""
    _warned: list[str] = []  # noqa: RUF012 - as above

    @rx.var
    def key(self) -> str:
        """The draft's key, as the address names it."""
        key = self.router.url.query_parameters.get(routes.DRAFT, "")
        return key if is_key(key) else ""

    @rx.event
    def new(self) -> rx.event.EventSpec:
        """Compose was clicked: begin a new draft."""
        return rx.redirect(routes.compose(new_key()))

    @rx.event
    async def begin(self) -> Any:
        """The form appeared: give it a draft, and what was saved of it."""
        self._clear()
        if not self.key:
            return rx.redirect(routes.compose(new_key()), replace=True)
        draft = await off_loop(service().model.drafts.load, caller().user, self.key)
        if draft.is_empty:
            return rx.set_focus(field_id("to"))
        return [rx.set_value(field_id(name), value) for name in TYPED if (value := getattr(draft, name))]

    @rx.event
    async def save(self, form: dict[str, Any]) -> None:
        """Some seconds passed since the last key: keep what is typed."""
        draft = _draft(form)
        if draft is None:
            return
        me = caller()
        try:
            kept = await off_loop(service().model.drafts.save, me.user, draft)
        except Unsendable as refusal:
            self._show(refusal.errors)
            return
        if kept:
            self.saved = f"Saved {clock_time(time.time(), ZoneInfo(me.zone))[:5]}"

    @rx.event
    async def send(self, form: dict[str, Any]) -> Any:
        """Send was pressed."""
        self._clear()
        draft = _draft(form)
        if draft is None:
            self.problem = (
                "The page sent something that is no mail. Reload it; what you saved is still there."
            )
            return None
        model = service().model
        anyway = self._warned == [draft.key, draft.to, draft.cc, draft.bcc]
        try:
            author = model.accounts.account(caller().user)
            await off_loop(model.drafts.save, author.name, draft)
            sent = await off_loop(model.outbox.send, author, draft, anyway=anyway)
        except Suppressed as warning:
            self._warned = [draft.key, draft.to, draft.cc, draft.bcc]
            shown = self._show(warning.errors)
            self.problem = "Take the address out, or press Send again to send it all the same."
            return shown
        except Unsendable as refusal:
            return self._show(refusal.errors)
        except AlreadySent as refusal:
            self.problem = str(refusal)
            return None
        return rx.redirect(routes.mail(routes.SENT, sent.id))

    def _clear(self) -> None:
        self.errors, self.problem, self.saved = {}, "", ""

    def _show(self, errors: tuple[FieldError, ...]) -> Any:
        shown: dict[str, str] = {}
        for error in errors:
            shown[error.field] = (
                f"{shown[error.field]} {error.reason}" if error.field in shown else error.reason
            )
        self.errors = {field: reason for field, reason in shown.items() if field in FIELDS}
        self.problem = " ".join(reason for field, reason in shown.items() if field not in FIELDS)
        return rx.set_focus(field_id(next(iter(self.errors)))) if self.errors else None


def _draft(form: object) -> Draft | None:
    """The draft in what a client sent, or None when it is no such thing."""
    if not isinstance(form, dict) or not is_key(form.get("draft")):
        return None
    typed = {name: form.get(name, "") for name in TYPED}
    if not all(isinstance(value, str) for value in typed.values()):
        return None
    return Draft(form["draft"], **typed)
