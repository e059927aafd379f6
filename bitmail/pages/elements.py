"""The small things that every page is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import reflex as rx
from reflex_components_core.core.window_events import WindowEventListener
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


MARK = "data:image/svg+xml," + quote((Path(__file__).parents[2] / "assets/mark.svg").read_text())
"""The mark as an address, so that a page need not ask for it."""
ZONE = rx.Var(_js_expr="Intl.DateTimeFormat().resolvedOptions().timeZone", _var_type=str)
"""The browser's time zone."""


class PostForm(BaseHTML):
    """A form that the browser itself posts, so that the answer may set a cookie that no script can read."""

    tag = "form"

    action: rx.Var[str]
    method: rx.Var[str]
    target: rx.Var[str]


class AnswerFrame(BaseHTML):
    """Takes the answer to a form, so that the page stays; it tells whether one came, or something else instead."""

    tag = "iframe"

    name: rx.Var[str]
    on_load: rx.EventHandler[lambda event: [_is_answer(event), _is_lost(event)]]


class TickButton(rx.el.button.__self__):  # type: ignore[misc, name-defined]
    """A button that tells whether Shift was held."""

    on_click: rx.EventHandler[lambda event: [_is_true(event, "shiftKey")]]


class PageLink(rx.el.a.__self__):  # type: ignore[misc, name-defined]
    """A link to another page of the app, which the browser need not load anew; nothing but the router's own."""

    library = "react-router"
    tag = "Link"
    alias = "PageLink"

    to: rx.Var[str]
    on_click: rx.EventHandler[lambda event: [_is_plain(event)]]


class PrefetchPageLinks(rx.Component):
    """Loads what another page of the app is made of, before anybody goes there."""

    library = "react-router"
    tag = "PrefetchPageLinks"

    page: rx.Var[str]


class DropPlace(BaseHTML):
    """Where links may be dropped; it is told the address of the link."""

    tag = "div"

    on_drag_over: rx.EventHandler[rx.event.no_args_event_spec]
    on_drop: rx.EventHandler[lambda event: [_dropped(event)]]


class KeyListener(WindowEventListener):
    """Hears every key, and passes on those that are shortcuts while nothing is being typed."""

    on_key_down: rx.EventHandler[lambda event: [_shortcut(event)]]


def _is_answer(event: rx.Var[Any]) -> rx.Var[bool]:
    """Whether what came is an answer of ours that the page has to act on, and not the nothing a frame begins with."""
    return rx.Var(_js_expr=f"Boolean({event!s}.target.contentDocument?.body?.dataset.answer)", _var_type=bool)


def _is_lost(event: rx.Var[Any]) -> rx.Var[bool]:
    """Whether what came may not be read: a page of the browser's own, or a refusal that no frame may show."""
    return rx.Var(_js_expr=f"(!{event!s}.target.contentDocument)", _var_type=bool)


def _is_true(event: rx.Var[Any], name: str) -> rx.Var[bool]:
    return rx.Var(_js_expr=f"Boolean({event!s}.{name})", _var_type=bool)


def _is_plain(event: rx.Var[Any]) -> rx.Var[bool]:
    """Whether a click goes to the page, and not to another tab or window."""
    keys = " || ".join(f"{event!s}.{key}Key" for key in ("ctrl", "meta", "shift", "alt"))
    return rx.Var(_js_expr=f"!({keys})", _var_type=bool)


def _dropped(event: rx.Var[Any]) -> rx.Var[str]:
    return rx.Var(_js_expr=f"{event!s}.dataTransfer.getData('text/uri-list')", _var_type=str)


def _shortcut(event: rx.Var[Any]) -> rx.Var[str]:
    """The key, or "" when it is no shortcut: a letter being typed, the browser's own, Enter on what it presses, or all
    of them are off.

    Whether they are off is asked of the page at each key: the listener is set once, and knows no later state.
    """
    off = """document.querySelector('[data-shortcuts="0"]')"""
    busy = f"({event!s}.ctrlKey || {event!s}.metaKey || {event!s}.altKey || {event!s}.isComposing)"
    typing = f"{event!s}.target.closest?.('input, textarea, select, [contenteditable], [popover]')"
    pressing = f"({event!s}.key === 'Enter' && {event!s}.target.closest?.('a, button, summary'))"
    return rx.Var(_js_expr=f"({off} || {busy} || {typing} || {pressing} ? '' : {event!s}.key)", _var_type=str)


def link(*content: rx.Component | str | rx.Var[str], to: str | rx.Var[str], **props: Any) -> rx.Component:
    """A link to another page of the app."""
    return PageLink.create(*content, to=to, **props)


def icon_button(
    symbol: str, label: rx.Var[str], look: str = "btn ghost square", **props: Any
) -> rx.Component:
    """A button of one icon, with its name for the mouse and for screen readers."""
    return rx.el.button(icon(symbol), type="button", class_name=look, aria_label=label, title=label, **props)


def opener(id: str, *content: rx.Component, look: str, label: rx.Var[str], **attrs: Any) -> rx.Component:
    """A button that opens the popover of that id, which closes by itself, as browsers do it."""
    return rx.el.button(
        *content,
        type="button",
        class_name=look,
        aria_label=label,
        title=label,
        custom_attrs={"popoverTarget": id, **attrs},
        style={"anchor_name": f"--{id}"},
    )


def popover(id: str, *content: rx.Component, label: rx.Var[str], role: str = "group") -> rx.Component:
    """What an opener opens, beside it."""
    return rx.el.div(
        *content,
        id=id,
        class_name="popover",
        role=role,
        aria_label=label,
        custom_attrs={"popover": "auto"},
        style={"position_anchor": f"--{id}"},
    )


def choice(id: str, *content: rx.Component | str | rx.Var[str], **props: Any) -> rx.Component:
    """A button in the popover of that id, which closes it."""
    return rx.el.button(
        *content,
        type="button",
        class_name="choice",
        custom_attrs={"popoverTarget": id, "popoverTargetAction": "hide"},
        **props,
    )


def icon(name: str, size: int = 16) -> rx.Component:
    """A Lucide icon that says nothing to a screen reader: the word stands beside it."""
    return rx.icon(name, size=size, stroke_width=1.9, custom_attrs={"aria-hidden": "true"})


def mark(size: int = 26) -> rx.Component:
    """The mark: an envelope whose lower edge carries two bits."""
    return rx.el.img(src=MARK, width=str(size), height=str(size), alt="", class_name="mark")


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
