"""Settings: what opens the account, and where it is open."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import PostForm
from bitmail.pages.settings.parts import row_button, says, secret_field, section, user_name
from bitmail.pages.words import _
from bitmail.state.settings import SessionRow, SettingsState


def password() -> rx.Component:
    """Another password."""
    return section(
        _("Password"),
        _("Every other browser is logged out when you change it."),
        PostForm.create(
            user_name(),
            secret_field("now", _("Password of now"), "current-password"),
            secret_field("new", _("New password"), "new-password"),
            says("password"),
            rx.el.button(_("Change password"), type="submit", class_name="btn"),
            action=routes.NEW_PASSWORD,
            method="post",
        ),
    )


def second_factor() -> rx.Component:
    """A code at each log-in."""
    return section(
        _("Second factor"),
        _("With it, a stranger who learned your password still cannot get in."),
        rx.cond(
            SettingsState.recovery.length() > 0,
            rx.el.div(
                rx.el.p(
                    _(
                        "It is on. Keep these recovery codes where you find them without your phone; each opens once."
                    )
                ),
                rx.el.pre(SettingsState.recovery.join("\n"), class_name="codes"),
            ),
        ),
        rx.cond(
            SettingsState.has_second_factor,
            rx.el.form(
                user_name(),
                secret_field("password", _("Password"), "current-password"),
                says("code"),
                rx.el.button(_("Turn off"), type="submit", class_name="btn"),
                on_submit=SettingsState.end_second_factor,
                reset_on_submit=True,
            ),
            rx.cond(
                SettingsState.enrolment != "",
                rx.el.form(
                    rx.el.img(
                        src=SettingsState.enrolment_picture,
                        alt=_("QR code of the secret below"),
                        class_name="code",
                    ),
                    rx.el.p(
                        _("Scan this with your authenticator app, or type "),
                        rx.el.code(SettingsState.enrolment),
                    ),
                    rx.el.label(
                        rx.el.span(_("Code that it shows")),
                        rx.el.input(
                            name="code",
                            auto_complete="one-time-code",
                            required=True,
                            aria_label=_("Code that it shows"),
                        ),
                    ),
                    says("code"),
                    rx.el.button(_("Turn on"), type="submit", class_name="btn primary"),
                    on_submit=SettingsState.confirm_second_factor,
                ),
                rx.el.button(
                    _("Set up"), on_click=SettingsState.begin_second_factor, type="button", class_name="btn"
                ),
            ),
        ),
    )


def sessions() -> rx.Component:
    """Where the account is open."""
    return section(
        _("Sessions"),
        _("Every browser and script that is logged in."),
        rx.el.ul(rx.foreach(SettingsState.sessions, session), aria_label=_("Sessions")),
        rx.cond(
            SettingsState.sessions.length() > 1,
            rx.el.button(
                _("Log out everywhere else"),
                on_click=SettingsState.end_other_sessions,
                type="button",
                class_name="btn",
            ),
        ),
    )


def session(row: rx.Var[SessionRow]) -> rx.Component:
    """One session."""
    return rx.el.li(
        rx.el.span(
            rx.el.strong(row.browser),
            " ",
            rx.el.span(
                rx.cond(row.address != "", f"{row.address}, ", ""),
                _("seen {when}", when=row.seen),
                class_name="muted",
            ),
        ),
        rx.cond(
            row.is_this,
            rx.el.span(_("this one"), class_name="badge info"),
            row_button(_("Log out"), SettingsState.end_session(row.id)),
        ),
        key=row.id.to_string(),
    )
