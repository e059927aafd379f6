"""The log-in page."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import PostForm, mark
from bitmail.state.login import LogInState


def login() -> rx.Component:
    """Name and password; a new name makes the account."""
    return rx.el.main(
        PostForm.create(
            rx.el.div(mark(40), rx.el.h1("BitMail"), class_name="brand"),
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
                    rx.el.span(
                        "@", LogInState.domain, class_name="muted", custom_attrs={"aria-hidden": "true"}
                    ),
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
            rx.el.p(LogInState.reason, id="refusal", role="alert", class_name="says"),
            rx.el.button("Log in", type="submit", class_name="btn primary"),
            rx.el.p(
                "New here? Choose a name and a password of at least 8 characters: your first log-in makes the account.",
                class_name="muted",
            ),
            rx.cond(
                LogInState.is_demo,
                rx.el.p("demo: mail comes back to you", class_name="demo"),
            ),
            rx.el.footer(LogInState.version, class_name="version"),
            action=routes.ENTER,
            method="post",
            class_name="card",
        ),
        class_name="door",
        custom_attrs={"data-hydrated": rx.cond(rx.State.is_hydrated, "1", "0")},
    )
