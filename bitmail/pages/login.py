"""The log-in page."""

from __future__ import annotations

from typing import Any

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import ZONE, AnswerFrame, PostForm, PrefetchPageLinks, mark
from bitmail.pages.words import _
from bitmail.state.composer import COMPOSERS
from bitmail.state.login import LogInState

ANSWER = "answer"
"""The name of the frame that takes what the server answers to a form."""


def login() -> rx.Component:
    """The way in: name and password, then a code where the account asks for one."""
    return rx.el.main(
        rx.cond(LogInState.needs_code, code(), name_and_password()),
        PrefetchPageLinks.create(page=routes.INBOX),
        AnswerFrame.create(name=ANSWER, hidden=True, title=ANSWER, on_load=go_on),
        class_name="door",
        custom_attrs={"data-hydrated": rx.cond(rx.State.is_hydrated, "1", "0")},
    )


def go_on(is_answer: rx.Var[bool], is_lost: rx.Var[bool]) -> list[Any]:
    """Something came into the frame.

    The next page is not made before the new connection is there: what is clicked on it meanwhile would be lost.

    Args:
        is_answer: whether it is the answer to a form.
        is_lost: whether it came instead of one.
    """
    return [
        rx.cond(is_answer, LogInState.answered, rx.noop()),
        rx.cond(is_lost, LogInState.lose, rx.noop()),
    ]


def name_and_password() -> rx.Component:
    """The first step; a new name makes the account, where it may."""
    return staying_form(
        brand(),
        *who(LogInState.name),
        rx.el.input(type="hidden", name=routes.INVITATION, value=LogInState.invitation, read_only=True),
        rx.el.button(_("Log in"), type="submit", class_name="btn primary"),
        rx.cond(
            LogInState.may_sign_up,
            rx.el.p(
                _(
                    "New here? Choose a name and a password of at least 8 characters: "
                    "your first log-in makes the account."
                ),
                class_name="muted",
            ),
        ),
        rx.cond(
            LogInState.is_demo,
            rx.el.p(_("demo: mail comes back to you"), class_name="demo"),
        ),
        rx.el.footer(LogInState.version, class_name="version"),
        action=routes.ENTER,
    )


def staying_form(*content: rx.Component, action: str) -> rx.Component:
    """A form whose answer the page waits for.

    The answer takes the page's place before its scripts have taken over, and where the browser still has the windows
    of a session that ended: they are begun where a page is.

    Args:
        content: what is in it.
        action: where it is sent to.
    """
    stays = rx.State.is_hydrated & (LogInState.token != "")
    for window in COMPOSERS:
        stays &= window.window == ""
    return PostForm.create(
        *content,
        rx.el.input(
            type="hidden", name=routes.STAYS, value=rx.cond(stays, LogInState.token, ""), read_only=True
        ),
        action=action,
        method="post",
        target=rx.cond(stays, ANSWER, "_self"),
        class_name="card",
    )


def again(name: rx.Var[str]) -> rx.Component:
    """What stands over a page whose session has ended, so that the person goes on where they were.

    Args:
        name: whose page it is.
    """
    return rx.cond(
        LogInState.is_asked,
        rx.el.div(
            PostForm.create(
                rx.el.h2(_("Log in again"), id="again"),
                rx.el.p(_("Your session has ended. What you wrote is kept, and is here again afterwards.")),
                *who(name, is_known=True),
                rx.el.button(_("Log in"), type="submit", class_name="btn primary"),
                action=routes.ENTER,
                method="post",
                class_name="card",
            ),
            class_name="over",
            role="dialog",
            aria_labelledby="again",
            aria_modal="true",
        ),
    )


def who(name: rx.Var[str], *, is_known: bool = False) -> list[rx.Component]:
    """The fields for name and password, and where to go once they are right.

    Args:
        name: what stands in the field for the name at first.
        is_known: whether that is who it will be, so that the password is what is missing.
    """
    return [
        rx.el.label(
            _("Name"),
            rx.el.div(
                rx.el.input(
                    name="name",
                    id="name",
                    default_value=name,
                    key=name,
                    auto_complete="username",
                    auto_capitalize="none",
                    spell_check=False,
                    auto_focus=not is_known,
                    required=True,
                    max_length=320,
                    aria_label=_("Name"),
                    aria_describedby="refusal",
                ),
                rx.el.span("@", LogInState.domain, class_name="muted", custom_attrs={"aria-hidden": "true"}),
                class_name="affixed",
            ),
        ),
        rx.el.label(
            _("Password"),
            rx.el.input(
                name="password",
                type="password",
                auto_complete="current-password",
                auto_focus=is_known,
                required=True,
                aria_label=_("Password"),
                aria_describedby="refusal",
            ),
        ),
        *unseen(),
        refusal(),
    ]


def unseen() -> list[rx.Component]:
    """What the server is told beside what is typed: where to go once the person is in, and in which time zone."""
    told = {routes.NEXT: LogInState.page, routes.ZONE: rx.cond(rx.State.is_hydrated, ZONE, "")}
    return [
        rx.el.input(type="hidden", name=name, value=value, read_only=True) for name, value in told.items()
    ]


def code() -> rx.Component:
    """The second step."""
    return staying_form(
        brand(),
        rx.el.label(
            _("Code"),
            rx.el.input(
                name="code",
                auto_complete="one-time-code",
                auto_capitalize="none",
                spell_check=False,
                auto_focus=True,
                max_length=40,
                aria_label=_("Code"),
                aria_describedby="refusal",
            ),
        ),
        rx.el.p(
            _("Type the code that your authenticator app shows, or one of your recovery codes."),
            class_name="muted",
        ),
        *unseen(),
        refusal(),
        rx.el.button(_("Log in"), type="submit", class_name="btn primary"),
        rx.el.button(_("Another account"), type="submit", name="again", value="1", class_name="btn ghost"),
        action=routes.ENTER_CODE,
    )


def brand() -> rx.Component:
    """Where one is."""
    return rx.el.div(mark(40), rx.el.h1("BitMail"), class_name="brand")


def refusal() -> rx.Component:
    """Why the last try was refused."""
    return rx.el.p(LogInState.reason, id="refusal", role="alert", class_name="says")
