"""Contacts: the people a person writes to, collected from what was sent, and as they were edited."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bitmail.catalogue import _, decimal, ngettext
from bitmail.drafts import storable
from bitmail.errors import FieldError, NoSuchContact, Unsendable
from bitmail.retelling import retold
from mta.addresses import Address, BadAddress, parse_address
from store import Entry, JsonStore

PAGE = 50
"""Contacts on one page."""
SUGGESTED = 6
"""Contacts offered while an address is typed."""
LOOKED_AT = 500
"""Contacts that one search looks at, the newest first."""
COLLECTED = 100
"""A mail to more people than this is to a list, and makes nobody a contact."""
MOST = 20_000
"""Contacts of one person."""
GROUP_LIMIT = 60
_PREFIX = 3
"""Letters of a word by which the store finds it; what is typed beyond is compared here."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody a person writes to.

    Attributes:
        id: the store's id.
        name: as people call them, or "".
        email: `local@domain`.
        groups: the groups they are in, sorted.
        uses: mails sent to them.
        last: when the last one was, in seconds since the epoch; 0 for never.
    """

    id: int
    name: str
    email: str
    groups: tuple[str, ...] = ()
    uses: int = 0
    last: float = 0.0

    @property
    def label(self) -> str:
        """The name, or else the address."""
        return self.name or self.email

    @property
    def line(self) -> str:
        """As it stands in a field of recipients."""
        return (
            parse_address(self.email).header
            if not self.name
            else Address(self.name, *_parts(self.email)).header
        )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is offered while an address is typed.

    Attributes:
        label: what it is called.
        detail: the address, or how many people a group has.
        text: what takes the place of what was typed.
    """

    label: str
    detail: str
    text: str


