"""The page on which a mail is written."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.drafts import SUBJECT_LIMIT, TEXT_LIMIT
from bitmail.pages.elements import DraftForm, icon
from bitmail.pages.mailbox import listing
from bitmail.pages.shell import shell
from bitmail.state.compose import FIELDS, ComposeState, field_id

SAVE_AFTER = 3000
"""Milliseconds after the last key."""


def compose() -> rx.Component:
    """The form, over the mails it may be about."""
    return shell(routes.COMPOSE, listing(routes.INBOX, "Inbox"), form(), is_open=True)


def form() -> rx.Component:
    """Recipients, subject and text. The browser keeps what is typed, whatever becomes of the server meanwhile."""
    return DraftForm.create(
        rx.el.header(
            rx.link(
                icon("arrow-left"), "Back", href=routes.INBOX, underline="none", class_name="btn ghost back"
            ),
            rx.el.h1("New message"),
            rx.el.span(ComposeState.saved, class_name="muted", role="status"),
        ),
        rx.el.input(type="hidden", name="draft", value=ComposeState.key, read_only=True),
        line("to", "Addresses, separated by ; or ,"),
        line("cc"),
        line("bcc"),
        line("subject"),
        rx.el.textarea(
            id=field_id("text"),
            name="text",
            aria_label=FIELDS["text"],
            aria_describedby="says_text",
            max_length=TEXT_LIMIT,
            dir="auto",
        ),
        says("text"),
        rx.el.div(
            rx.el.button(icon("send"), "Send", type="submit", class_name="btn primary"),
            rx.el.span(ComposeState.problem, class_name="says", role="alert"),
            class_name="foot",
        ),
        on_mount=ComposeState.begin,
        on_submit=ComposeState.send,
        on_input=ComposeState.save.debounce(SAVE_AFTER),
        on_blur=ComposeState.save,
        class_name="compose",
        no_validate=True,
        auto_complete="off",
        aria_label="New message",
    )


def line(name: str, hint: str = "") -> rx.Component:
    """One field of one line that grows, and what is wrong with it."""
    is_people = name != "subject"
    return rx.el.div(
        rx.el.label(FIELDS[name], html_for=field_id(name)),
        rx.el.textarea(
            id=field_id(name),
            name=name,
            rows="1",
            placeholder=hint,
            spell_check=not is_people,
            auto_capitalize="none" if is_people else "sentences",
            aria_label=FIELDS[name],
            aria_describedby=f"says_{name}",
            custom_attrs={"aria-invalid": rx.cond(ComposeState.errors.contains(name), "true", "false")},
            dir="auto",
        )
        if is_people
        else rx.el.input(
            id=field_id(name),
            name=name,
            max_length=SUBJECT_LIMIT,
            aria_label=FIELDS[name],
            aria_describedby=f"says_{name}",
            dir="auto",
        ),
        says(name),
        class_name="f",
    )


def says(name: str) -> rx.Component:
    """What is wrong with a field."""
    return rx.el.p(ComposeState.errors.get(name, ""), id=f"says_{name}", class_name="says", role="alert")
