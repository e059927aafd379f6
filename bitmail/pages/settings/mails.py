"""Settings: how mails are read and written, and whom one is warned of."""

from __future__ import annotations

import reflex as rx

from bitmail.pages.settings.parts import choice, row_button, section
from bitmail.pages.words import _
from bitmail.preferences import UNDO_CHOICES
from bitmail.state.settings import SettingsState


def reading() -> rx.Component:
    """Remote images."""
    return section(
        _("Reading"),
        _("Remote images tell their sender that and where a mail is read."),
        choice(
            "images",
            _("Remote images"),
            SettingsState.images,
            [("ask", _("Ask")), ("always", _("Always show"))],
        ),
        rx.cond(
            SettingsState.senders.length() > 0,
            rx.el.ul(
                rx.foreach(
                    SettingsState.senders,
                    lambda sender: rx.el.li(
                        rx.el.span(sender),
                        row_button(_("Ask again"), SettingsState.forget_sender(sender)),
                        key=sender,
                    ),
                ),
                aria_label=_("Senders whose images are shown"),
            ),
        ),
    )


def writing() -> rx.Component:
    """The editor and undo."""
    return section(
        _("Writing"),
        _("What a new mail begins as."),
        choice(
            "editor",
            _("New mails"),
            SettingsState.editor,
            [("plain", _("Plain text")), ("rich", _("Rich text"))],
        ),
        choice(
            "undo",
            _("Undo after Send"),
            SettingsState.undo,
            [
                (str(seconds), _("{count} seconds", count=seconds) if seconds else _("Off"))
                for seconds in UNDO_CHOICES
            ],
        ),
    )


def suppressed() -> rx.Component:
    """Addresses that came back or complained."""
    return rx.cond(
        SettingsState.suppressed.length() > 0,
        section(
            _("Addresses that came back"),
            _("Send warns before a mail goes to one of these again."),
            rx.el.ul(
                rx.foreach(
                    SettingsState.suppressed,
                    lambda one: rx.el.li(
                        rx.el.span(one.why),
                        row_button(
                            _("Warn no more"),
                            SettingsState.lift(one.address),
                            _("Warn no more of {address}", address=one.address),
                        ),
                        key=one.address,
                    ),
                ),
                aria_label=_("Addresses that came back"),
            ),
        ),
    )
