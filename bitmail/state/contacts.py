"""The contacts: the list, and the one that is edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import reflex as rx

from bitmail import routes
from bitmail.cards import read_cards
from bitmail.catalogue import _, decimal, ngettext
from bitmail.contacts import Contact
from bitmail.current import caller, off_loop, service
from bitmail.errors import NoSuchContact, Unsendable
from bitmail.words import initials

FILE_LIMIT = 10 * 1024 * 1024
"""Octets of a file of contacts."""


@dataclass
class ContactRow:
    """One line of the list."""

    id: int
    href: str
    label: str
    initials: str
    email: str
    groups: str


class ContactsState(rx.State):
    """One page of contacts, and the form beside it."""

    rows: list[ContactRow] = []  # noqa: RUF012 - Reflex copies the default for each client
    older_href: str = ""
    is_loaded: bool = False
    find: str = ""
    id: int = 0
    is_open: bool = False
    name: str = ""
    email: str = ""
    groups: str = ""
    line: str = ""
    signature: str = ""
    errors: dict[str, str] = {}  # noqa: RUF012
    told: str = ""
    removed: str = ""
    _removed: tuple[str, str, str] = ("", "", "")

    async def _arrive(self) -> None:
        """The page is opened, turned, or another contact is picked."""
        query = self.router.url.query_parameters
        self.find = query.get(routes.FIND, "")[:200]
        self.errors, self.told = {}, ""
        await self._list()
        asked = query.get(routes.CONTACT, "")
        self.is_open = asked == "new" or (asked.isdecimal() and len(asked) < 19)
        self.id, self.name, self.email, self.groups, self.line = 0, "", "", "", ""
        self.signature = await off_loop(service().model.phrases.signature, caller().user)
        if self.is_open and asked != "new":
            try:
                self._edit(await off_loop(service().model.contacts.contact, caller().user, int(asked)))
            except NoSuchContact as missing:
                self.is_open, self.told = False, str(missing)

    @rx.event
    def look(self, form: dict[str, Any]) -> rx.event.EventSpec:
        """Words to find contacts by were typed."""
        words = form.get("find") if isinstance(form, dict) else ""
        query = urlencode({routes.FIND: words[:200]}) if isinstance(words, str) and words.strip() else ""
        return rx.redirect(f"{routes.CONTACTS}?{query}" if query else routes.CONTACTS)

    @rx.event
    async def save(self, form: dict[str, Any]) -> Any:
        """The form was sent."""
        typed = [form.get(name) if isinstance(form, dict) else None for name in ("name", "email", "groups")]
        if not all(isinstance(value, str) for value in typed):
            return None
        user, id = caller().user, self.id or None
        try:
            saved = await off_loop(service().model.contacts.save, user, *typed, id)
        except Unsendable as refusal:
            self.errors = {error.field: error.reason for error in refusal.errors}
            return rx.set_focus("contact_email")
        except NoSuchContact as missing:
            self.told = str(missing)
            return None
        self.errors = {}
        await self._list()
        if id is None:
            return rx.redirect(_href(saved.id))
        self._edit(saved)
        self.told = _("Saved {label}.", label=saved.label)
        return None

    @rx.event
    async def remove(self) -> Any:
        """The contact on show is not wanted."""
        contacts, user = service().model.contacts, caller().user
        try:
            contact = await off_loop(contacts.contact, user, self.id)
            await off_loop(contacts.remove, user, self.id)
        except NoSuchContact as missing:
            self.told = str(missing)
            return None
        self._removed = (contact.name, contact.email, ",".join(contact.groups))
        self.removed = contact.label
        return rx.redirect(routes.CONTACTS)

    @rx.event
    async def undo(self) -> Any:
        """The contact removed last is wanted after all."""
        if not self._removed[1]:
            return None
        saved = await off_loop(service().model.contacts.save, caller().user, *self._removed)
        self._removed, self.removed = ("", "", ""), ""
        return rx.redirect(_href(saved.id))

    @rx.event
    async def take(self, files: list[rx.UploadFile]) -> None:
        """Files of contacts have come, in vCard or CSV."""
        user = caller().user
        kept, left = 0, list[str]()
        for file in files[:10]:
            content = await file.read()
            one, wrong = (
                await off_loop(_import, user, content)
                if len(content) <= FILE_LIMIT
                else (0, [_("too large")])
            )
            kept, left = kept + one, left + wrong
        some = ngettext("{count} contact imported.", "{count} contacts imported.", kept)
        named = f"{', '.join(left[:3])}{' …' if len(left) > 3 else ''}"
        rest = (
            " " + _("{count} could not be: {names}.", count=decimal(len(left)), names=named) if left else ""
        )
        self.told = some + rest
        await self._list()

    @rx.event
    async def set_signature(self, form: dict[str, Any]) -> None:
        """The signature was edited."""
        text = form.get("signature") if isinstance(form, dict) else None
        if not isinstance(text, str):
            return
        try:
            await off_loop(service().model.phrases.set_signature, caller().user, text.replace("\r\n", "\n"))
        except Unsendable as refusal:
            self.errors = {"signature": str(refusal)}
            return
        self.errors, self.told = {}, _("Signature saved.")

    async def _list(self) -> None:
        contacts, user = service().model.contacts, caller().user
        before = self.router.url.query_parameters.get(routes.OLDER, "")
        self.older_href = ""
        if self.find:
            found = await off_loop(contacts.find, user, self.find)
        else:
            at = int(before) if before.isdecimal() and len(before) < 19 else None
            found, older = await off_loop(contacts.page, user, at)
            self.older_href = f"{routes.CONTACTS}?{routes.OLDER}={older}" if older else ""
        self.rows = [
            ContactRow(
                one.id,
                _href(one.id, self.find),
                one.label,
                initials(one.label),
                one.email,
                ", ".join(one.groups),
            )
            for one in found
        ]
        self.is_loaded = True

    def _edit(self, contact: Contact) -> None:
        self.id, self.name, self.email, self.line = contact.id, contact.name, contact.email, contact.line
        self.groups = ", ".join(contact.groups)


def _href(id: int, find: str = "") -> str:
    return f"{routes.CONTACTS}?{urlencode({routes.CONTACT: id} | ({routes.FIND: find} if find else {}))}"


def _import(user: str, content: bytes) -> tuple[int, list[str]]:
    """How many were kept, and the addresses of those that could not be."""
    kept, wrong = 0, list[str]()
    for card in read_cards(content):
        try:
            service().model.contacts.save(user, card.name, card.email, card.groups)
        except Unsendable:
            wrong.append(card.email[:80])
        else:
            kept += 1
    return kept, wrong
