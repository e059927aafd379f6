"""The log-in page."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import PostForm, mark
from bitmail.state.login import LogInState


def login() -> rx.Component:
    """The way in: name and password, then a code where the account asks for one."""
    return rx.el.main(
        rx.cond(LogInState.needs_code, code(), name_and_password()),
        class_name="door",
        custom_attrs={"data-hydrated": rx.cond(rx.State.is_hydrated, "1", "0")},
    )


def name_and_password() -> rx.Component:
    """The first step; a new name makes the account, where it may."""
    return PostForm.create(
        brand(),
        rx.el.label(
            "Name",
            rx.el.div(
                rx.el.input(
                    name="name",
                    id="name",
                    default_value=LogInState.name,
                    key=LogInState.name,
                    auto_complete="username",
                    auto_capitalize="none",
                    spell_check=False,
                    auto_focus=True,
                    required=True,
                    max_length=320,
                    aria_label="Name",
                    aria_describedby="refusal",
                ),
                rx.el.span("@", LogInState.domain, class_name="muted", custom_attrs={"aria-hidden": "true"}),
                class_name="affixed",
            ),
        ),
        rx.el.label(
            "Password",
            rx.el.input(
                name="password",
                type="password",
                auto_complete="current-password",
                required=True,
                aria_label="Password",
                aria_describedby="refusal",
            ),
        ),
        rx.el.input(type="hidden", name=routes.INVITATION, value=LogInState.invitation, read_only=True),
        refusal(),
        rx.el.button("Log in", type="submit", class_name="btn primary"),
        rx.cond(
            LogInState.may_sign_up,
            rx.el.p(
                "New here? Choose a name and a password of at least 8 characters: "
                "your first log-in makes the account.",
                class_name="muted",
            ),
        ),
        rx.cond(
            LogInState.is_demo,
            rx.el.p("demo: mail comes back to you", class_name="demo"),
        ),
        rx.el.footer(LogInState.version, class_name="version"),
        action=routes.ENTER,
        method="post",
        class_name="card",
    )


def code() -> rx.Component:
    """The second step."""
    return PostForm.create(
        brand(),
        rx.el.label(
            "Code",
            rx.el.input(
                name="code",
                auto_complete="one-time-code",
                auto_capitalize="none",
                spell_check=False,
                auto_focus=True,
                max_length=40,
                aria_label="Code",
                aria_describedby="refusal",
            ),
        ),
        rx.el.p(
            "Type the code that your authenticator app shows, or one of your recovery codes.",
            class_name="muted",
        ),
        refusal(),
        rx.el.button("Log in", type="submit", class_name="btn primary"),
        rx.el.button("Another account", type="submit", name="again", value="1", class_name="btn ghost"),
        action=routes.ENTER_CODE,
        method="post",
        class_name="card",
    )


def brand() -> rx.Component:
    """Where one is."""
    return rx.el.div(mark(40), rx.el.h1("BitMail"), class_name="brand")


def refusal() -> rx.Component:
    """Why the last try was refused."""
    return rx.el.p(LogInState.reason, id="refusal", role="alert", class_name="says")
