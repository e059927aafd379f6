"""The files of a mail: how they come in, and those that are there."""

from __future__ import annotations

import reflex as rx

from bitmail.pages import browser
from bitmail.pages.compose.parts import says
from bitmail.pages.elements import icon
from bitmail.pages.words import _
from bitmail.pictures import PICTURE_LIMIT
from bitmail.state.attaching import FileRow
from bitmail.state.composer import Composer


def take(window: type[Composer], given: rx.Var[list[object]]) -> list[rx.event.EventSpec]:
    """Files were picked, pasted or dropped. Words are none of ours; nor small pictures where the editor takes them."""
    is_text = (
        f"!{given!s}.every(f => /^image\\/(png|jpeg|gif|webp)$/.test(f.type) && f.size <= {PICTURE_LIMIT})"
    )
    some = (given.length() > 0) & ((window.rich == "") | rx.Var(is_text).to(bool))
    send = browser.upload(window.attach, given, window.window, progress=window.progress)
    return [
        rx.cond(some, window.announce(browser.described(given)).prevent_default.stop_propagation, rx.noop()),
        rx.cond(some, send, rx.noop()),
    ]


def files(slot: int, window: type[Composer]) -> rx.Component:
    """The files that go along, and those on their way."""

    def row(file: rx.Var[FileRow]) -> rx.Component:
        return rx.el.li(
            icon("paperclip"),
            rx.el.span(file.name, class_name="name", dir="auto"),
            rx.el.span(file.size, class_name="muted"),
            rx.cond(file.note != "", rx.el.span(file.note, class_name="warning")),
            rx.el.button(
                icon("x"),
                on_click=window.detach(file.id),
                type="button",
                aria_label=_("Remove {name}", name=file.name),
                class_name="btn bare",
            ),
            key=file.id.to_string(),
        )

    return rx.fragment(
        rx.el.ul(
            rx.foreach(window.files, row),
            rx.foreach(
                window.uploading,
                lambda name: rx.el.li(
                    icon("loader"),
                    rx.el.span(name, class_name="name", dir="auto"),
                    rx.el.progress(
                        value=window.percent, max=100, aria_label=_("Attaching {name}", name=name)
                    ),
                    rx.el.span(window.percent.to_string(), " %", class_name="muted"),
                    rx.el.button(
                        icon("x"),
                        on_click=window.give_up(name),
                        type="button",
                        aria_label=_("Do not wait for {name}", name=name),
                        class_name="btn bare",
                    ),
                ),
            ),
            class_name="enclosed",
            aria_label=_("Attachments"),
        ),
        says(slot, window, "attachments"),
    )
