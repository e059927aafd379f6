"""The operator's page: how everything is, what happens, and what can be done about it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.catalogue import N_, _, decimal, ngettext
from bitmail.current import caller, off_loop, service
from bitmail.errors import Refused
from bitmail.state import opsrows
from bitmail.state.opsrows import ContainerRow, EventRow, FoundRow, LifeRow, ServerRow, Tile
from bitmail.words import STATUS_WORDS
from mta.events import EventKind
from mta.inquiry import By
from mta.outcomes import Status
from mta.spool import CANCELLABLE, RETRIABLE
from store import StoreError

LONGEST = 1000
"""Characters taken of anything that is typed."""
WAITING = (Status.QUEUED, Status.SENDING, Status.DEFERRED, Status.UNCERTAIN)
TROUBLE = "trouble"
"""Every kind by which something went wrong."""
KINDS = {
    "": (),
    TROUBLE: (
        *(EventKind.DOWN_TEMPORARILY, EventKind.TIMEOUT, EventKind.WARNING),
        *(EventKind.CRITICAL, EventKind.FATAL, EventKind.GOOD_BYE),
    ),
    **{kind.value: (kind,) for kind in EventKind if kind not in (EventKind.BEAT, EventKind.INFORM_USER)},
}
"""Which kinds of events are shown, by what is chosen."""
QUESTIONS = {
    "provider-out": N_("Take {one} out of service? Its mail goes to the others; the last one stays."),
    "provider-in": N_("Put {one} back into service?"),
    "schedule": N_("Pick providers by {one} in every container, from now on and after each start?"),
    "weigh": N_("Give {one} the weight {other} in every container, from now on and after each start?"),
    "check": N_(
        "Ask {one} whether its credentials are good? No mail is sent; with bad ones it leaves service."
    ),
    "retry": N_(
        "Try again what waits, failed, bounced or is uncertain of {one}? What is uncertain may arrive twice."
    ),
    "cancel": N_("Cancel what surely no provider has of {one}?"),
    "lock": N_("Lock {one}? Nobody gets in by that name, and every browser of theirs is logged out."),
    "unlock": N_("Open {one} again?"),
    "end-sessions": N_("Log {one} out of every browser?"),
    "lift": N_("Let {one} write to {other} again?"),
    "invite": N_("Make an invitation? Whoever has its link can make an account."),
}
"""What is asked before anything is done, by what would be done."""


class OpsState(rx.State):
    """Everything on the operator's page; empty for everybody else."""

    is_loaded: bool = False
    problem: str = ""
    tiles: list[Tile] = []  # noqa: RUF012 - Reflex copies the default for each client
    rulings: list[str] = []  # noqa: RUF012
    names: list[str] = []  # noqa: RUF012
    containers: list[ContainerRow] = []  # noqa: RUF012
    servers: list[ServerRow] = []  # noqa: RUF012
    depth: list[tuple[str, str]] = []  # noqa: RUF012
    oldest: str = ""
    hour: list[dict[str, str | int]] = []  # noqa: RUF012
    day: list[dict[str, str | int]] = []  # noqa: RUF012
    kind: str = ""
    about: str = ""
    words: str = ""
    events: list[EventRow] = []  # noqa: RUF012
    found: list[FoundRow] = []  # noqa: RUF012
    finding: str = ""
    shown: str = ""
    shown_head: str = ""
    life: list[LifeRow] = []  # noqa: RUF012
    can_retry: bool = False
    can_cancel: bool = False
    question: str = ""
    done: str = ""
    refusal: str = ""
    _verb: str = ""
    _about: tuple[str, ...] = ()

    async def _arrive(self) -> None:
        """The page is opened."""
        self.question = self.done = self.refusal = ""
        await self._look()

    async def _refresh(self) -> None:
        """Something happened."""
        if self.is_loaded:
            await self._look()

    @rx.event
    async def narrow(self, field: str, value: str) -> None:
        """Show only those events: of a kind, about a provider, or with some words."""
        value = value[:LONGEST].strip() if isinstance(value, str) else ""
        match field:
            case "kind":
                self.kind = value if value in KINDS else ""
            case "about":
                self.about = value
            case "words":
                self.words = value
        await self._look()

    @rx.event
    async def find(self, form: dict[str, Any]) -> None:
        """Find mails."""
        words, by = _text(form, "words"), _text(form, "by")
        kind = By(by) if by in set(By) else By.ANYTHING
        me = caller()
        try:
            mails = await off_loop(service().operations.find, me.user, words, kind)
        except (Refused, StoreError) as refusal:
            self.finding, self.found = str(refusal), []
            return
        zone = ZoneInfo(me.zone)
        self.found = [opsrows.found(one, zone) for one in mails]
        self.finding = (
            ngettext("{count} mail found.", "{count} mails found.", len(mails))
            if mails
            else _("No mail fits.")
        )

    @rx.event
    async def show(self, id: str) -> None:
        """Show the whole life of a mail."""
        self.shown = id[:100] if isinstance(id, str) else ""
        await self._show()

    @rx.event
    def ask(self, verb: str, about: list[str]) -> None:
        """Ask whether something is really wanted."""
        if not isinstance(verb, str) or verb not in QUESTIONS or not isinstance(about, list):
            return
        words = tuple(str(word)[:LONGEST].strip() for word in about)
        if len(words) != {"lift": 2, "weigh": 2, "invite": 0}.get(verb, 1):
            return
        if not service().operations.is_operator(caller().user):
            return
        self.done = self.refusal = ""
        if not all(words):
            self.refusal = _("Type the weight first.") if verb == "weigh" else _("Type whose first.")
            return
        self._verb, self._about = verb, words
        self.question = _(QUESTIONS[verb], **dict(zip(("one", "other"), words, strict=False)))

    @rx.event
    def ask_person(self, form: dict[str, Any]) -> None:
        """The same, for what is done to an account that was typed in."""
        verb = _text(form, "verb")
        words = [_text(form, "name"), *([_text(form, "address")] if verb == "lift" else [])]
        return type(self).ask(verb, words)  # type: ignore[no-any-return]

    @rx.event
    def ask_schedule(self, form: dict[str, Any]) -> None:
        """The same, for the scheduler that was chosen."""
        return type(self).ask("schedule", [_text(form, "scheduler")])  # type: ignore[no-any-return]

    @rx.event
    def ask_weight(self, form: dict[str, Any]) -> None:
        """The same, for the weight that was typed in."""
        return type(self).ask("weigh", [_text(form, "provider"), _text(form, "weight")])  # type: ignore[no-any-return]

    @rx.event
    def leave(self) -> None:
        """It is not wanted."""
        self.question, self._verb, self._about = "", "", ()

    @rx.event
    async def confirm(self) -> None:
        """Do what was asked about."""
        verb, about, me = self._verb, self._about, caller()
        self.question, self._verb, self._about = "", "", ()
        if not verb:
            return
        try:
            self.done = await off_loop(_do, me.user, verb, about)
        except (Refused, StoreError) as refusal:
            self.refusal = str(refusal)
        await self._look()
        await self._show()

    async def _look(self) -> None:
        me, operations = caller(), service().operations
        try:
            overview = await off_loop(operations.overview, me.user)
            servers = await off_loop(operations.servers, me.user)
            happened = operations.events(me.user, KINDS[self.kind], self.about, self.words)
        except (Refused, StoreError) as refusal:
            self.problem, self.is_loaded = str(refusal), False
            return
        zone = ZoneInfo(me.zone)
        self.problem = ""
        self.tiles = opsrows.tiles(overview, zone)
        self.rulings = opsrows.rulings(overview.plan, zone)
        self.names = list(dict.fromkeys(one.name for one in self.tiles))
        self.containers = [opsrows.container(one, overview.at) for one in overview.containers]
        self.servers = [opsrows.server(one, overview.at) for one in servers]
        self.depth = [
            (_(STATUS_WORDS[status]), decimal(overview.backlog.waiting.get(status, 0))) for status in WAITING
        ]
        oldest = overview.backlog.oldest
        self.oldest = "" if oldest is None else opsrows.span(overview.at - oldest)
        self.hour = [opsrows.point(one, zone) for one in overview.hour]
        self.day = [opsrows.point(one, zone) for one in overview.day]
        self.events = [opsrows.event(one, zone) for one in happened]
        self.is_loaded = True

    async def _show(self) -> None:
        me, operations = caller(), service().operations
        mail, answers = None, {}
        try:
            if self.shown:
                mail = await off_loop(operations.submission, me.user, self.shown)
                answers = await off_loop(operations.answers, me.user, self.shown)
        except (Refused, StoreError):
            mail = None
        zone = ZoneInfo(me.zone)
        self.shown_head = (
            _(
                "{subject}, from {sender}",
                subject=mail.subject or _("(no subject)"),
                sender=mail.sender or "<>",
            )
            if mail
            else ""
        )
        self.life = opsrows.life(mail, answers, zone) if mail else []
        statuses = {one.status for one in mail.deliveries} if mail else set()
        self.can_retry, self.can_cancel = bool(statuses & set(RETRIABLE)), bool(statuses & set(CANCELLABLE))


def _do(user: str, verb: str, about: tuple[str, ...]) -> str:
    operations = service().operations
    match verb:
        case "provider-out" | "provider-in":
            return operations.order(user, about[0], is_out=verb == "provider-out")
        case "schedule":
            return operations.schedule(user, about[0])
        case "weigh":
            return operations.weigh(user, *about)
        case "check":
            return operations.check(user, about[0])
        case "retry":
            return operations.retry(user, about[0])
        case "cancel":
            return operations.cancel(user, about[0])
        case "lock" | "unlock":
            return operations.lock(user, about[0], is_locked=verb == "lock")
        case "end-sessions":
            return operations.end_sessions(user, about[0])
        case "lift":
            return operations.lift(user, *about)
    link = routes.way_in(invitation=operations.invite(user))
    return _("Send this link, which works once: {link}", link=link)


def _text(form: object, name: str) -> str:
    value = form.get(name) if isinstance(form, dict) else None
    return value[:LONGEST].strip() if isinstance(value, str) else ""
