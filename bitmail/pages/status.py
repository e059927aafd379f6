"""What became of a mail, recipient by recipient."""

from __future__ import annotations

import reflex as rx

from bitmail.pages.elements import badge, icon
from bitmail.pages.words import _, in_words
from bitmail.state.delivery import SHOWN, DeliveryRow, DeliveryState, StepRow


def deliveries() -> rx.Component:
    """Everyone the mail went to, and what can be done; nothing for a mail that was not sent from here."""
    return rx.cond(
        DeliveryState.deliveries.length() > 0,
        rx.el.div(
            rx.el.ul(
                rx.foreach(DeliveryState.deliveries, delivery), class_name="table", aria_label=_("Deliveries")
            ),
            rx.el.div(
                rx.cond(
                    DeliveryState.more > 0,
                    rx.el.button(
                        _("Show {count} more of {all}", count=SHOWN, all=DeliveryState.more),
                        on_click=DeliveryState.show_more,
                        type="button",
                        class_name="linked",
                    ),
                ),
                rx.cond(
                    DeliveryState.can_cancel,
                    rx.el.button(
                        _("Cancel what still waits"),
                        on_click=DeliveryState.cancel,
                        type="button",
                        class_name="linked",
                    ),
                ),
                rx.el.button(
                    _("Edit and send again"),
                    on_click=DeliveryState.write_anew(""),
                    type="button",
                    class_name="linked",
                ),
                class_name="whole",
            ),
            class_name="deliveries",
        ),
    )


def delivery(recipient: rx.Var[DeliveryRow]) -> rx.Component:
    """One recipient: how it stands, in a sentence, the action that helps, and how it came to that."""
    return rx.el.li(
        rx.el.span(recipient.recipient, class_name="who"),
        rx.el.span(badge(recipient.status, in_words(recipient.status)), role="status"),
        rx.cond(recipient.story != "", rx.el.p(recipient.story)),
        rx.el.div(
            rx.cond(
                recipient.can_retry,
                rx.el.button(
                    _("Try again now"),
                    on_click=DeliveryState.retry(recipient.id),
                    type="button",
                    class_name="linked",
                    aria_label=_("Try {recipient} again now", recipient=recipient.recipient),
                ),
            ),
            rx.cond(
                recipient.can_write_anew,
                rx.el.button(
                    _("Correct the address and send again"),
                    on_click=DeliveryState.write_anew(recipient.id),
                    type="button",
                    class_name="linked",
                ),
            ),
            rx.el.details(
                rx.el.summary(_("History")),
                rx.el.ol(rx.foreach(recipient.steps, step), class_name="timeline"),
                class_name="history",
            ),
            class_name="helps",
        ),
        class_name="tr",
        key=recipient.id,
    )


def step(one: rx.Var[StepRow]) -> rx.Component:
    """One thing that happened."""
    return rx.el.li(
        rx.match(
            one.tone,
            ("good", rx.el.span(icon("check", 12), class_name="dot ok")),
            ("poor", rx.el.span(icon("x", 12), class_name="dot bad")),
            rx.el.span(icon("clock", 12), class_name="dot wait"),
        ),
        rx.el.time(one.time, title=one.full_time, aria_label=one.full_time),
        rx.el.div(
            rx.el.span(one.text),
            rx.cond(one.plain != "", rx.el.span(" ", one.plain)),
            rx.cond(one.words != "", rx.el.q(one.words, dir="auto")),
        ),
    )
