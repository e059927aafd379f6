"""The windows in which mails are written, over whatever page is open."""

from __future__ import annotations

import reflex as rx

from bitmail.pages import browser
from bitmail.pages.compose.form import form
from bitmail.pages.toasts import toasts
from bitmail.pages.words import _
from bitmail.state.composer import COMPOSERS, Composer


def windows() -> rx.Component:
    """All windows that are open, and what was just done to a mail; they outlive the page below them."""
    return rx.fragment(
        rx.el.div(
            *(
                rx.cond(
                    window.window != "",
                    panel(slot, window),
                    rx.cond(rx.State.is_hydrated, browser.forget_spare(slot)),
                )
                for slot, window in enumerate(COMPOSERS)
            ),
            class_name="composers",
        ),
        toasts(),
    )


def panel(slot: int, window: type[Composer]) -> rx.Component:
    """One window."""
    title = rx.cond(window.title != "", window.title, _("New message"))
    return rx.el.section(
        form(slot, window, title),
        browser.WhenHidden.create(
            on_visibility_change=lambda hidden: rx.cond(
                hidden, window.keep(browser.values(slot, *browser.finish_all(only_addresses=True))), rx.noop()
            )
        ),
        rx.cond(rx.State.is_hydrated, rx.el.span(hidden=True, on_mount=window.keep(browser.values(slot)))),
        key=window.window,  # the form of another draft is another form, which is filled anew
        role="dialog",
        aria_label=title,
        class_name=rx.match(
            window.size, ("small", "composer small"), ("large", "composer large"), "composer"
        ),
    )
