"""One window in which a mail is written. There are a few of them; each has a state of its own."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import reflex as rx

from bitmail import routes
from bitmail.attachments import LIMIT, Attached, check_total, encoded_size, megabytes
from bitmail.catalogue import N_, _, decimal, moment, ngettext
from bitmail.chips import Chip, read_chips, shown
from bitmail.contacts import Suggestion
from bitmail.current import caller, off_loop, service
from bitmail.drafts import TYPED, Draft, Hold, is_key, new_key
from bitmail.errors import AlreadySent, FieldError, Overtaken, Suppressed, Unsendable
from bitmail.preferences import Editor
from bitmail.prompts import prompts
from bitmail.sanitiser import sanitise_written
from bitmail.sessions import Session
from bitmail.state.toasts import ToastState
from bitmail.words import clock_time
from mta.plaintext import html_to_text
from store import StoreError

log = logging.getLogger(__name__)

PEOPLE = {"to": N_("To"), "cc": N_("Cc"), "bcc": N_("Bcc"), "reply_to": N_("Reply-To")}
"""The fields for people, and what each is called on the screen."""
FIELDS = {**PEOPLE, "subject": N_("Subject"), "text": N_("Message"), "at": N_("Send later")}
TYPING = "_new"
"""What is being typed into a field for people lies in a field of its own, with this at the end of its name."""
PIECE = 256 * 1024


@dataclass
class FileRow:
    """One file of the mail."""

    id: int
    name: str
    size: str
    note: str


@dataclass
class Offer:
    """One suggestion while an address is typed."""

    label: str
    detail: str
    text: str


class Composer(rx.State, mixin=True):
    """A window: which draft is in it, and what it says beside the form.

    What is typed lives in the browser, in uncontrolled fields, and comes along with each event. Which draft the window
    holds lives there too, so that nothing that becomes of the server closes the window.
    """

    key: str = rx.SessionStorage("")
    window: str = rx.SessionStorage("")
    revision: str = rx.SessionStorage("0")
    size: str = rx.SessionStorage("")
    extra: str = rx.SessionStorage("")
    rich: str = rx.SessionStorage("")
    title: str = ""
    errors: dict[str, str] = {}  # noqa: RUF012 - Reflex copies the default for each client
    problem: str = ""
    saved: str = ""
    people: dict[str, list[Chip]] = {}  # noqa: RUF012
    summary: str = ""
    weight: str = ""
    files: list[FileRow] = []  # noqa: RUF012
    uploading: list[str] = []  # noqa: RUF012
    percent: int = 0
    offers: list[Offer] = []  # noqa: RUF012
    offered_in: str = ""
    offered_for: str = ""
    active: int = -1
    asked: list[str] = []  # noqa: RUF012
    asks_to_discard: bool = False
    templates: list[tuple[int, str]] = []  # noqa: RUF012
    _later: bool = False
    _kept: Draft | None = None
    _warned: list[str] = []  # noqa: RUF012
    _slot: ClassVar[int] = 0

    @rx.event
    async def begin(self, spare: str) -> Any:
        """The form appeared: give it what was typed before the page went away, else what was saved of its draft.

        `spare` is the browser's copy of what was typed last in this window, or "".
        """
        me, model = caller(), service().model
        if not is_key(self.key) or not self.window.startswith(f"{me.user} "):
            self._shut()
            return None
        if await off_loop(model.drafts.is_over, me.user, self.key):
            self._shut()
            return None
        self._clear()
        self._kept = None
        typed = _spared(spare, self.window)
        try:
            draft, revision = await off_loop(model.drafts.open, me.user, self.key)
            if typed is None:
                self.revision, self.rich = str(max(revision, 0)), ""
                if revision < 0:
                    draft = await off_loop(_begun, me.user, self.key)
            fields = typed or {name: getattr(draft, name) for name in TYPED}
            is_rich, self.rich = bool(fields.get("html")), ""
            shown = {name for name in PEOPLE if fields.get(name) or fields.get(name + TYPING)}
            self.extra = " ".join(dict.fromkeys([*self.extra.split(), *sorted(shown)]))
            await self._show_people(fields)
            await self._show_files(me)
        except StoreError:
            log.exception("a draft could not be opened")
            self.problem = _("This draft could not be opened. Close this window and open it again.")
            return None
        focus = (
            "text"
            if fields.get("to") and fields.get("subject")
            else "subject"
            if fields.get("to")
            else f"to{TYPING}"
        )
        values = {name: value for name, value in fields.items() if value} | {"loaded": self.window}
        return [
            *(rx.set_value(self._id(name), value) for name, value in values.items()),
            rx.set_focus(self._id(focus)),
            *([type(self).show_rich] if is_rich else []),
        ]

    @rx.event
    def show_rich(self) -> None:
        """The form has a rich text: show it in the editor."""
        self.rich = "1"

    @rx.event
    async def enrich(self, form: dict[str, Any]) -> Any:
        """The text is to be rich from now on."""
        draft = await self._typed(form)
        if draft is None or self.rich:
            return None
        return [rx.set_value(self._id("html"), _as_html(draft.text)), type(self).show_rich]

    @rx.event
    async def simplify(self, form: dict[str, Any]) -> Any:
        """The text is to be plain again."""
        draft = await self._typed(form)
        if draft is None or not self.rich:
            return None
        self.rich = ""
        return [rx.set_value(self._id("text"), draft.text), rx.set_value(self._id("html"), "")]

    @rx.event
    async def keep(self, form: dict[str, Any]) -> Any:
        """Something was typed some time ago, or the person went elsewhere: show the people, keep all of it."""
        draft = await self._typed(form)
        if draft is None:
            return
        if form.get(self.offered_in + TYPING) != self.offered_for:
            self._offer("", "", [])
        await self._show_people(form, is_same=draft == self._kept)
        if draft == self._kept:
            return
        self.saved = _("Saving…")
        yield
        try:
            await self._save(draft, caller())
        except Unsendable as refusal:
            self._show(refusal.errors)
        except StoreError:
            log.exception("a draft could not be kept")
            self.saved = _("Not saved. It is tried again as you type on.")
        if self.saved == _("Saving…"):
            self.saved = ""

    @rx.event
    async def send(self, form: dict[str, Any]) -> Any:
        """Send was pressed."""
        self._later = False
        return await self._send(form)

    @rx.event
    async def send_later(self, form: dict[str, Any]) -> Any:
        """A time was chosen and confirmed."""
        self._later = True
        return await self._send(form)

    @rx.event
    async def send_anyway(self, form: dict[str, Any]) -> Any:
        """What was asked before sending was answered with yes."""
        return await self._send(form, is_confirmed=True)

    @rx.event
    def write_on(self) -> Any:
        """What was asked was answered with no."""
        self.asked, self.asks_to_discard = [], False
        return rx.set_focus(self._id("text"))

    @rx.event
    async def look(self, field: str, typed: str) -> None:
        """Somebody is being typed into a field for people."""
        if field not in PEOPLE or not isinstance(typed, str) or len(typed) > 200:
            return
        found = await off_loop(service().model.contacts.suggest, caller().user, typed)
        self._offer(field, typed, found)

    @rx.event
    def step(self, by: int) -> None:
        """An arrow key moves among the suggestions."""
        if isinstance(by, int) and self.offers:
            self.active = (max(self.active, -1) + by) % len(self.offers)

    @rx.event
    def stop_looking(self) -> None:
        """The suggestions are not wanted."""
        self._offer("", "", [])

    @rx.event
    def show_field(self, name: str) -> Any:
        """A field that is seldom needed is."""
        if name not in PEOPLE:
            return None
        self.extra = " ".join(dict.fromkeys([*self.extra.split(), name]))
        return rx.set_focus(self._id(name + TYPING))

    @rx.event
    async def announce(self, files: list[dict[str, Any]]) -> None:
        """Files are about to come: say at once which of them cannot be attached."""
        given = [
            (str(file["name"])[:200], file["size"])
            for file in (files if isinstance(files, list) else [])[:1000]
            if isinstance(file, dict) and isinstance(file.get("size"), int) and "name" in file
        ]
        there = await off_loop(service().model.attachments.of, caller().user, self.key)
        self.errors = {name: reason for name, reason in self.errors.items() if name != "attachments"}
        try:
            check_total([*((file.name, file.size) for file in there), *given])
        except Unsendable as refusal:
            self._show(refusal.errors)
        else:
            self.uploading, self.percent = [*self.uploading, *(name for name, _ in given)], 0

    @rx.event
    def progress(self, sent: dict[str, Any]) -> None:
        """So much of the files has come."""
        share = sent.get("progress") if isinstance(sent, dict) else None
        if isinstance(share, int | float) and 0 <= share <= 1:
            self.percent = int(100 * share)

    @rx.event
    async def attach(self, files: list[rx.UploadFile], window: str) -> None:
        """Files have come: keep them with the draft."""
        me, model = caller(), service().model
        given = [(file, file.filename or "") for file in files]
        names = [name for _, name in given]
        self.uploading = _without(self.uploading, names)
        if not is_key(self.key) or window != self.window:
            return
        try:
            for file, name in given:
                pieces = iter(lambda source=file.file: source.read(PIECE), b"")  # type: ignore[misc]
                kind = file.content_type or ""
                await off_loop(model.attachments.add, me.user, self.key, name, kind, pieces)
        except Unsendable as refusal:
            self._show(refusal.errors)
        await off_loop(model.drafts.touch, me.user, self.key, self.window)
        await self._show_files(me)
        model.changed(me.user)

    @rx.event
    def give_up(self, name: str) -> None:
        """A file that is on its way is not waited for."""
        self.uploading = _without(self.uploading, [name])

    @rx.event
    async def detach(self, id: int) -> None:
        """One file is not to go along."""
        me, model = caller(), service().model
        if isinstance(id, int):
            await off_loop(model.attachments.remove, me.user, self.key, id)
            await off_loop(model.drafts.touch, me.user, self.key, self.window)
            self.errors = {name: reason for name, reason in self.errors.items() if name != "attachments"}
            await self._show_files(me)
            model.changed(me.user)

    @rx.event
    def resize(self, size: str) -> None:
        """The window is to be small, large, or as it comes."""
        if size in ("", "small", "large"):
            self.size = size

    @rx.event
    async def close(self, form: dict[str, Any]) -> Any:
        """The window is closed: what is in it stays a draft."""
        me, model, key = caller(), service().model, self.key
        draft = await self._typed(form)
        if draft is not None:
            try:
                await self._save(draft, me)
            except Unsendable as refusal:
                self._show(refusal.errors)
                return None
            await off_loop(_forget_untouched, me.user, draft)
        self._shut()
        model.changed(me.user)
        return self._leave(key)

    @rx.event
    async def discard(self, form: dict[str, Any], is_confirmed: bool = False) -> Any:
        """The draft is not wanted; unless it is empty, that is asked about once."""
        me, model, key = caller(), service().model, self.key
        draft = await self._typed(form)
        if draft is not None and is_confirmed is not True and (_has_words(draft, me) or self.files):
            self.asks_to_discard = True
            return None
        if draft is not None:
            try:
                await self._save(draft, me)
            except Unsendable:
                self.problem = _(
                    "This is too long to be kept, so discarding could not be undone. Shorten it first."
                )
                return None
        key = self.key
        if await off_loop(model.drafts.discard, me.user, key):
            toasts = await self.get_state(ToastState)
            toasts._say(_("Draft discarded."), draft=key)
        self._shut()
        model.changed(me.user)
        return self._leave(key)

    @rx.event
    async def list_templates(self) -> None:
        """The menu of templates is opened."""
        found = await off_loop(service().model.phrases.templates, caller().user)
        self.templates = [(template.id, template.name) for template in found]

    @rx.event
    async def use_template(self, id: int, form: dict[str, Any]) -> Any:
        """A template is to stand before what is written."""
        draft = await self._typed(form)
        found = await off_loop(service().model.phrases.templates, caller().user)
        template = next((template for template in found if template.id == id), None)
        if draft is None or template is None:
            return None
        events = [
            rx.set_value(self._id("text"), f"{template.text}{draft.text}"),
            rx.set_focus(self._id("text")),
        ]
        if template.subject and not draft.subject.strip():
            events.append(rx.set_value(self._id("subject"), template.subject))
        return events

    @rx.event
    async def save_template(self, form: dict[str, Any]) -> None:
        """What is written is to be kept as a template, called by its subject."""
        draft = await self._typed(form)
        if draft is None:
            return
        model, user = service().model, caller().user
        signature = await off_loop(model.phrases.signed, user)
        text = draft.text.removesuffix(signature)
        try:
            await off_loop(model.phrases.save_template, user, draft.subject, draft.subject, text)
        except Unsendable:
            self._show((FieldError("subject", "", _("A template is called by its subject. Type one.")),))
            return
        self.saved = _("Saved as a template")
        await self.list_templates()  # type: ignore[misc, operator]

    def _open(self, user: str, key: str) -> None:
        self.key, self.window, self.revision, self.size, self.extra = key, f"{user} {new_key()}", "0", "", ""
        self.rich = ""

    def _shut(self) -> None:
        self.key, self.window, self.revision, self.size, self.extra = "", "", "0", "", ""
        self.rich = ""
        self.people, self.files, self.uploading, self.summary, self.title = {}, [], [], "", ""
        self._clear()

    def _leave(self, key: str) -> Any:
        """The address names the draft no more, where it did."""
        if self.router.url.query_parameters.get(routes.DRAFT, "") == key:
            return rx.redirect(routes.without_draft(self.router.url), replace=True)
        return None

    async def _send(self, form: object, *, is_confirmed: bool = False) -> Any:
        self._clear()
        me, model, key = caller(), service().model, self.key
        draft = await self._typed(form)
        if draft is None:
            self.problem = _(
                "The page sent something that is no mail. Reload it; what you saved is still there."
            )
            return None
        await self._show_people(form)
        try:
            draft = await self._save(draft, me)
            wanted = await off_loop(model.preferences.of, me.user)
            undo = min(wanted.undo, service().settings.undo)
            at = time.time() + undo if undo else 0.0
            not_before = self._time(form, me) if self._later else at
            if not is_confirmed and not any(self.errors.values()):
                self.asked = prompts(draft, len(self.files), self.uploading)
                if self.asked:
                    return rx.set_focus(self._id("asked"))
            author = model.accounts.account(me.user)
            sent = await off_loop(
                model.outbox.send,
                author,
                draft,
                not_before=not_before,
                name=wanted.display_name,
                anyway=self._warned == [draft.to, draft.cc, draft.bcc],
            )
        except Suppressed as warning:
            self._warned = [draft.to, draft.cc, draft.bcc]
            shown = self._show(warning.errors)
            self.asked = [error.reason for error in warning.errors[:5]]
            return shown
        except Unsendable as refusal:
            return self._show(refusal.errors)
        except AlreadySent as refusal:
            self.problem = str(refusal)
            return None
        self._shut()
        model.changed(me.user)
        if not not_before:
            return rx.redirect(routes.mail(routes.SENT, sent.id))
        count = len(sent.submission.deliveries)
        text = ngettext("Queued for {count} person", "Queued for {count} people", count, count=count)
        if self._later:
            at = datetime.fromtimestamp(not_before, ZoneInfo(me.zone))
            text = _("Scheduled for {time}", time=moment(at, _("EEEE, d MMMM, HH:mm")))
        toasts = await self.get_state(ToastState)
        toasts._say(text, mail=sent.id)
        return self._leave(key)

    async def _save(self, draft: Draft, me: Session) -> Draft:
        """Keep the draft; return it with the thread that it belongs to, under the key that it has from now on."""
        model = service().model
        hold = Hold(self.window, int(self.revision) if self.revision.isdecimal() else 0)
        before = self.revision
        try:
            revision = await off_loop(model.drafts.save, me.user, draft, hold)
        except Overtaken as news:
            draft = await off_loop(model.drafts.fork, me.user, draft)
            self.key, self.revision, self.problem = draft.key, "1", str(news)
        else:
            self.revision = str(max(revision, int(before) if before.isdecimal() else 0))
        if self.revision not in ("0", before):
            self.saved = _("Saved {time}", time=clock_time(time.time(), ZoneInfo(me.zone))[:5])
            if before == "0":  # who sees it as it was a moment ago is not told of every word
                model.changed(me.user)
        self._kept = draft
        if self.revision == "0":
            return draft
        kept = await off_loop(model.drafts.load, me.user, draft.key)
        return draft if kept.is_empty else kept

    def _time(self, form: Any, me: Session) -> float:
        try:
            at = datetime.fromisoformat(str(form.get("at", ""))).replace(tzinfo=ZoneInfo(me.zone)).timestamp()
        except (ValueError, OverflowError):
            raise Unsendable((FieldError("at", "", _("Choose a day and a time.")),)) from None
        if at < time.time():
            raise Unsendable((FieldError("at", "", _("This time has passed. Choose a later one.")),))
        return at

    async def _refresh(self) -> None:
        """Something of the person's changed: perhaps the files, in another window."""
        if self.window and is_key(self.key):
            await self._show_files(caller())

    async def _typed(self, form: object) -> Draft | None:
        """The draft in what a client sent, or None when it is no such thing, or of another window."""
        if not isinstance(form, dict) or not self.window or form.get("loaded") != self.window:
            return None
        names = [*TYPED, *(name + TYPING for name in PEOPLE)]
        typed = {name: form.get(name, "") for name in names}
        if not is_key(self.key) or not all(isinstance(value, str) for value in typed.values()):
            return None
        for name in PEOPLE:
            if unfinished := typed.pop(name + TYPING).strip():
                typed[name] += f"\n{unfinished}"
        draft = Draft(self.key, **{name: typed[name].replace("\r\n", "\n") for name in TYPED})
        return await off_loop(_cleaned, draft) if self.rich else replace(draft, html="")

    async def _show_people(self, fields: Mapping[str, str], *, is_same: bool = False) -> None:
        """Show the people who are finished; whoever is being typed is shown by the browser.

        While it is the same mail with the same people, what is said of it stays.
        """
        lines = {name: fields.get(name, "").replace("\r\n", "\n") for name in PEOPLE}
        people = await off_loop(lambda: {name: read_chips(text) for name, text in lines.items()})
        shown_people = {name: shown(chips) for name, chips in people.items()}
        if not is_same or shown_people != self.people:
            wrong = {name: [chip for chip in chips if chip.reason] for name, chips in people.items()}
            self.errors = {
                name: " ".join(chip.reason for chip in chips[:3]) for name, chips in wrong.items() if chips
            }
        if shown_people != self.people:
            self.people = shown_people
        count = sum(len(people[name]) for name in ("to", "cc", "bcc"))
        self.summary = _("{count} recipients", count=count) if count > 1 else ""
        self.title = fields.get("subject", "").strip()[:80]

    async def _show_files(self, me: Session) -> None:
        files = await off_loop(service().model.attachments.of, me.user, self.key)
        self.files = [_row(file) for file in files]
        total = sum(encoded_size(file.size) for file in files)
        self.weight = (
            _("{size} of {most} MB", size=decimal(total / 1024 / 1024, "0.0"), most=LIMIT // 1024 // 1024)
            if files
            else ""
        )

    def _offer(self, field: str, typed: str, found: list[Suggestion]) -> None:
        self.offers = [Offer(one.label, one.detail, one.text) for one in found]
        self.offered_in, self.offered_for = field, typed
        self.active = 0 if found and "@" not in typed else -1

    def _clear(self) -> None:
        self.errors, self.problem, self.saved = {}, "", ""
        self.asked, self.asks_to_discard = [], False
        self._offer("", "", [])

    def _show(self, errors: tuple[FieldError, ...]) -> Any:
        told: dict[str, str] = {}
        for error in errors:
            told[error.field] = f"{told[error.field]} {error.reason}" if error.field in told else error.reason
        self.errors = {field: told[field] for field in (*FIELDS, "attachments") if field in told}
        self.problem = " ".join(reason for field, reason in told.items() if field not in self.errors)
        field = next((field for field in FIELDS if field in self.errors), "")
        if field in PEOPLE:
            self.extra = " ".join(
                dict.fromkeys([*self.extra.split(), *(name for name in PEOPLE if name in told)])
            )
        return rx.set_focus(self._id(field + TYPING if field in PEOPLE else field)) if field else None

    def _id(self, name: str) -> str:
        return element_id(self._slot, name)


class FirstComposer(Composer, rx.State):
    """The first window."""

    _slot: ClassVar[int] = 0


class SecondComposer(Composer, rx.State):
    """The second window."""

    _slot: ClassVar[int] = 1


class ThirdComposer(Composer, rx.State):
    """The third window."""

    _slot: ClassVar[int] = 2


COMPOSERS = (FirstComposer, SecondComposer, ThirdComposer)


def element_id(slot: int, name: str) -> str:
    """The id of an element in a window."""
    return f"composer{slot}_{name}"


def _cleaned(draft: Draft) -> Draft:
    """A rich text as it may be kept and sent, with the plain text that says the same."""
    html = sanitise_written(draft.html)
    text = html_to_text(html)
    return replace(draft, html=html if text or "<img" in html else "", text=text)


def _as_html(text: str) -> str:
    paragraphs = escape(text, quote=False).split("\n\n")
    return "".join(f"<p>{paragraph.replace(chr(10), '<br>') or '<br>'}</p>" for paragraph in paragraphs)


def _begun(user: str, key: str) -> Draft:
    """A new mail: with the person's signature, in the editor that they prefer."""
    model = service().model
    text = model.phrases.signed(user)
    is_rich = model.preferences.of(user).editor is Editor.RICH
    return Draft(key, text=text, html=_as_html(text) if is_rich else "")


def _spared(spare: object, window: str) -> dict[str, str] | None:
    """The fields of a browser's spare copy, or None when it is none of this window."""
    try:
        form = json.loads(spare) if isinstance(spare, str) else None
    except ValueError:
        return None
    if not isinstance(form, dict) or form.get("loaded") != window:
        return None
    names = (*TYPED, *(name + TYPING for name in PEOPLE))
    fields = {name: form.get(name, "") for name in names}
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _row(file: Attached) -> FileRow:
    return FileRow(
        file.id, file.name, megabytes(file.size), _("This file is empty.") if not file.size else ""
    )


def _without(names: list[str], done: list[str]) -> list[str]:
    left = list(names)
    for name in done:
        if name in left:
            left.remove(name)
    return left


def _has_words(draft: Draft, me: Session) -> bool:
    """Whether there is more than the signature."""
    signature = service().model.phrases.signed(me.user)
    return not draft.is_empty and any(
        getattr(draft, name).strip() != (signature.strip() if name == "text" else "") for name in TYPED
    )


def _forget_untouched(user: str, draft: Draft) -> None:
    """A draft that nobody typed in is none: an answer as it was begun, or a signature alone."""
    model = service().model
    _, revision = model.drafts.open(user, draft.key)
    signature = model.phrases.signed(user)
    is_bare = draft.text == signature and not any(getattr(draft, name) for name in TYPED if name != "text")
    if revision == 0 or (is_bare and not model.attachments.of(user, draft.key)):
        model.drafts.forget(user, draft.key)
        model.attachments.forget(user, draft.key)
