"""What the window of a mail is made of."""

from __future__ import annotations

import reflex as rx

from bitmail.state.composer import Composer
from bitmail.state.window import element_id


def says(slot: int, window: type[Composer], name: str) -> rx.Component:
    """What is wrong with a field."""
    return rx.el.p(
        window.errors.get(name, ""), id=element_id(slot, f"says_{name}"), class_name="says", role="alert"
    )


def is_unfilled(window: type[Composer]) -> rx.Var[bool]:
    """Whether the draft of a window has not come into its form yet."""
    return window.filled != window.window
