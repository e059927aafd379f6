"""The settings page: what a person wants, what opens their account, and what leaves with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import reflex as rx
import segno

from bitmail.audit import Action, Record
from bitmail.catalogue import N_, _, chosen, speak
from bitmail.current import caller, cookie, off_loop, service
from bitmail.errors import Refused
from bitmail.preferences import Preferences
from bitmail.refusal import REFUSAL_COOKIE, Refusal
from bitmail.sessions import Visit
from bitmail.state.language import LanguageState
from bitmail.state.session import SessionState
from bitmail.suppressions import Suppression
from bitmail.tokens import MAY, Scope, Token
from bitmail.view import number
from bitmail.webhooks import EVERY, LONGEST_URL, Webhook
from bitmail.words import STATUS_WORDS, browser_name, day_time
from mta.calls import CALLED_FOR
from mta.outcomes import Status

ACTIONS = {
    Action.CREATED: N_("account created"),
    Action.DELETED: N_("account deleted"),
    Action.LOGGED_IN: N_("logged in"),
    Action.REFUSED: N_("log-in refused"),
    Action.LOGGED_OUT: N_("logged out"),
    Action.SESSION_ENDED: N_("session ended"),
    Action.PASSWORD_CHANGED: N_("password changed"),
    Action.PASSWORD_RESET: N_("password reset by the operator"),
    Action.SECOND_FACTOR_ON: N_("second factor turned on"),
    Action.SECOND_FACTOR_OFF: N_("second factor turned off"),
    Action.TOKEN_MADE: N_("API token made"),
    Action.TOKEN_ENDED: N_("API token ended"),
    Action.WEBHOOK_MADE: N_("webhook made"),
    Action.WEBHOOK_ENDED: N_("webhook removed"),
    Action.WEBHOOK_ON: N_("webhook switched on"),
    Action.SETTING: N_("setting changed"),
    Action.LOCKED: N_("account locked"),
    Action.UNLOCKED: N_("account unlocked"),
    Action.INVITED: N_("invitation made"),
    Action.OPERATED: N_("done as operator"),
}
"""What is written down, as its owner reads it."""
DONE = {"password": N_("Your password is changed, and every other browser is logged out.")}
"""What to say after a form that the browser itself sent."""


@dataclass
class SessionRow:
    """One session."""

    id: int
    browser: str
    address: str
    seen: str
    is_this: bool


@dataclass
class TokenRow:
    """One API token."""

    id: int
    name: str
    scopes: str
    expires: str


@dataclass
class WebhookRow:
    """One webhook."""

    id: int
    url: str
    told: str
    state: str
    is_bad: bool
    is_off: bool


@dataclass
class RecordRow:
    """One line of the audit trail."""

    id: int
    what: str
    where: str
    when: str
    is_bad: bool


@dataclass
class SuppressedRow:
    """An address that came back or complained."""

    address: str
    why: str


class SettingsState(rx.State):
    """Everything on the settings page."""

    address: str = ""
    display_name: str = ""
    zone: str = ""
    language: str = ""
    theme: str = "system"
    density: str = "normal"
    listing: str = "mails"
    images: str = "ask"
    editor: str = "plain"
    undo: str = "10"
    shortcuts: bool = True
    senders: list[str] = []  # noqa: RUF012 - Reflex copies the default for each client
    suppressed: list[SuppressedRow] = []  # noqa: RUF012
    sessions: list[SessionRow] = []  # noqa: RUF012
    tokens: list[TokenRow] = []  # noqa: RUF012
    webhooks: list[WebhookRow] = []  # noqa: RUF012
    tested: int = 0
    test_said: str = ""
    test_failed: bool = False
    records: list[RecordRow] = []  # noqa: RUF012
    new_token: str = ""
    new_secret: str = ""
    has_second_factor: bool = False
    enrolment: str = ""
    enrolment_picture: str = ""
    recovery: list[str] = []  # noqa: RUF012
    errors: dict[str, str] = {}  # noqa: RUF012
    done: str = ""
    is_loaded: bool = False

    async def _arrive(self) -> None:
        """The page is opened."""
        self.reset()
        refusal = Refusal.decoded(cookie(self.router.headers.cookie, REFUSAL_COOKIE))
        if refusal is not None:
            self.errors = {refusal.name: refusal.reason}
        done = self.router.url.query_parameters.get("done", "")
        self.done = _(DONE[done]) if done in DONE else ""
        await self._look()

    @rx.event
    async def change(self, field: str, value: str) -> Any:
        """One preference was changed."""
        me = caller()
        try:
            wanted = await off_loop(service().model.set_preference, me.user, str(field), str(value))
        except Refused as refused:
            self.errors = {**self.errors, str(field)[:40]: str(refused)}
            return None
        if field == "zone" and wanted.zone:
            await off_loop(service().model.sessions.set_zone, me, wanted.zone)
        if field == "language":
            await off_loop(service().model.sessions.set_language, me, wanted.language)
            speak(chosen(wanted.language, self.router.headers.accept_language))
            (await self.get_state(LanguageState))._take()
            self.done = ""
            await self._look()
        self._mend(field)
        self._take(wanted)
        return SessionState.refresh

    @rx.event
    async def forget_sender(self, sender: str) -> None:
        """Ask again before images of this sender are loaded."""
        me = caller()
        await off_loop(service().model.trust_images, me.user, str(sender), is_trusted=False)
        await self._look()

    @rx.event
    async def lift(self, address: str) -> None:
        """Write to this address again without being warned."""
        me = caller()
        await off_loop(service().model.lift, me.user, str(address))
        await self._look()

    @rx.event
    async def end_session(self, id: int) -> None:
        """End one session."""
        me = caller()
        await off_loop(service().model.end_session, me.user, number(id))
        await self._look()

    @rx.event
    async def end_other_sessions(self) -> None:
        """End every session but this."""
        me = caller()
        await off_loop(service().model.end_other_sessions, me)
        await self._look()

    @rx.event
    async def make_token(self, form: dict[str, Any]) -> None:
        """Make an API token."""
        me = caller()
        model = service().model
        scopes = [scope for scope in Scope if isinstance(form, dict) and form.get(scope.value)]
        typed = _field(form, "days")
        days = float(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 5 else 0.0
        try:
            self.new_token = await off_loop(
                model.make_token, me.user, _field(form, "name")[:1000], scopes, days
            )
        except Refused as refused:
            self.errors = {**self.errors, "token": str(refused)}
            return
        self._mend("token")
        await self._look()

    @rx.event
    async def end_token(self, id: int) -> None:
        """End an API token."""
        me = caller()
        await off_loop(service().model.end_token, me.user, number(id))
        await self._look()

    @rx.event
    async def make_webhook(self, form: dict[str, Any]) -> None:
        """Have an address told what becomes of mail."""
        me = caller()
        told = [status for status in EVERY if isinstance(form, dict) and form.get(status.value)]
        url = _field(form, "url")[: LONGEST_URL + 1]
        try:
            _made, self.new_secret = await off_loop(service().model.make_webhook, me.user, url, told)
        except Refused as refused:
            self.errors = {**self.errors, "webhook": str(refused)}
            return
        self._mend("webhook")
        await self._look()

    @rx.event
    async def end_webhook(self, id: int) -> None:
        """Tell an address nothing any more."""
        me = caller()
        await off_loop(service().model.end_webhook, me.user, number(id))
        await self._look()

    @rx.event
    async def test_webhook(self, id: int) -> None:
        """Call an address now, to see what it answers."""
        webhook = await off_loop(service().model.webhooks.of_user, caller().user, number(id))
        if webhook is None:
            return
        answer = await service().caller.try_out(webhook)
        self.tested, self.test_failed = webhook.id, bool(answer.reason)
        self.test_said = (
            _("The test was not taken. {reason}", reason=answer.reason)
            if answer.reason
            else _("The test was taken.")
        )

    @rx.event
    async def switch_on_webhook(self, id: int) -> None:
        """Call an address again that was switched off."""
        me = caller()
        await off_loop(service().model.switch_on_webhook, me.user, number(id))
        await self._look()

    @rx.event
    async def begin_second_factor(self) -> None:
        """Show the secret for an authenticator app."""
        me = caller()
        model = service().model
        address = model.accounts.account(me.user).address
        enrolment = await off_loop(model.second_factor.begin, me.user, address)
        self.enrolment = enrolment.secret
        self.enrolment_picture = segno.make(enrolment.uri).svg_data_uri(scale=4, border=2, light="white")

    @rx.event
    async def confirm_second_factor(self, form: dict[str, Any]) -> None:
        """Turn the second factor on: the app shows the right code."""
        me = caller()
        try:
            codes = await off_loop(service().model.turn_second_factor_on, me, _field(form, "code")[:40])
        except Refused as refused:
            self.errors = {**self.errors, "code": str(refused)}
            return
        self.recovery, self.enrolment, self.enrolment_picture = list(codes), "", ""
        self._mend("code")
        await self._look()

    @rx.event
    async def end_second_factor(self, form: dict[str, Any]) -> None:
        """Turn the second factor off, for who knows the password."""
        me = caller()
        password = _field(form, "password")[:1000]
        try:
            await off_loop(service().model.turn_second_factor_off, me, password)
        except Refused as refused:
            self.errors = {**self.errors, "code": str(refused)}
            return
        self.recovery = []
        self._mend("code")
        await self._look()

    async def _look(self) -> None:
        me = caller()
        found = await off_loop(_load, me.user)
        self._take(found.preferences)
        self.address = service().model.accounts.account(me.user).address
        zone = ZoneInfo(me.zone)
        self.senders = found.senders
        self.suppressed = [SuppressedRow(one.address, one.warning) for one in found.suppressed]
        self.sessions = [
            SessionRow(
                visit.id,
                browser_name(visit.agent),
                visit.address,
                day_time(visit.seen, zone),
                visit.id == me.id,
            )
            for visit in found.sessions
        ]
        self.tokens = [
            TokenRow(
                token.id,
                token.name,
                ", ".join(_(MAY[scope]) for scope in Scope if scope in token.scopes),
                day_time(token.expires, zone),
            )
            for token in found.tokens
        ]
        self.webhooks = [
            WebhookRow(
                one.id,
                one.url,
                _told(one.statuses),
                _state(one, zone),
                one.is_off or bool(one.failing_since),
                one.is_off,
            )
            for one in found.webhooks
        ]
        self.records = [
            RecordRow(
                record.id,
                _(ACTIONS[record.action]),
                ", ".join(filter(None, (record.address, browser_name(record.detail)))),
                day_time(record.at, zone),
                record.action is Action.REFUSED,
            )
            for record in found.records
        ]
        self.has_second_factor = found.has_second_factor
        self.is_loaded = True

    def _mend(self, field: str) -> None:
        """Whatever was wrong with a field is right now."""
        self.errors = {key: text for key, text in self.errors.items() if key != field}

    def _take(self, wanted: Preferences) -> None:
        self.display_name, self.zone, self.language = wanted.display_name, wanted.zone, wanted.language
        self.theme, self.density = wanted.theme.value, wanted.density.value
        self.listing = wanted.listing.value
        self.images, self.editor = wanted.images.value, wanted.editor.value
        self.undo, self.shortcuts = str(wanted.undo), wanted.shortcuts


def _told(statuses: Collection[Status]) -> str:
    """What a webhook is told."""
    if CALLED_FOR.issubset(statuses):
        return _("everything")
    return ", ".join(_(STATUS_WORDS[status]) for status in sorted(statuses))


def _state(webhook: Webhook, zone: ZoneInfo) -> str:
    """How a webhook is, if there is something to say."""
    if webhook.is_off:
        return _("Switched off. {reason}", reason=webhook.error)
    if webhook.failing_since:
        return _(
            "Failing since {time}. {reason}", time=day_time(webhook.failing_since, zone), reason=webhook.error
        )
    return ""


def _field(form: object, name: str) -> str:
    """What stands in a field of a form, or ""; clients send anything."""
    value = form.get(name) if isinstance(form, dict) else None
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class _Found:
    preferences: Preferences
    senders: list[str]
    suppressed: list[Suppression]
    sessions: list[Visit]
    tokens: list[Token]
    webhooks: list[Webhook]
    records: list[Record]
    has_second_factor: bool


def _load(user: str) -> _Found:
    model = service().model
    return _Found(
        model.preferences.of(user),
        model.trusted.of(user),
        model.suppressions.page(user),
        model.sessions.of(user),
        model.tokens.of(user),
        model.webhooks.of(user),
        model.audit.page(user, limit=20),
        model.second_factor.is_on(user),
    )
