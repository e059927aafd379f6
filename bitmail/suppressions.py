"""Suppressions: addresses that a person had better not write to, since a mail of theirs came back or annoyed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from bitmail.catalogue import _, moment
from mta.outcomes import Status
from store import Entry, JsonStore

ONE_BY_ONE = 20
"""Addresses up to which each is looked up; for more, the whole list is read."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class Suppression:
    """One address on a person's list.

    Attributes:
        id: the store's id; greater is newer.
        address: `local@domain`, as it was written to.
        status: bounced or complained.
        reason: why, as a sentence.
        at: when, in seconds since the epoch.
    """

    id: int
    address: str
    status: Status
    reason: str
    at: float

    @property
    def warning(self) -> str:
        """What to tell before a mail goes there again."""
        when = datetime.fromtimestamp(self.at, UTC)
        day = moment(when, _("d MMMM y"))
        if self.status is Status.COMPLAINED:
            return _("{address} reported a mail of yours as spam on {day}.", address=self.address, day=day)
        return _(
            "{address} bounced on {day}. {reason}",
            address=self.address,
            day=day,
            reason=_(self.reason) if self.reason else "",
        ).rstrip()


class Suppressions:
    """The lists of everyone; each call names whose."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def add(self, user: str, address: str, status: Status, reason: str) -> None:
        """Put an address on the list; see `add_all`."""
        self.add_all(user, [(address, status, reason)])

    def add_all(self, user: str, news: Iterable[tuple[str, Status, str]]) -> None:
        """Put addresses on the list, durably when this returns.

        One that is there stays as it is, but for a complaint, which counts more. Repeating changes nothing.

        Args:
            user: whose list.
            news: address, status (bounced or complained), and the reason as a sentence.
        """
        told = {address.casefold(): (address, status, reason) for address, status, reason in news}
        there = {one.address.casefold(): one for one in self.among(user, told)}
        now = repr(self._clock())
        new = []
        for key, (address, status, reason) in told.items():
            data = {"address": address, "status": status.value, "reason": reason, "at": now}
            if key not in there:
                new.append(data | {"suppressed_by": user, "suppressed": key})
            elif status is Status.COMPLAINED and there[key].status is not status:
                self._store.update_by_id(there[key].id, data)
        if new:
            self._store.put_many(new)

    def lift(self, user: str, address: str) -> bool:
        """Take an address off the list, for its owner or for an operator; whether it was there."""
        found = self._store.get({"suppressed_by": user, "suppressed": address.casefold()})
        removed = [self._store.remove(entry.id) for entry in found]
        return any(removed)

    def among(self, user: str, addresses: Iterable[str]) -> list[Suppression]:
        """Those of the addresses that are on the list, in the order given."""
        wanted = {address.casefold(): address for address in addresses}
        if len(wanted) <= ONE_BY_ONE:
            entries = [
                entry
                for address in wanted
                for entry in self._store.get({"suppressed_by": user, "suppressed": address}, limit=1)
            ]
        else:
            entries = self._all(user)
        there = {entry.data["suppressed"]: _suppression(entry) for entry in entries}
        return [there[address] for address in wanted if address in there]

    def page(self, user: str, before: int | None = None, limit: int = 50) -> list[Suppression]:
        """The newest on the list; `before` is the last id of the page above."""
        found = self._store.get({"suppressed_by": user}, newest_first=True, limit=limit, before=before)
        return [_suppression(entry) for entry in found]

    def _all(self, user: str) -> list[Entry]:
        entries: list[Entry] = []
        before = None
        while page := self._store.get({"suppressed_by": user}, limit=PAGE, before=before):
            entries += page
            before = page[-1].id
        return entries


def _suppression(entry: Entry) -> Suppression:
    data = entry.data
    return Suppression(entry.id, data["address"], Status(data["status"]), data["reason"], float(data["at"]))
