"""What is done with the mail in a window, and what is asked before."""

from __future__ import annotations

import reflex as rx

from bitmail.attachments import LIMIT, megabytes
from bitmail.pages import browser
from bitmail.pages.compose.files import take
from bitmail.pages.compose.parts import is_unfilled, says
from bitmail.pages.elements import icon
from bitmail.pages.words import _
from bitmail.state.composer import Composer
from bitmail.state.window import element_id


def questions(slot: int, window: type[Composer]) -> rx.Component:
    """What is asked before the mail leaves, or is discarded."""

    def ask(lines: rx.Component, yes: str, event: object) -> rx.Component:
        return rx.el.div(
            lines,
            rx.el.div(
                rx.el.button(
                    yes, on_click=event, type="button", class_name="btn primary", id=element_id(slot, "asked")
                ),
                rx.el.button(_("Write on"), on_click=window.write_on, type="button", class_name="btn"),
                class_name="answers",
            ),
            role="alertdialog",
            aria_label=_("Question"),
            class_name="question",
        )

    typed = browser.values(slot, *browser.finish_all())
    return rx.fragment(
        rx.cond(
            window.asked.length() > 0,
            ask(rx.el.div(rx.foreach(window.asked, rx.el.p)), _("Send anyway"), window.send_anyway(typed)),
        ),
        rx.cond(
            window.asks_to_discard,
            ask(rx.el.p(_("Discard this draft?")), _("Discard"), window.discard(typed, True)),
        ),
    )


def foot(slot: int, window: type[Composer]) -> rx.Component:
    """What is done with the mail."""
    typed = browser.values(slot, *browser.finish_all())
    return rx.el.div(
        rx.el.button(icon("send"), _("Send"), type="submit", class_name="btn primary"),
        later(slot, window),
        rx.el.label(
            icon("paperclip"),
            browser.FilePicker.create(
                type="file",
                multiple=True,
                aria_label=_("Attach files"),
                on_change=lambda given: take(window, given),
            ),
            class_name="btn ghost pick",
            title=_("Attach files"),
        ),
        rich_button(slot, window),
        more(slot, window),
        rx.el.span(window.problem, class_name="says", role="alert"),
        rx.el.span(
            rx.el.span(window.summary),
            rx.cond((window.summary != "") & (window.weight != ""), "\N{NO-BREAK SPACE}· ", ""),
            rx.el.span(window.weight),
            class_name="muted count",
        ),
        rx.el.button(
            icon("trash-2"),
            on_click=window.discard(typed, False),
            type="button",
            aria_label=_("Discard"),
            title=_("Discard"),
            class_name="btn ghost",
        ),
        class_name="foot",
    )


def rich_button(slot: int, window: type[Composer]) -> rx.Component:
    """Between plain text and rich text."""
    typed = browser.values(slot)
    return rx.cond(
        window.rich != "",
        rx.el.button(
            icon("remove-formatting"),
            on_click=window.simplify(typed),
            disabled=is_unfilled(window),
            type="button",
            aria_label=_("Plain text"),
            title=_("Plain text"),
            class_name="btn ghost",
        ),
        rx.el.button(
            icon("type"),
            on_click=window.enrich(typed),
            disabled=is_unfilled(window),
            type="button",
            aria_label=_("Rich text"),
            title=_("Rich text"),
            class_name="btn ghost",
        ),
    )


def later(slot: int, window: type[Composer]) -> rx.Component:
    """Send at a time to be chosen, in the person's own time zone."""
    return rx.el.details(
        rx.el.summary(
            icon("clock"),
            rx.el.span(_("Send later")),
            class_name="btn",
            aria_label=_("Send later"),
            title=_("Send later"),
        ),
        rx.el.div(
            rx.el.label(_("Day and time"), html_for=element_id(slot, "at")),
            rx.el.input(
                type="datetime-local",
                id=element_id(slot, "at"),
                name="at",
                aria_describedby=element_id(slot, "says_at"),
            ),
            says(slot, window, "at"),
            rx.el.button(
                _("Schedule"),
                on_click=window.send_later(browser.values(slot, *browser.finish_all())),
                type="button",
                class_name="btn primary",
            ),
            class_name="sheet",
        ),
        class_name="later",
    )


def more(slot: int, window: type[Composer]) -> rx.Component:
    """What is seldom needed: templates, and where answers shall go."""
    typed = browser.values(slot)
    return rx.el.details(
        rx.el.summary(
            icon("ellipsis"),
            class_name="btn ghost",
            aria_label=_("More"),
            title=_("More"),
            on_click=window.list_templates,
        ),
        rx.el.div(
            rx.foreach(
                window.templates,
                lambda template: rx.el.button(
                    icon("file-text"),
                    template[1],
                    on_click=window.use_template(template[0], typed),
                    type="button",
                    class_name="btn ghost",
                ),
            ),
            rx.el.button(
                icon("save"),
                _("Save as a template"),
                on_click=window.save_template(typed),
                type="button",
                class_name="btn ghost",
            ),
            rx.el.button(
                icon("reply"),
                _("Set Reply-To"),
                on_click=window.show_field("reply_to"),
                type="button",
                class_name="btn ghost",
            ),
            rx.el.span(
                _("Files: at most {limit} as mail carries them", limit=megabytes(LIMIT)), class_name="muted"
            ),
            class_name="sheet",
        ),
        class_name="extras",
    )
