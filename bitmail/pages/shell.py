"""What stands around every page of a person who is logged in."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import ZONE, DropPlace, KeyListener, PostForm, icon, link, mark, opener, popover
from bitmail.pages.login import again
from bitmail.pages.words import _
from bitmail.places import FOLDER_NAME
from bitmail.state.compose import ComposeState
from bitmail.state.keys import HELP, HELP_ID, KEYS, KeysState
from bitmail.state.mailbox import MailboxState
from bitmail.state.selection import SelectionState
from bitmail.state.session import FolderRow, SessionState, ShownNotice
from bitmail.view import ROUTES

PLACES = (
    (_("Inbox"), routes.INBOX, "inbox", SessionState.unread),
    (_("Drafts"), routes.DRAFTS, "pencil", SessionState.drafts),
    (_("Outbox"), routes.OUTBOX, "clock", SessionState.outbox),
    (_("Sent"), routes.SENT, "send", ""),
    (_("Archive"), routes.ARCHIVE, "archive", ""),
    (_("Spam"), routes.SPAM, "circle-alert", SessionState.spam),
    (_("Trash"), routes.TRASH, "trash-2", ""),
    (_("Contacts"), routes.CONTACTS, "users", ""),
)


def shell(here: str, *panes: rx.Component, is_open: rx.Var[bool] | bool = False) -> rx.Component:
    """A page.

    Args:
        here: the route of the mailbox on show.
        panes: what stands beside the rail.
        is_open: whether the last pane is the one to see where only one fits.
    """
    return rx.el.div(
        rail(here),
        rx.el.main(*panes, class_name="panes"),
        compose_button("fab") if here != routes.COMPOSE else rx.fragment(),
        notices(),
        keys(),
        again(SessionState.name),
        class_name="app",
        on_mount=SessionState.set_zone(ZONE),
        custom_attrs={
            "data-density": SessionState.density,
            "data-shortcuts": rx.cond(SessionState.shortcuts, "1", "0"),
            "data-open": rx.cond(is_open, "1", "0"),
            "data-hydrated": rx.cond(rx.State.is_hydrated, "1", "0"),
        },
    )


def named(name: rx.Var[str]) -> rx.Var[str]:
    """What the browser's tab says on a page that is no list."""
    return rx.Var.create(f"{name} · BitMail")


def title(here: str, name: rx.Var[str]) -> rx.Var[str]:
    """What the browser's tab says: how much is unread, and what is shown."""
    count = rx.cond(SessionState.unread != "", f"({SessionState.unread}) ", "")
    shown = rx.cond(MailboxState.title != "", MailboxState.title, name) if here == routes.FOLDER else name
    return rx.Var.create(f"{count}{shown} · BitMail")


def rail(here: str) -> rx.Component:
    """The mailboxes, and who is logged in."""
    return rx.el.nav(
        rx.el.div(mark(), rx.el.span("BitMail"), class_name="brand"),
        compose_button("btn primary") if here != routes.COMPOSE else rx.fragment(),
        *links(here),
        footer(),
        class_name="rail",
        aria_label=_("Mailboxes"),
    )


def links(here: str, menu: str = "") -> list[rx.Component]:
    """One link a place, with how much is new in it; a place takes what is dropped on it."""
    return [
        *(place(here, *known) for known in PLACES),
        rx.foreach(SessionState.folders, lambda folder: folder_link(here, folder)),
        opener(
            f"new_folder{menu}",
            icon("folder-plus"),
            rx.el.span(_("New folder")),
            look="nav",
            label=_("New folder"),
        ),
        popover(
            f"new_folder{menu}",
            name_form(SessionState.create_folder, "", SessionState.folder_problem, _("Create")),
            label=_("New folder"),
            role="dialog",
        ),
    ]


def place(here: str, name: str, route: str, symbol: str, count: rx.Var[str] | str) -> rx.Component:
    """One of the places everyone has; Outbox only while something is in it."""
    shown = link(
        icon(symbol),
        rx.el.span(name),
        rx.el.b(count, custom_attrs={"aria-hidden": "true"}),
        to=route,
        class_name="nav on" if route == here else "nav",
        aria_label=name,
        title=name,
        custom_attrs={"aria-current": "page"} if route == here else {},
    )
    if route == routes.OUTBOX:
        return shown if here == route else rx.cond(count != "", shown)
    if route in (routes.DRAFTS, routes.SENT, routes.CONTACTS):
        return shown
    return takes_drops(shown, ROUTES[route].value)


def folder_link(here: str, folder: rx.Var[FolderRow]) -> rx.Component:
    """A folder of one's own."""
    is_here = (MailboxState.place == folder.place) if here == routes.FOLDER else rx.Var.create(False)
    shown = link(
        icon("folder"),
        rx.el.span(folder.name, dir="auto"),
        rx.el.b(folder.unread, custom_attrs={"aria-hidden": "true"}),
        to=folder.href,
        class_name=rx.cond(is_here, "nav on", "nav"),
        aria_label=folder.name,
        title=folder.name,
        custom_attrs={"aria-current": rx.cond(is_here, "page", "false")},
    )
    return takes_drops(shown, folder.place)


