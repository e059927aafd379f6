"""What is typed into a window: people, subject and text."""

from __future__ import annotations

import reflex as rx

from bitmail.drafts import SUBJECT_LIMIT, TEXT_LIMIT
from bitmail.pages import browser
from bitmail.pages.compose.files import files, take
from bitmail.pages.compose.foot import foot, questions
from bitmail.pages.compose.header import header
from bitmail.pages.compose.parts import is_unfilled, says
from bitmail.pages.compose.people import people_field
from bitmail.pages.editor import RichEditor
from bitmail.pages.words import _
from bitmail.state.composer import Composer
from bitmail.state.window import element_id

SAVE_AFTER = 3000
"""Milliseconds after the last key."""


def form(slot: int, window: type[Composer], title: rx.Var[str]) -> rx.Component:
    """People, subject, text and files."""
    finished = browser.values(slot, *browser.finish_all())
    left = browser.values(slot, *browser.finish_all(only_addresses=True))
    return browser.ComposerForm.create(
        header(slot, window, title),
        rx.el.input(type="hidden", name="loaded", id=element_id(slot, "loaded")),
        rx.el.div(
            people_field(slot, window, "to", hint=_("Addresses, separated by ; or ,")),
            rx.el.div(people_field(slot, window, "cc"), people_field(slot, window, "bcc"), class_name="pair"),
            rx.cond(window.extra.contains("reply_to"), people_field(slot, window, "reply_to")),
            subject(slot, window),
            rx.el.textarea(
                id=element_id(slot, "text"),
                name="text",
                aria_label=_("Message"),
                aria_describedby=element_id(slot, "says_text"),
                max_length=TEXT_LIMIT,
                read_only=is_unfilled(window),
                dir="auto",
                hidden=window.rich != "",
                class_name="words",
            ),
            rx.el.textarea(
                id=element_id(slot, "html"), name="html", hidden=True, custom_attrs={"aria-hidden": "true"}
            ),
            rx.cond(window.rich != "", rich_text(slot, window)),
            says(slot, window, "text"),
            files(slot, window),
            class_name="inside",
        ),
        questions(slot, window),
        foot(slot, window),
        name=browser.form_name(slot),
        no_validate=True,
        auto_complete="off",
        on_mount=window.begin(browser.spare(slot)),
        on_submit=lambda: window.send(finished).prevent_default,
        on_input=lambda: window.keep(browser.values(slot)).debounce(SAVE_AFTER),
        on_blur=lambda: window.keep(left),
        on_paste_capture=lambda given: take(window, given),
        on_drop_capture=lambda given: take(window, given),
        on_drag_over=lambda: rx.noop().prevent_default,
        on_key_down=lambda chord: rx.cond(
            chord == "mod+Enter",
            window.send(finished).prevent_default,
            rx.cond(chord == "mod+s", window.keep(left).prevent_default, rx.noop()),
        ),
    )


def rich_text(slot: int, window: type[Composer]) -> rx.Component:
    """The editor, which comes when it is asked for. The form has its text at each key."""
    mirror = f'document.forms.{browser.form_name(slot)}?.elements["html"]'
    return rx.el.div(
        RichEditor.create(
            value=rx.Var(f'{mirror}?.value ?? ""', _var_type=str),
            on_change=lambda html: window.keep(
                browser.values(slot, rx.Var(f'f.elements["html"].value = {html!s}', _var_type=str))
            ).debounce(SAVE_AFTER),
        ),
        role="group",
        aria_label=_("Message"),
        class_name="rich",
    )


def subject(slot: int, window: type[Composer]) -> rx.Component:
    """What the mail is about."""
    id = element_id(slot, "subject")
    return rx.el.div(
        rx.el.label(_("Subject"), html_for=id),
        browser.LineField.create(
            id=id,
            name="subject",
            max_length=SUBJECT_LIMIT,
            read_only=is_unfilled(window),
            aria_label=_("Subject"),
            aria_describedby=element_id(slot, "says_subject"),
            dir="auto",
            on_key_down=lambda key, _, is_chord: rx.cond(
                (key == "Enter") & ~is_chord,
                rx.set_focus(element_id(slot, "text")).prevent_default,
                rx.noop(),
            ),
        ),
        says(slot, window, "subject"),
        class_name="f",
    )
