"""The head of a window: what is written, whether it is kept, and the window's own buttons."""

from __future__ import annotations

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from bitmail.pages import browser
from bitmail.pages.elements import icon
from bitmail.pages.words import _
from bitmail.state.composer import Composer


def header(slot: int, window: type[Composer], title: rx.Var[str]) -> rx.Component:
    """What is written, whether it is kept, and the window's own buttons."""
    kept = browser.values(slot, *browser.finish_all())
    is_small = window.size == "small"

    def button(symbol: str, label: rx.Var[str], event: object, look: str = "") -> rx.Component:
        return rx.el.button(
            icon(symbol),
            on_click=event,
            type="button",
            aria_label=label,
            title=label,
            class_name=f"btn bare {look}",
        )

    return rx.el.header(
        rx.el.h2(title, dir="auto"),
        rx.el.span(
            rx.cond(has_connection_errors, _("Not saved, retrying"), window.saved),
            class_name="muted",
            role="status",
        ),
        rx.cond(
            is_small,
            button("chevron-up", _("Restore"), window.resize("")),
            button("minus", _("Minimise"), window.resize("small"), "wide-only"),
        ),
        rx.cond(
            window.size == "large",
            button("minimize-2", _("Make smaller"), window.resize(""), "wide-only"),
            button("maximize-2", _("Make larger"), window.resize("large"), "wide-only"),
        ),
        button("x", _("Close"), window.close(kept)),
    )
