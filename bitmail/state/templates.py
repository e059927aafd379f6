"""Templates: texts that a person keeps to begin a mail with."""

from __future__ import annotations

from typing import Any

import reflex as rx

from bitmail.catalogue import _
from bitmail.current import caller, off_loop, service
from bitmail.errors import FieldError, Unsendable
from bitmail.state.window import Window


class Templates(Window, mixin=True):
    """Templates are listed, used and kept in a window."""

    templates: list[tuple[int, str]] = []  # noqa: RUF012 - Reflex copies the default for each client

    @rx.event
    async def list_templates(self) -> None:
        """The menu of templates is opened."""
        found = await off_loop(service().model.phrases.templates, caller().user)
        self.templates = [(template.id, template.name) for template in found]

    @rx.event
    async def use_template(self, id: int, form: dict[str, Any]) -> Any:
        """A template is to stand before what is written."""
        draft = await self._typed(form)
        found = await off_loop(service().model.phrases.templates, caller().user)
        template = next((template for template in found if template.id == id), None)
        if draft is None or template is None:
            return None
        events = [
            rx.set_value(self._id("text"), f"{template.text}{draft.text}"),
            rx.set_focus(self._id("text")),
        ]
        if template.subject and not draft.subject.strip():
            events.append(rx.set_value(self._id("subject"), template.subject))
        return events

    @rx.event
    async def save_template(self, form: dict[str, Any]) -> None:
        """What is written is to be kept as a template, called by its subject."""
        draft = await self._typed(form)
        if draft is None:
            return
        model, user = service().model, caller().user
        signature = await off_loop(model.phrases.signed, user)
        text = draft.text.removesuffix(signature)
        try:
            await off_loop(model.phrases.save_template, user, draft.subject, draft.subject, text)
        except Unsendable:
            self._show((FieldError("subject", "", _("A template is called by its subject. Type one.")),))
            return
        self.saved = _("Saved as a template")
        await self.list_templates()  # type: ignore[misc, operator]
