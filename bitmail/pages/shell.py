"""What stands around every page of a person who is logged in."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import PostForm, icon, mark
from bitmail.state.compose import ComposeState
from bitmail.state.session import SessionState, ShownNotice

PLACES = (
    ("Inbox", routes.INBOX, "inbox", SessionState.unread),
    ("Drafts", routes.DRAFTS, "pencil", SessionState.drafts),
    ("Sent", routes.SENT, "send", ""),
    ("Contacts", routes.CONTACTS, "users", ""),
)
ZONE = rx.Var(_js_expr="Intl.DateTimeFormat().resolvedOptions().timeZone", _var_type=str)


def shell(here: str, *panes: rx.Component, is_open: rx.Var[bool] | bool = False) -> rx.Component:
    """A page.

    Args:
        here: the route of the mailbox on show.
        panes: what stands beside the rail.
        is_open: whether the last pane is the one to see where only one fits.
    """
    return rx.el.div(
        rail(here),
        *panes,
        compose_button("fab") if here != routes.COMPOSE else rx.fragment(),
        notices(),
        class_name="app",
        on_mount=SessionState.set_zone(ZONE),
        custom_attrs={
            "data-open": rx.cond(is_open, "1", "0"),
            "data-hydrated": rx.cond(rx.State.is_hydrated, "1", "0"),
        },
    )


def rail(here: str) -> rx.Component:
    """The mailboxes, and who is logged in."""
    return rx.el.nav(
        rx.el.div(mark(), rx.el.span("BitMail"), class_name="brand"),
        compose_button("btn primary") if here != routes.COMPOSE else rx.fragment(),
        *links(here),
        footer(),
        class_name="rail",
        aria_label="Mailboxes",
    )


def links(here: str) -> list[rx.Component]:
    """One link a mailbox, with how much is new in it."""
    return [
        rx.link(
            icon(symbol),
            rx.el.span(name),
            rx.el.b(count, custom_attrs={"aria-hidden": "true"}),
            href=route,
            underline="none",
            class_name="nav on" if route == here else "nav",
            aria_label=name,
            custom_attrs={"aria-current": "page"} if route == here else {},
        )
        for name, route, symbol, count in PLACES
    ]


def footer() -> rx.Component:
    """Who is logged in, the way out, and the version."""
    return rx.el.footer(
        rx.cond(
            SessionState.is_demo,
            rx.el.span("demo: mail comes back to you", class_name="demo"),
        ),
        rx.el.span(SessionState.address, title=SessionState.address),
        PostForm.create(
            rx.el.button(icon("log-out"), rx.el.span("Log out"), type="submit", class_name="btn ghost"),
            action=routes.LEAVE,
            method="post",
        ),
        rx.el.span(SessionState.version, class_name="version", title="Version"),
    )


def menu(here: str, title: str) -> rx.Component:
    """The rail's narrow stand-in: a bar with the mailbox's name, and all of the rail behind it."""
    return rx.el.details(
        rx.el.summary(icon("menu", 20), rx.el.span(title), aria_label=f"Menu, {title}"),
        rx.el.div(*links(here), footer(), class_name="drawer"),
        class_name="top",
    )


def compose_button(look: str) -> rx.Component:
    """Begin a new mail."""
    return rx.el.button(
        icon("pencil", 22 if look == "fab" else 16),
        rx.el.span("Compose"),
        on_click=ComposeState.new,
        type="button",
        class_name=look,
        aria_label="Compose",
    )


def notices() -> rx.Component:
    """What has just become of a mail."""
    return rx.el.div(
        rx.foreach(SessionState.notices, notice),
        class_name="toasts",
        role="status",
        aria_live="polite",
        aria_label="Notices",
    )


def notice(shown: rx.Var[ShownNotice]) -> rx.Component:
    """One notice, and the way to be rid of it."""
    return rx.el.div(
        rx.cond(shown.good, icon("check"), icon("triangle-alert")),
        rx.el.span(shown.text),
        rx.el.button(
            icon("x"),
            on_click=SessionState.dismiss(shown.number),
            type="button",
            class_name="btn bare",
            aria_label="Dismiss",
        ),
        class_name="toast",
        key=shown.number.to_string(),
    )


def connection() -> rx.Component:
    """What every page says while the server cannot be reached."""
    from reflex_components_core.core.banner import has_connection_errors

    return rx.cond(
        has_connection_errors,
        rx.el.div(
            icon("wifi-off"),
            rx.el.span(
                "The server does not answer. What you typed is safe here, "
                "and the page goes on by itself once the server is back."
            ),
            class_name="offline",
            role="alert",
        ),
    )
