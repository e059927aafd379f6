"""A mailbox: its list, and the mail that is open in it."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.answers import answers
from bitmail.pages.elements import icon, icon_button, link, note
from bitmail.pages.listing import acts, listing
from bitmail.pages.message import message
from bitmail.pages.shell import shell
from bitmail.pages.words import _
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
from bitmail.state.toasts import ToastState


def mailbox(here: str, title: rx.Var[str]) -> rx.Component:
    """The page of one mailbox."""
    return shell(
        here,
        listing(here, title),
        reading(here),
        is_open=(MessageState.id > 0) | (MessageState.missing != ""),
    )


def reading(here: str) -> rx.Component:
    """The open mail, or what to do about there being none."""
    back = link(icon("arrow-left"), _("Back"), to=MailboxState.list_href, class_name="btn ghost back")
    return rx.el.section(
        rx.el.div(back, rx.cond(MessageState.id > 0, rx.fragment(answers(), *tools(here))), class_name="bar"),
        rx.cond(
            MessageState.id > 0,
            message(),
            rx.cond(
                MessageState.missing != "",
                note(MessageState.missing),
                note(_("Pick a mail to read it here.")),
            ),
        ),
        class_name="read",
        aria_label=_("Message"),
    )


def tools(here: str) -> list[rx.Component]:
    """What can be done with the open mail."""
    back = rx.el.button(
        icon("undo-2"),
        _("Undo"),
        on_click=ToastState.undo_send(MessageState.id),
        type="button",
        class_name="btn",
        title=_("Call it back and write on"),
    )
    return [
        *([back] if here == routes.OUTBOX else []),
        *acts(here, MessageState.id, "move_open_to"),
        icon_button(
            "messages-square",
            _("Show the conversation"),
            look="btn ghost square last",
            on_click=MailboxState.open_thread(MessageState.id),
        ),
    ]
