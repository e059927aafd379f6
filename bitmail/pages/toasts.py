"""What was just done to a mail, and the way back, over whatever page is open."""

from __future__ import annotations

import reflex as rx

from bitmail.pages.elements import icon
from bitmail.pages.words import _
from bitmail.state.toasts import Toast, ToastState


def toasts() -> rx.Component:
    """What was just done, and the way back."""

    def toast(shown: rx.Var[Toast]) -> rx.Component:
        def undo(event: object) -> rx.Component:
            return rx.el.button(_("Undo"), on_click=event, type="button", class_name="btn bare undo")

        return rx.el.div(
            rx.el.span(shown.text),
            rx.cond(shown.mail > 0, undo(ToastState.undo_send(shown.mail))),
            rx.cond(shown.draft != "", undo(ToastState.undo_discard(shown.draft))),
            rx.el.button(
                icon("x"),
                on_click=ToastState.dismiss(shown.number),
                type="button",
                class_name="btn bare",
                aria_label=_("Dismiss"),
            ),
            class_name="toast",
            key=shown.number.to_string(),
        )

    return rx.el.div(
        rx.foreach(ToastState.toasts, toast), class_name="toasts done", role="status", aria_label=_("Done")
    )
