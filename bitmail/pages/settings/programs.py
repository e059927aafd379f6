"""Settings: programs that act for a person, and those that are told."""

from __future__ import annotations

import reflex as rx

from bitmail.pages.settings.parts import row_button, says, section, shown_once
from bitmail.pages.words import _
from bitmail.state.settings import SettingsState, TokenRow, WebhookRow
from bitmail.tokens import MAY
from bitmail.webhooks import EVERY, LONGEST_URL
from bitmail.words import STATUS_WORDS


def tokens() -> rx.Component:
    """What scripts prove themselves by."""
    return section(
        _("API tokens"),
        _("For scripts that send mail, look at what became of it, or work on your mailboxes."),
        rx.el.p(rx.el.a(_("What scripts can do"), href="/api/docs", class_name="linked")),
        shown_once(SettingsState.new_token, _("Copy the token now; it is not shown again.")),
        rx.el.ul(rx.foreach(SettingsState.tokens, token), aria_label=_("API tokens")),
        rx.el.form(
            rx.el.label(
                rx.el.span(_("Name")),
                rx.el.input(name="name", required=True, max_length=60, aria_label=_("Name of the token")),
            ),
            rx.el.label(
                rx.el.span(_("Days")),
                rx.el.input(
                    name="days", type="number", default_value="90", min="1", max="366", aria_label=_("Days")
                ),
            ),
            *(
                rx.el.label(
                    rx.el.input(type="checkbox", name=scope.value, value="1"),
                    rx.el.span(_("May {what}", what=_(words))),
                    class_name="check",
                )
                for scope, words in MAY.items()
            ),
            says("token"),
            rx.el.button(_("Make token"), type="submit", class_name="btn"),
            on_submit=SettingsState.make_token,
            reset_on_submit=True,
        ),
    )


def token(row: rx.Var[TokenRow]) -> rx.Component:
    """One API token."""
    return rx.el.li(
        rx.el.span(
            rx.el.strong(row.name),
            " ",
            rx.el.span(_("may {scopes} until {day}", scopes=row.scopes, day=row.expires), class_name="muted"),
        ),
        row_button(_("End"), SettingsState.end_token(row.id)),
        key=row.id.to_string(),
    )


def webhooks() -> rx.Component:
    """What is told to programs elsewhere."""
    return section(
        _("Webhooks"),
        _("Addresses of programs that are called when something becomes of your mail."),
        shown_once(
            SettingsState.new_secret,
            _("Copy the secret now; it is not shown again. Calls are signed with it."),
        ),
        rx.el.ul(rx.foreach(SettingsState.webhooks, webhook), aria_label=_("Webhooks")),
        rx.el.form(
            rx.el.label(
                rx.el.span(_("Address")),
                rx.el.input(
                    name="url",
                    type="url",
                    required=True,
                    max_length=LONGEST_URL,
                    placeholder="https://example.com/hook",
                    aria_label=_("Address of the webhook"),
                ),
            ),
            *[
                rx.el.label(
                    rx.el.input(type="checkbox", name=status.value, value="1", default_checked=True),
                    rx.el.span(_(STATUS_WORDS[status]).capitalize()),
                    class_name="check",
                )
                for status in EVERY
            ],
            says("webhook"),
            rx.el.button(_("Make webhook"), type="submit", class_name="btn"),
            on_submit=SettingsState.make_webhook,
            key=SettingsState.new_secret,  # begins anew once one is made, and keeps what is wrong
        ),
    )


def webhook(row: rx.Var[WebhookRow]) -> rx.Component:
    """One webhook."""
    return rx.el.li(
        rx.el.span(
            rx.el.strong(row.url),
            " ",
            rx.el.span(_("is told {what}", what=row.told), class_name="muted"),
            " ",
            rx.el.span(row.state, class_name=rx.cond(row.is_bad, "says", "")),
            rx.cond(
                SettingsState.tested == row.id,
                rx.el.span(
                    " ",
                    SettingsState.test_said,
                    class_name=rx.cond(SettingsState.test_failed, "says", "muted"),
                    role="status",
                ),
            ),
        ),
        rx.cond(
            row.is_off,
            row_button(
                _("Switch on"),
                SettingsState.switch_on_webhook(row.id),
                _("Switch on the webhook at {address}", address=row.url),
            ),
        ),
        row_button(
            _("Send a test"),
            SettingsState.test_webhook(row.id),
            _("Send a test to the webhook at {address}", address=row.url),
        ),
        row_button(
            _("Remove"),
            SettingsState.end_webhook(row.id),
            _("Remove the webhook at {address}", address=row.url),
        ),
        class_name="webhook",
        key=row.id.to_string(),
    )
