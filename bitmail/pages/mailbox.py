"""A mailbox: its list, and the mail that is open in it."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.compose import answers
from bitmail.pages.elements import avatar, badge, icon, note, ready, skeleton
from bitmail.pages.message import message
from bitmail.pages.shell import menu, shell
from bitmail.state.mailbox import MailboxState, Row
from bitmail.state.message import MessageState

EMPTY = {
    routes.INBOX: "No mail here yet. What others send you appears here by itself.",
    routes.DRAFTS: "No drafts. What you begin to write is kept here.",
    routes.SENT: "Nothing sent yet. Compose a mail, and you can watch it on its way here.",
}


def mailbox(here: str, title: str) -> rx.Component:
    """The page of one mailbox."""
    return shell(
        here,
        listing(here, title),
        reading(here),
        is_open=(MessageState.id > 0) | (MessageState.missing != ""),
    )


def listing(here: str, title: str) -> rx.Component:
    """The rows, newest first."""
    return rx.el.section(
        menu(here, title),
        rx.el.div(rx.el.h2(title), class_name="bar wide"),
        rx.el.div(
            ready(
                MailboxState.is_loaded,
                [
                    rx.foreach(MailboxState.rows, row),
                    rx.cond(MailboxState.rows.length() == 0, note(EMPTY[here])),
                    pager(),
                ],
                skeleton(6),
            ),
            class_name="rows",
        ),
        class_name="list",
        aria_label=title,
    )


def row(mail: rx.Var[Row]) -> rx.Component:
    """One mail: who and when; what about, and its status."""
    return rx.link(
        avatar(mail.initials),
        rx.el.span(mail.who, class_name="who", dir="auto"),
        rx.el.time(mail.time, title=mail.full_time, aria_label=mail.full_time),
        rx.el.span(
            mail.subject,
            rx.cond(mail.snippet != "", rx.el.span(" · ", mail.snippet)),
            class_name="sub",
            dir="auto",
        ),
        badge(mail.status, mail.status_text),
        href=mail.href,
        underline="none",
        class_name=rx.cond(mail.unread, "row new", "row"),
        custom_attrs={"aria-current": rx.cond(mail.id == MessageState.id, "true", "false")},
        key=mail.id.to_string(),
    )


def pager() -> rx.Component:
    """The way to older mails, and back."""
    return rx.el.div(
        rx.cond(
            MailboxState.newer_href != "",
            rx.link("Newest", href=MailboxState.newer_href, class_name="btn"),
        ),
        rx.cond(
            MailboxState.older_href != "",
            rx.link("Older", href=MailboxState.older_href, class_name="btn"),
        ),
        class_name="pager",
    )


def reading(here: str) -> rx.Component:
    """The open mail, or what to do about there being none."""
    back = rx.link(icon("arrow-left"), "Back", href=here, underline="none", class_name="btn ghost back")
    return rx.el.section(
        rx.el.div(back, rx.cond(MessageState.id > 0, answers()), class_name="bar"),
        rx.cond(
            MessageState.id > 0,
            message(),
            rx.cond(
                MessageState.missing != "",
                note(MessageState.missing),
                note("Pick a mail to read it here."),
            ),
        ),
        class_name="read",
        aria_label="Message",
    )
