"""A field for people: chips for those that are finished, and suggestions for the one being typed."""

from __future__ import annotations

import reflex as rx

from bitmail.chips import Chip
from bitmail.pages import browser
from bitmail.pages.compose.parts import is_unfilled, says
from bitmail.pages.elements import icon
from bitmail.pages.words import _
from bitmail.state.composer import Composer
from bitmail.state.suggesting import Offer
from bitmail.state.window import element_id
from bitmail.typed import PEOPLE, TYPING

ABSENT = rx.Var("undefined", _var_type=str)
"""An attribute that is not there."""
LOOK_AFTER = 80
"""Milliseconds after the last key."""


def people_field(slot: int, window: type[Composer], name: str, hint: rx.Var[str] | str = "") -> rx.Component:
    """One field for people, and what is wrong in it."""
    id = element_id(slot, name + TYPING)
    chips = window.people.get(name, []).to(list[Chip])
    is_offering = (window.offered_in == name) & (window.offers.length() > 0)
    return rx.el.div(
        rx.el.label(_(PEOPLE[name]), html_for=id),
        rx.el.textarea(
            id=element_id(slot, name), name=name, hidden=True, custom_attrs={"aria-hidden": "true"}
        ),
        rx.el.div(
            rx.foreach(chips, lambda chip: chip_view(slot, window, name, chip)),
            typing(slot, window, name, hint, chips, is_offering),
            class_name="chips",
        ),
        rx.cond(is_offering, offers(slot, window, name)),
        says(slot, window, name),
        class_name="f",
    )


def typing(
    slot: int,
    window: type[Composer],
    name: str,
    hint: rx.Var[str] | str,
    chips: rx.Var[list[Chip]],
    is_offering: rx.Var[bool],
) -> rx.Component:
    """Where somebody is typed. Enter, a comma or a semicolon finishes; Backspace at the start goes back to the last."""
    done = window.keep(browser.values(slot, browser.finish(name))).prevent_default

    def keys(key: rx.Var[str], typed: rx.Var[str], is_other: rx.Var[bool]) -> rx.Var[object]:
        one = window.offers[window.active]
        # The next letter may be typed before what it changes is shown: what is shown is meant as long as it fits.
        is_meant = typed.startswith(window.offered_for) & (
            one.label.lower().contains(typed.lower()) | one.text.lower().contains(typed.lower())
        )
        is_current = is_offering & ((window.offered_for == typed) | is_meant)
        cases = (
            (is_other, rx.noop()),
            (
                (key == "Enter") & is_current & (window.active >= 0),
                window.keep(browser.values(slot, browser.choose(name, one.text))).prevent_default,
            ),
            (key == "Enter", done),
            (((key == ",") | (key == ";")) & typed.contains("@"), done),
            ((key == "ArrowDown") & is_current, window.step(1).prevent_default),
            ((key == "ArrowUp") & is_current, window.step(-1).prevent_default),
            ((key == "Escape") & is_current, window.stop_looking().stop_propagation),
            (
                (key == "Backspace") & (typed == "") & (chips.length() > 0),
                window.keep(browser.values(slot, browser.edit(name, chips[-1]))).prevent_default,
            ),
        )
        event = rx.noop()
        for condition, meant in reversed(cases):
            event = rx.cond(condition, meant, event)
        return event

    return browser.PeopleField.create(
        id=element_id(slot, name + TYPING),
        name=name + TYPING,
        rows="1",
        read_only=is_unfilled(window),
        placeholder=rx.cond(chips.length() > 0, "", hint),
        spell_check=False,
        auto_capitalize="none",
        aria_label=_(PEOPLE[name]),
        aria_describedby=element_id(slot, f"says_{name}"),
        dir="auto",
        custom_attrs={
            "aria-invalid": rx.cond(window.errors.contains(name), "true", "false"),
            "aria-autocomplete": "list",
            "aria-controls": rx.cond(is_offering, element_id(slot, f"offers_{name}"), ABSENT),
            "aria-activedescendant": rx.cond(
                is_offering & (window.active >= 0),
                f"{element_id(slot, f'offer_{name}')}_{window.active.to_string()}",
                ABSENT,
            ),
        },
        on_input=lambda typed: window.look(name, typed).debounce(LOOK_AFTER),
        on_key_down=keys,
    )


def chip_view(slot: int, window: type[Composer], name: str, chip: rx.Var[Chip]) -> rx.Component:
    """Somebody who is finished: a button to type on, and one to remove."""
    return rx.el.span(
        rx.el.button(
            chip.label,
            on_click=window.keep(browser.values(slot, browser.edit(name, chip))),
            type="button",
            title=rx.cond(chip.reason != "", chip.reason, chip.title),
            aria_label=rx.cond(
                chip.reason != "", _("Correct {title}", title=chip.title), _("Edit {title}", title=chip.title)
            ),
            dir="auto",
        ),
        rx.el.button(
            icon("x", 12),
            on_click=window.keep(browser.values(slot, browser.remove(name, chip))),
            type="button",
            aria_label=_("Remove {title}", title=chip.title),
        ),
        class_name=rx.cond(chip.reason != "", "chip err", "chip"),
    )


def offers(slot: int, window: type[Composer], name: str) -> rx.Component:
    """Those whom the letters typed may mean."""

    def offer(one: rx.Var[Offer], index: rx.Var[int]) -> rx.Component:
        return rx.el.li(
            rx.el.span(one.label),
            rx.el.span(one.detail, class_name="muted"),
            id=f"{element_id(slot, f'offer_{name}')}_{index.to_string()}",
            role="option",
            custom_attrs={"aria-selected": rx.cond(window.active == index, "true", "false")},
            # The mouse goes down before the field loses the focus: it is to keep it.
            on_mouse_down=window.keep(browser.values(slot, browser.choose(name, one.text))).prevent_default,
        )

    return rx.el.ul(
        rx.foreach(window.offers, offer),
        id=element_id(slot, f"offers_{name}"),
        role="listbox",
        aria_label=_("Suggestions"),
        class_name="offers",
    )