class Contacts:
    """The contacts of everyone; each call names whose it is about."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def collect(self, user: str, people: Iterable[Address]) -> None:
        """Remember whom a mail was sent to; a name that is known stays."""
        people = list(people)
        if len(people) > COLLECTED:
            return
        now = repr(self._clock())
        for address in people:
            place = {"contacts of": user, "key": address.key}
            data = _data(address, ()) | {"uses": "1", "last": now}
            id, created = self._store.put_if_absent(place, place | self._found_by(user, address) | data)
            if created:
                continue
            entry = self._store.get_by_id(id)
            if entry is None:
                continue
            changes = {"uses": str(int(entry.data.get("uses", "0")) + 1), "last": now}
            if address.name and not entry.data["name"]:
                changes |= {"name": address.name} | self._found_by(user, address)
            self._store.update_by_id(id, changes, expecting=place)

    def suggest(self, user: str, typed: str, limit: int = SUGGESTED) -> list[Suggestion]:
        """People and groups of which every word typed begins a word, those written to most first."""
        words = _words(typed)
        if not words:
            return []
        groups = [
            Suggestion(
                group,
                ngettext("{count} person", "{count} people", len(members)),
                ", ".join(one.line for one in members),
            )
            for group in self.groups(user)
            if _begin(words, _words(group)) and (members := self.members(user, group))
        ]
        people = sorted(self.find(user, typed), key=lambda one: (-one.uses, -one.last, one.label.casefold()))
        found = [Suggestion(one.label, one.email if one.name else "", one.line) for one in people]
        return [*groups, *found][:limit]

    def find(self, user: str, typed: str) -> list[Contact]:
        """Those of whom every word typed begins a word of their name, address or groups; newest first."""
        words = _words(typed)
        if not words:
            return []
        longest = max(words, key=len)
        matching = {f"begins {longest[:_PREFIX]}": user}
        entries = self._store.get(matching, newest_first=True, limit=LOOKED_AT)
        return [
            _contact(entry)
            for entry in entries
            if _begin(words, _words(f"{entry.data['name']} {entry.data['email']}"))
        ]

    def page(self, user: str, before: int | None = None) -> tuple[list[Contact], int | None]:
        """One page, the newest first, and what to give as `before` for the next, or None."""
        found = self._store.get({"contacts of": user}, newest_first=True, limit=PAGE + 1, before=before)
        return [_contact(entry) for entry in found[:PAGE]], found[PAGE - 1].id if len(found) > PAGE else None

    def everyone(self, user: str) -> list[Contact]:
        """All contacts by name, for export."""
        found = map(_contact, self._store.get({"contacts of": user}))
        return sorted(found, key=lambda one: (one.label.casefold(), one.email))

    def groups(self, user: str) -> list[str]:
        """The names of the groups, sorted."""
        found = self._store.get({"contact groups of": user})
        return sorted((entry.data["name"] for entry in found), key=str.casefold)

    def members(self, user: str, group: str) -> list[Contact]:
        """Those in a group."""
        return [_contact(entry) for entry in self._store.get({"contacts of": user, f"group {group}": "1"})]

    def save(self, user: str, name: str, email: str, groups: str = "", id: int | None = None) -> Contact:
        """Keep a contact.

        Args:
            user: whose.
            name: as typed.
            email: as typed, one address.
            groups: names parted by commas.
            id: of the contact to change; None for a new one, or the one that has this address.

        Raises:
            Unsendable: with one reason a field.
            NoSuchContact: there is none with this id.
        """
        try:
            typed = parse_address(storable(email))
            address = Address(" ".join(storable(name).split()) or typed.name, typed.local, typed.domain)
        except BadAddress as error:
            raise Unsendable(
                (FieldError("email", error.value, f"{error.value}: {retold(error.reason)}."),)
            ) from None
        named = _group_names(groups)
        place = {"contacts of": user, "key": address.key}
        there = self._store.get(place, limit=1)
        before = self._own(user, id) if id is not None else there[0] if there else None
        if id is not None and there and there[0].id != id:
            reason = _("{email} is a contact already.", email=address.email)
            raise Unsendable((FieldError("email", address.email, reason),))
        if before is None and self._store.count({"contacts of": user}) >= MOST:
            raise Unsendable(
                (FieldError("email", "", _("{most} contacts are all there may be.", most=decimal(MOST))),)
            )
        data = place | self._found_by(user, address) | _data(address, named)
        if before is None:
            id, _created = self._store.put_if_absent(place, data | {"uses": "0", "last": "0"})
        else:
            gone = {
                key: "" for key in before.data if key.startswith(("begins ", "group ")) and key not in data
            }
            self._store.update_by_id(before.id, gone | data, expecting={"contacts of": user})
            id = before.id
        for group in named:
            group_place = {"contact groups of": user, "name": group}
            self._store.put_if_absent(group_place, group_place)
        self._drop_empty_groups(user, before.data.get("groups", "") if before else "")
        return _contact(self._own(user, id))

    def remove(self, user: str, id: int) -> None:
        """Take a contact away.

        Raises:
            NoSuchContact: there is none with this id.
        """
        entry = self._own(user, id)
        self._store.remove(entry.id)
        self._drop_empty_groups(user, entry.data.get("groups", ""))

    def contact(self, user: str, id: int) -> Contact:
        """One contact of this person.

        Raises:
            NoSuchContact: there is none with this id.
        """
        return _contact(self._own(user, id))

    def _drop_empty_groups(self, user: str, names: str) -> None:
        for group in filter(None, names.split(",")):
            if not self._store.get({"contacts of": user, f"group {group}": "1"}, limit=1):
                for entry in self._store.get({"contact groups of": user, "name": group}):
                    self._store.remove(entry.id)

    def _own(self, user: str, id: int) -> Entry:
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("contacts of") != user:
            raise NoSuchContact(_("This contact is not here any more."))
        return entry

    def _found_by(self, user: str, address: Address) -> dict[str, str]:
        """The keys by which the store finds somebody from the first letters of any of their words."""
        return {
            f"begins {word[:length]}": user
            for word in _words(f"{address.name} {address.email}")
            for length in range(1, min(_PREFIX, len(word)) + 1)
        }


def _words(text: str) -> list[str]:
    """The words of a text without accents and case, so that `zoe` finds Zoë."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))


def _begin(typed: list[str], words: list[str]) -> bool:
    return all(any(word.startswith(one) for word in words) for one in typed)


def _parts(email: str) -> tuple[str, str]:
    address = parse_address(email)
    return address.local, address.domain


def _group_names(groups: str) -> tuple[str, ...]:
    names = {" ".join(name.split())[:GROUP_LIMIT] for name in re.split("[,;]", storable(groups))}
    return tuple(sorted(filter(None, names), key=str.casefold))


def _data(address: Address, groups: tuple[str, ...]) -> dict[str, str]:
    named: Mapping[str, str] = {f"group {group}": "1" for group in groups}
    return {"name": address.name, "email": address.email, "groups": ",".join(groups), **named}


def _contact(entry: Entry) -> Contact:
    data = entry.data
    return Contact(
        entry.id,
        data["name"],
        data["email"],
        tuple(filter(None, data.get("groups", "").split(","))),
        int(data.get("uses", "0")),
        float(data.get("last", "0")),
    )
