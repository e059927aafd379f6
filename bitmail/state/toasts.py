"""What was just done to a mail, and the way to undo it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from bitmail import routes
from bitmail.catalogue import _
from bitmail.current import caller, off_loop, service
from bitmail.drafts import is_key
from bitmail.errors import Refused

SHOWN = 3
"""Toasts on the screen at once."""


@dataclass
class Toast:
    """One thing that was done, or could not be.

    `mail` is in Outbox and can be called back, or 0; `draft` was discarded and can be brought back, or "".
    """

    number: int
    text: str
    mail: int = 0
    draft: str = ""


class ToastState(rx.State):
    """The toasts on the screen."""

    toasts: list[Toast] = []  # noqa: RUF012 - Reflex copies the default for each client
    _count: int = 0

    @rx.event
    async def undo_send(self, mail: int) -> Any:
        """Call a mail back and open it again."""
        if not isinstance(mail, int):
            return None
        self._drop(mail=mail)
        model, me = service().model, caller()
        try:
            key = await off_loop(model.leaving.undo, me.user, mail)
        except Refused as refusal:
            self._say(str(refusal))
            return None
        finally:
            model.changed(me.user)
        return rx.redirect(routes.compose(key))

    @rx.event
    async def undo_discard(self, draft: str) -> Any:
        """Bring a discarded draft back and open it."""
        if not is_key(draft):
            return None
        self._drop(draft=draft)
        model, me = service().model, caller()
        if not await off_loop(model.drafts.restore, me.user, draft):
            self._say(_("This draft cannot be brought back any more."))
            return None
        model.changed(me.user)
        return rx.redirect(routes.compose(draft))

    @rx.event
    def dismiss(self, number: int) -> None:
        """Take one toast off the screen."""
        self.toasts = [toast for toast in self.toasts if toast.number != number]

    def _say(self, text: str, *, mail: int = 0, draft: str = "") -> None:
        self._count += 1
        self.toasts = [*self.toasts, Toast(self._count, text, mail, draft)][-SHOWN:]

    def _drop(self, mail: int = 0, draft: str = "") -> None:
        self.toasts = [toast for toast in self.toasts if (toast.mail, toast.draft) != (mail, draft)]
