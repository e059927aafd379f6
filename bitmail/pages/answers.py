"""How one goes on from a mail."""

from __future__ import annotations

import reflex as rx

from bitmail.pages.elements import icon
from bitmail.pages.words import _
from bitmail.replies import Answer
from bitmail.state.compose import ComposeState
from bitmail.state.message import MessageState


def answers() -> rx.Component:
    """How one goes on from the mail that is open."""
    ways = (
        (Answer.REPLY, _("Reply"), "reply"),
        (Answer.REPLY_ALL, _("Reply all"), "reply-all"),
        (Answer.FORWARD, _("Forward"), "forward"),
        (Answer.EDIT_AS_NEW, _("Edit as new"), "pencil"),
    )
    return rx.el.div(
        *(
            rx.el.button(
                icon(symbol),
                rx.el.span(label),
                on_click=ComposeState.answer(MessageState.id, how.value),
                type="button",
                aria_label=label,
                title=label,
                class_name="btn ghost",
            )
            for how, label, symbol in ways
        ),
        class_name="ways",
    )
