"""The small things that every page is made of."""

from __future__ import annotations

from collections.abc import Sequence

import reflex as rx
from reflex_components_core.el.elements.base import BaseHTML

from mta.outcomes import Status

STATUS_ICONS = {
    Status.QUEUED: ("clock", "wait"),
    Status.SENDING: ("loader", "wait"),
    Status.SENT: ("send", "info"),
    Status.DELIVERED: ("check", "ok"),
    Status.DEFERRED: ("clock", "wait"),
    Status.BOUNCED: ("x", "bad"),
    Status.COMPLAINED: ("flag", "bad"),
    Status.FAILED: ("x", "bad"),
    Status.UNCERTAIN: ("circle-help", "wait"),
    Status.CANCELLED: ("ban", "wait"),
}
"""How a status looks, beside its word: an icon and a colour."""


class PostForm(BaseHTML):
    """A form that the browser itself posts, so that the answer may set a cookie that no script can read."""

    tag = "form"

    action: rx.Var[str]
    method: rx.Var[str]


def icon(name: str, size: int = 16) -> rx.Component:
    """A Lucide icon that says nothing to a screen reader: the word stands beside it."""
    return rx.icon(name, size=size, stroke_width=1.9, custom_attrs={"aria-hidden": "true"})


def mark(size: int = 26) -> rx.Component:
    """The mark: an envelope whose lower edge carries two bits."""
    return rx.el.img(src="/mark.svg", width=str(size), height=str(size), alt="", class_name="mark")


def badge(status: rx.Var[str], words: rx.Var[str]) -> rx.Component:
    """A status: an icon, a word and a colour."""
    shown = [
        (known.value, rx.el.span(icon(name, 12), words, class_name=f"badge {tone}"))
        for known, (name, tone) in STATUS_ICONS.items()
    ]
    return rx.match(status, *shown, rx.fragment())


def avatar(initials: rx.Var[str]) -> rx.Component:
    """A person's initials; the name stands beside them."""
    return rx.el.div(initials, class_name="avatar", custom_attrs={"aria-hidden": "true"})


def note(text: str | rx.Var[str], *more: rx.Component) -> rx.Component:
    """What an empty or broken view says, and the next step."""
    return rx.el.div(rx.el.p(text), *more, class_name="note")


def skeleton(count: int) -> rx.Component:
    """Rows of the size of those to come."""
    row = rx.el.div(
        rx.el.div(class_name="avatar"),
        rx.el.div(class_name="bone"),
        rx.el.div(class_name="bone short"),
        class_name="row skeleton",
    )
    return rx.el.div(*[row] * count, custom_attrs={"aria-hidden": "true"})


def ready(state: rx.Var[bool], view: Sequence[rx.Component], waiting: rx.Component) -> rx.Component:
    """The view, or what stands for it until it has come."""
    return rx.cond(state, rx.fragment(*view), waiting)
