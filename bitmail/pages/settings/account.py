"""Settings: what happened to the account, and how it ends."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import PostForm, icon
from bitmail.pages.settings.parts import says, secret_field, section, user_name
from bitmail.pages.words import _
from bitmail.state.settings import RecordRow, SettingsState


def trail() -> rx.Component:
    """What happened to the account."""
    return section(
        _("What happened"),
        _("The latest log-ins and changes of this account."),
        rx.el.ul(rx.foreach(SettingsState.records, record), aria_label=_("What happened")),
    )


def record(row: rx.Var[RecordRow]) -> rx.Component:
    """One line of it."""
    return rx.el.li(
        rx.el.span(
            rx.el.strong(row.what, class_name=rx.cond(row.is_bad, "says", "")),
            " ",
            rx.el.span(row.where, class_name="muted"),
        ),
        rx.el.time(row.when, class_name="muted"),
        key=row.id.to_string(),
    )


def departure() -> rx.Component:
    """Take everything along, or remove it."""
    return section(
        _("Your data"),
        _("All your mail is yours to take along."),
        rx.el.a(icon("download"), _("Download all mail"), href=routes.MBOX, download=True, class_name="btn"),
        rx.el.details(
            rx.el.summary(_("Delete this account")),
            rx.el.p(
                _(
                    "Your mail, drafts, contacts and settings are removed and cannot be brought back. "
                    "What you have sent stays with those who got it, and what is on its way still goes out. "
                    "Your name stays taken, so that nobody else gets your mail."
                )
            ),
            PostForm.create(
                user_name(),
                secret_field("password", _("Password"), "current-password"),
                says("delete"),
                rx.el.button(_("Delete for good"), type="submit", class_name="btn danger"),
                action=routes.DELETION,
                method="post",
            ),
            open=SettingsState.errors.contains("delete"),
        ),
    )
