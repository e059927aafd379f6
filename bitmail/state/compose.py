"""Which mails are being written: opens a window for each."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.catalogue import _
from bitmail.current import caller, off_loop, service
from bitmail.drafts import LINE_LIMIT, Draft, is_key, new_key
from bitmail.errors import NoSuchMail, Unsendable
from bitmail.replies import Answer, from_mailto
from bitmail.state.composer import COMPOSERS
from bitmail.state.toasts import ToastState


class ComposeState(rx.State):
    """Opens windows, as buttons and addresses ask."""

    @rx.event
    async def new(self) -> Any:
        """Compose was clicked."""
        return await self._open(new_key())

    @rx.event
    async def write_to(self, line: str) -> Any:
        """A mail to somebody in particular is to be written."""
        if not isinstance(line, str):
            return None
        model, user, key = service().model, caller().user, new_key()
        text = await off_loop(model.phrases.signed, user)
        await off_loop(model.drafts.begin, user, Draft(key, to=line[:LINE_LIMIT], text=text))
        return await self._open(key)

    @rx.event
    async def answer(self, mail: int, how: str) -> Any:
        """Reply, Reply all, Forward or Edit as new was clicked on a mail."""
        if not isinstance(mail, int) or how not in list(Answer):
            return None
        me = caller()
        try:
            key = await off_loop(service().model.answer, me.user, mail, Answer(how), ZoneInfo(me.zone))
        except (NoSuchMail, Unsendable) as refusal:
            return await self._say(str(refusal))
        return await self._open(key)

    async def _arrive(self) -> Any:
        """A page is opened: its address may name a draft to write on."""
        key = self.router.url.query_parameters.get(routes.DRAFT, "")
        if not is_key(key):
            return None
        if await off_loop(service().model.drafts.is_over, caller().user, key):
            return rx.redirect(routes.without_draft(self.router.url), replace=True)
        return await self._open(key)

    async def _begin(self) -> Any:
        """The address asks for a new mail: an empty one, an answer to a mail, or what a `mailto:` link says."""
        asked = self.router.url.query_parameters
        me, model = caller(), service().model
        key = asked.get(routes.DRAFT, "")
        for how in Answer:
            id = asked.get(how.value, "")
            if id.isdecimal() and len(id) < 19:
                try:
                    key = await off_loop(model.answer, me.user, int(id), how, ZoneInfo(me.zone))
                except (NoSuchMail, Unsendable) as refusal:
                    await self._say(str(refusal))
                    return rx.redirect(routes.INBOX, replace=True)
        draft = from_mailto(asked.get(routes.MAILTO, "")[:10_000], new_key())
        if draft is not None:
            await off_loop(model.drafts.begin, me.user, draft)
            key = draft.key
        return rx.redirect(f"{routes.INBOX}?{routes.DRAFT}={key if is_key(key) else new_key()}", replace=True)

    async def _open(self, key: str) -> Any:
        """See to it that the draft has a window, and that the address names it."""
        windows = [await self.get_state(window) for window in COMPOSERS]
        held = next((window for window in windows if window.window and window.key == key), None)
        free = next((window for window in windows if not window.window), None)
        if held is not None:
            held.size = "" if held.size == "small" else held.size
        elif free is not None:
            free._open(caller().user, key)
        else:
            return await self._say(
                _("{count} mails are open. Close one of them first.", count=len(COMPOSERS))
            )
        address = routes.with_draft(self.router.url, key)
        is_there = self.router.url.query_parameters.get(routes.DRAFT, "") == key
        return None if is_there else rx.redirect(address)

    async def _say(self, text: str) -> None:
        toasts = await self.get_state(ToastState)
        toasts._say(text)
