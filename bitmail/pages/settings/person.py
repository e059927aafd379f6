"""Settings: who one is, and how pages look."""

from __future__ import annotations

from zoneinfo import available_timezones

import reflex as rx

from bitmail.pages.settings.parts import choice, says, section
from bitmail.pages.words import _
from bitmail.preferences import NAME_CHARACTERS
from bitmail.state.settings import SettingsState

ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/"))
)


def you() -> rx.Component:
    """The person."""
    return section(
        _("You"),
        _("How others see you."),
        rx.el.label(
            rx.el.span(_("Display name")),
            rx.el.input(
                default_value=SettingsState.display_name,
                key=SettingsState.display_name,
                on_blur=lambda value: SettingsState.change("display_name", value),
                max_length=NAME_CHARACTERS * 2,
                auto_complete="name",
                aria_label=_("Display name"),
            ),
            says("display_name"),
        ),
        choice(
            "zone",
            _("Time zone"),
            SettingsState.zone,
            [("", _("The browser's")), *((zone, zone.replace("_", " ")) for zone in ZONES)],
        ),
    )


def looks() -> rx.Component:
    """Colours and density."""
    return section(
        _("Looks"),
        _("On this and every other browser of yours."),
        choice(
            "language",
            _("Language"),
            SettingsState.language,
            [("", _("The browser's")), ("en", "English"), ("da", "Dansk")],
        ),
        choice(
            "theme",
            _("Theme"),
            SettingsState.theme,
            [("system", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
        ),
        choice(
            "density",
            _("Density"),
            SettingsState.density,
            [("normal", _("Normal")), ("compact", _("Compact"))],
        ),
        choice(
            "listing",
            _("Lists"),
            SettingsState.listing,
            [("mails", _("Every mail on its own")), ("conversations", _("One row for each conversation"))],
        ),
        choice(
            "shortcuts",
            _("Keyboard shortcuts"),
            rx.cond(SettingsState.shortcuts, "1", "0"),
            [("1", _("On")), ("0", _("Off"))],
        ),
    )