def takes_drops(target: rx.Component, to: rx.Var[str] | str) -> rx.Component:
    """A link that mails can be dropped on."""
    return DropPlace.create(
        target,
        on_drag_over=rx.prevent_default,
        on_drop=lambda address: SelectionState.drop(address, to).prevent_default,
        class_name="drop",
    )


def name_form(
    submit: rx.EventHandler, value: rx.Var[str] | str, problem: rx.Var[str], verb: rx.Var[str]
) -> rx.Component:
    """Asks for a folder's name."""
    return rx.el.form(
        rx.el.input(
            name="name",
            default_value=value,
            key=value,
            placeholder=_("Name of the folder"),
            aria_label=_("Name of the folder"),
            max_length=FOLDER_NAME,
            required=True,
            auto_focus=True,
            auto_complete="off",
        ),
        rx.el.button(verb, type="submit", class_name="btn primary"),
        rx.el.p(problem, class_name="says", role="alert"),
        on_submit=submit,
        class_name="ask",
    )


def footer() -> rx.Component:
    """Who is logged in, the way out, and the version."""
    return rx.el.footer(
        rx.cond(
            SessionState.is_demo,
            rx.el.span(_("demo: mail comes back to you"), class_name="demo"),
        ),
        rx.cond(
            SessionState.is_operator,
            link(icon("activity"), rx.el.span(_("Operations")), to=routes.OPS, class_name="nav"),
        ),
        rx.el.span(SessionState.address, title=SessionState.address),
        link(
            icon("settings"),
            rx.el.span(_("Settings")),
            to=routes.SETTINGS,
            class_name="btn ghost",
            title=_("Settings"),
        ),
        PostForm.create(
            rx.el.button(icon("log-out"), rx.el.span(_("Log out")), type="submit", class_name="btn ghost"),
            action=routes.LEAVE,
            method="post",
        ),
        rx.el.span(SessionState.version, class_name="version", title=_("Version")),
    )


def menu(here: str, title: rx.Var[str]) -> rx.Component:
    """The rail's narrow stand-in: a bar with the mailbox's name, and all of the rail behind it."""
    return rx.el.details(
        rx.el.summary(
            icon("menu", 20),
            rx.el.span(MailboxState.title if here == routes.FOLDER else title),
            rx.cond(
                SessionState.unread != "",
                rx.el.span(_("{count} unread", count=SessionState.unread), class_name="muted"),
            )
            if here == routes.INBOX
            else rx.fragment(),
            aria_label=_("Menu, {title}", title=title),
        ),
        rx.el.div(*links(here, "_narrow"), footer(), class_name="drawer"),
        class_name="top",
    )


def compose_button(look: str) -> rx.Component:
    """Begin a new mail."""
    return rx.el.button(
        icon("pencil", 22 if look == "fab" else 16),
        rx.el.span(_("Compose")),
        on_click=ComposeState.new,
        type="button",
        class_name=look,
        aria_label=_("Compose"),
    )


def notices() -> rx.Component:
    """What has just become of a mail."""
    return rx.el.div(
        rx.foreach(SessionState.notices, notice),
        rx.cond(SelectionState.done != "", done()),
        class_name="toasts",
        role="status",
        aria_live="polite",
        aria_label=_("Notices"),
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
            aria_label=_("Dismiss"),
        ),
        class_name="toast",
        key=shown.number.to_string(),
    )


def done() -> rx.Component:
    """What was just done with mails, and the way back."""
    return rx.el.div(
        rx.el.span(SelectionState.done),
        rx.cond(
            SelectionState.can_undo,
            rx.el.button(_("Undo"), on_click=SelectionState.undo, type="button", class_name="btn bare undo"),
        ),
        rx.el.button(
            icon("x"),
            on_click=SelectionState.close_toast,
            type="button",
            class_name="btn bare",
            aria_label=_("Dismiss"),
        ),
        class_name="toast",
        key=SelectionState.done_number.to_string(),
    )


def keys() -> rx.Component:
    """The shortcuts, and their help."""
    is_shortcut = rx.Var.create(list(KEYS))
    return rx.fragment(
        KeyListener.create(
            on_key_down=lambda key: rx.cond(is_shortcut.contains(key), KeysState.press(key), rx.noop())
        ),
        rx.cond(
            KeysState.is_helping,
            rx.el.div(
                rx.el.h2(_("Shortcuts")),
                rx.el.dl(
                    *(
                        rx.fragment(rx.el.dt(rx.el.kbd(_(keys))), rx.el.dd(_(meaning)))
                        for keys, meaning in HELP
                    )
                ),
                rx.el.button(
                    _("Close"), id=HELP_ID, on_click=KeysState.close_help, type="button", class_name="btn"
                ),
                class_name="help",
                role="dialog",
                aria_label=_("Shortcuts"),
            ),
        ),
    )


def connection() -> rx.Component:
    """What every page says while the server cannot be reached."""
    from reflex_components_core.core.banner import has_connection_errors

    return rx.cond(
        has_connection_errors,
        rx.el.div(
            icon("wifi-off"),
            rx.el.span(
                _(
                    "The server does not answer. What you typed is safe here, "
                    "and the page goes on by itself once the server is back."
                )
            ),
            class_name="offline",
            role="alert",
        ),
    )
