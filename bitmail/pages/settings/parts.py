"""What the sections of the settings page are made of."""

from __future__ import annotations

import reflex as rx

from bitmail.state.settings import SettingsState


def section(title: rx.Var[str], words: rx.Var[str], *parts: rx.Component) -> rx.Component:
    """A part of the page."""
    return rx.el.section(
        rx.el.header(rx.el.h2(title), rx.el.p(words, class_name="muted")),
        rx.el.div(*parts),
        aria_label=title,
    )


def choice(
    field: str, label: rx.Var[str], now: rx.Var[str], options: list[tuple[str, rx.Var[str] | str]]
) -> rx.Component:
    """One preference with a few values."""
    return rx.el.label(
        rx.el.span(label),
        rx.el.select(
            *[rx.el.option(words, value=value) for value, words in options],
            value=now,
            on_change=lambda value: SettingsState.change(field, value),
            aria_label=label,
        ),
        says(field),
    )


def says(field: str) -> rx.Component:
    """Why something was refused."""
    return rx.el.p(SettingsState.errors.get(field, ""), role="alert", class_name="says")


def row_button(words: rx.Var[str], event: rx.EventSpec, named: rx.Var[str] | None = None) -> rx.Component:
    """What can be done with one row of a list.

    Args:
        words: on the button.
        event: when it is clicked.
        named: what it is called for who does not see its row; as it says when None.
    """
    name = {} if named is None else {"aria_label": named}
    return rx.el.button(words, on_click=event, type="button", class_name="btn ghost", **name)


def user_name() -> rx.Component:
    """Whose password it is, for the browser's keeper of passwords."""
    return rx.el.input(
        name="username", value=SettingsState.address, auto_complete="username", read_only=True, hidden=True
    )


def secret_field(name: str, label: rx.Var[str], purpose: str) -> rx.Component:
    """A field for a password."""
    return rx.el.label(
        rx.el.span(label),
        rx.el.input(
            name=name, type="password", auto_complete=purpose, required=True, max_length=128, aria_label=label
        ),
    )


def shown_once(secret: rx.Var[str], advice: rx.Var[str]) -> rx.Component:
    """A secret that was just made, and what to do with it."""
    return rx.cond(secret != "", rx.el.div(rx.el.p(advice), rx.el.pre(secret, class_name="codes")))
