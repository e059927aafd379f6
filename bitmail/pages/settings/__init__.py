"""The settings page."""

from __future__ import annotations

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import icon, ready, skeleton
from bitmail.pages.settings.account import departure, trail
from bitmail.pages.settings.entrance import password, second_factor, sessions
from bitmail.pages.settings.mails import reading, suppressed, writing
from bitmail.pages.settings.person import looks, you
from bitmail.pages.settings.programs import tokens, webhooks
from bitmail.pages.shell import menu, shell
from bitmail.pages.words import _
from bitmail.state.settings import SettingsState


def settings() -> rx.Component:
    """Everything a person may choose, in sections."""
    return shell(
        routes.SETTINGS,
        rx.el.div(
            menu(routes.SETTINGS, _("Settings")),
            rx.el.h1(_("Settings"), class_name="unseen"),
            rx.el.div(
                rx.el.strong(_("Settings")), class_name="bar wide", custom_attrs={"aria-hidden": "true"}
            ),
            rx.el.div(
                ready(
                    SettingsState.is_loaded,
                    [
                        rx.cond(
                            SettingsState.done != "",
                            rx.el.p(icon("check"), SettingsState.done, role="status", class_name="done"),
                        ),
                        you(),
                        looks(),
                        reading(),
                        writing(),
                        suppressed(),
                        password(),
                        second_factor(),
                        sessions(),
                        tokens(),
                        webhooks(),
                        trail(),
                        departure(),
                    ],
                    skeleton(6),
                ),
                class_name="settings",
            ),
            class_name="wide-pane",
        ),
    )
