"""The settings page."""

from __future__ import annotations

from zoneinfo import available_timezones

import reflex as rx

from bitmail import routes
from bitmail.pages.elements import PostForm, icon, ready, skeleton
from bitmail.pages.shell import menu, shell
from bitmail.pages.words import _
from bitmail.preferences import NAME_CHARACTERS, UNDO_CHOICES
from bitmail.state.settings import RecordRow, SessionRow, SettingsState, TokenRow, WebhookRow
from bitmail.tokens import MAY
from bitmail.webhooks import EVERY, LONGEST_URL
from bitmail.words import STATUS_WORDS

ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/"))
)


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
                        rx.el.button(
                            _("Ask again"),
                            on_click=SettingsState.forget_sender(sender),
                            type="button",
                            class_name="btn ghost",
                        ),
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
                        rx.el.button(
                            _("Warn no more"),
                            on_click=SettingsState.lift(one.address),
                            type="button",
                            class_name="btn ghost",
                            aria_label=_("Warn no more of {address}", address=one.address),
                        ),
                        key=one.address,
                    ),
                ),
                aria_label=_("Addresses that came back"),
            ),
        ),
    )


def password() -> rx.Component:
    """Another password."""
    return section(
        _("Password"),
        _("Every other browser is logged out when you change it."),
        PostForm.create(
            user_name(),
            secret_field("now", _("Password of now"), "current-password"),
            secret_field("new", _("New password"), "new-password"),
            says("password"),
            rx.el.button(_("Change password"), type="submit", class_name="btn"),
            action=routes.NEW_PASSWORD,
            method="post",
        ),
    )


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


def second_factor() -> rx.Component:
    """A code at each log-in."""
    return section(
        _("Second factor"),
        _("With it, a stranger who learned your password still cannot get in."),
        rx.cond(
            SettingsState.recovery.length() > 0,
            rx.el.div(
                rx.el.p(
                    _(
                        "It is on. Keep these recovery codes where you find them without your phone; each opens once."
                    )
                ),
                rx.el.pre(SettingsState.recovery.join("\n"), class_name="codes"),
            ),
        ),
        rx.cond(
            SettingsState.has_second_factor,
            rx.el.form(
                user_name(),
                secret_field("password", _("Password"), "current-password"),
                says("code"),
                rx.el.button(_("Turn off"), type="submit", class_name="btn"),
                on_submit=SettingsState.end_second_factor,
                reset_on_submit=True,
            ),
            rx.cond(
                SettingsState.enrolment != "",
                rx.el.form(
                    rx.el.img(
                        src=SettingsState.enrolment_picture,
                        alt=_("QR code of the secret below"),
                        class_name="code",
                    ),
                    rx.el.p(
                        _("Scan this with your authenticator app, or type "),
                        rx.el.code(SettingsState.enrolment),
                    ),
                    rx.el.label(
                        rx.el.span(_("Code that it shows")),
                        rx.el.input(
                            name="code",
                            auto_complete="one-time-code",
                            required=True,
                            aria_label=_("Code that it shows"),
                        ),
                    ),
                    says("code"),
                    rx.el.button(_("Turn on"), type="submit", class_name="btn primary"),
                    on_submit=SettingsState.confirm_second_factor,
                ),
                rx.el.button(
                    _("Set up"), on_click=SettingsState.begin_second_factor, type="button", class_name="btn"
                ),
            ),
        ),
    )


def sessions() -> rx.Component:
    """Where the account is open."""
    return section(
        _("Sessions"),
        _("Every browser and script that is logged in."),
        rx.el.ul(rx.foreach(SettingsState.sessions, session), aria_label=_("Sessions")),
        rx.cond(
            SettingsState.sessions.length() > 1,
            rx.el.button(
                _("Log out everywhere else"),
                on_click=SettingsState.end_other_sessions,
                type="button",
                class_name="btn",
            ),
        ),
    )


def session(row: rx.Var[SessionRow]) -> rx.Component:
    """One session."""
    return rx.el.li(
        rx.el.span(
            rx.el.strong(row.browser),
            " ",
            rx.el.span(
                rx.cond(row.address != "", f"{row.address}, ", ""),
                _("seen {when}", when=row.seen),
                class_name="muted",
            ),
        ),
        rx.cond(
            row.is_this,
            rx.el.span(_("this one"), class_name="badge info"),
            rx.el.button(
                _("Log out"),
                on_click=SettingsState.end_session(row.id),
                type="button",
                class_name="btn ghost",
            ),
        ),
        key=row.id.to_string(),
    )


def shown_once(secret: rx.Var[str], advice: rx.Var[str]) -> rx.Component:
    """A secret that was just made, and what to do with it."""
    return rx.cond(secret != "", rx.el.div(rx.el.p(advice), rx.el.pre(secret, class_name="codes")))


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
        rx.el.button(
            _("End"), on_click=SettingsState.end_token(row.id), type="button", class_name="btn ghost"
        ),
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
            rx.el.button(
                _("Switch on"),
                on_click=SettingsState.switch_on_webhook(row.id),
                type="button",
                class_name="btn ghost",
                aria_label=_("Switch on the webhook at {address}", address=row.url),
            ),
        ),
        rx.el.button(
            _("Send a test"),
            on_click=SettingsState.test_webhook(row.id),
            type="button",
            class_name="btn ghost",
            aria_label=_("Send a test to the webhook at {address}", address=row.url),
        ),
        rx.el.button(
            _("Remove"),
            on_click=SettingsState.end_webhook(row.id),
            type="button",
            class_name="btn ghost",
            aria_label=_("Remove the webhook at {address}", address=row.url),
        ),
        class_name="webhook",
        key=row.id.to_string(),
    )


def trail() -> rx.Component:
    """What happened to the account."""
    return section(
        _("What happened"),
        _("The latest log-ins and changes of this account."),
        rx.el.ul(rx.foreach(SettingsState.records, record), aria_label=_("What happened")),
    )


def record(row: rx.Var[RecordRow]) -> rx.Component:
    """One line of it."""
    return rx.el.li(
        rx.el.span(
            rx.el.strong(row.what, class_name=rx.cond(row.is_bad, "says", "")),
            " ",
            rx.el.span(row.where, class_name="muted"),
        ),
        rx.el.time(row.when, class_name="muted"),
        key=row.id.to_string(),
    )


def departure() -> rx.Component:
    """Take everything along, or remove it."""
    return section(
        _("Your data"),
        _("All your mail is yours to take along."),
        rx.el.a(icon("download"), _("Download all mail"), href=routes.MBOX, download=True, class_name="btn"),
        rx.el.details(
            rx.el.summary(_("Delete this account")),
            rx.el.p(
                _(
                    "Your mail, drafts, contacts and settings are removed and cannot be brought back. "
                    "What you have sent stays with those who got it, and what is on its way still goes out. "
                    "Your name stays taken, so that nobody else gets your mail."
                )
            ),
            PostForm.create(
                user_name(),
                secret_field("password", _("Password"), "current-password"),
                says("delete"),
                rx.el.button(_("Delete for good"), type="submit", class_name="btn danger"),
                action=routes.DELETION,
                method="post",
            ),
            open=SettingsState.errors.contains("delete"),
        ),
    )
