"""The JSON-subset store: what every implementation does, in words and examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TypeVar

from store.entry import Entry, Match
from store.operations import (
    Count,
    Get,
    GetById,
    Operation,
    PutIfAbsent,
    PutMany,
    Remove,
    Update,
    UpdateAll,
    UpdateById,
)

Result = TypeVar("Result")


class JsonStore(ABC):
    """Entries, each a map from string to string with an id, found by what they contain.

    Every operation is atomic, may be called from any thread, and is durable once it has returned. Keys and
    values are any Unicode text without NUL and lone surrogates; whatever else is given raises `InvalidEntry`,
    which names the key, before anything is changed.
    The examples go on from one method to the next, in a store that was empty.
    """

    @abstractmethod
    def perform(self, operation: Operation[Result]) -> Result:
        """Carry out one operation; all the methods below go through here.

        Raises:
            StoreUnavailable: the database or the store server does not answer; a write may have been made.
        """

    def close(self) -> None:  # noqa: B027 - most implementations hold nothing of their own
        """Give back what the store itself holds; a database handed to it stays open."""

    def put(self, data: Mapping[str, str]) -> int:
        """Add an entry and return its id.

        >>> store.put({"kind": "mail", "user": "anna", "subject": "Hello"})
        1
        """
        return self.perform(PutMany([data]))[0]

    def put_many(self, entries: Sequence[Mapping[str, str]]) -> list[int]:
        """Add entries, all or none, and return their ids in the same order.

        >>> again = {"kind": "mail", "user": "anna", "subject": "Again"}
        >>> store.put_many([{"kind": "mail", "user": "bert"}, again])
        [2, 3]
        """
        return self.perform(PutMany(entries))

    def put_if_absent(self, matching: Match, data: Mapping[str, str]) -> tuple[int, bool]:
        """Add an entry unless one matches already.

        Of many callers at once, in any number of processes, exactly one adds it.

        Args:
            matching: what must not be there yet; usually a part of `data`.
            data: the entry to add.

        Returns:
            The id and True when the entry was added; the id of the first that matches and False when there
            was one.

        >>> store.put_if_absent({"account": "anna"}, {"account": "anna", "password": "…"})
        (4, True)
        >>> store.put_if_absent({"account": "anna"}, {"account": "anna", "password": "another"})
        (4, False)
        """
        return self.perform(PutIfAbsent(matching, data))

    def get(
        self,
        matching: Match,
        *,
        newest_first: bool = False,
        limit: int | None = None,
        before: int | None = None,
    ) -> list[Entry]:
        """Every entry that has `matching` as a subset, ordered by id.

        Args:
            matching: keys with their values, or with `ANY` where the key alone must be there; empty for all
                entries.
            newest_first: greatest id first, instead of smallest.
            limit: at most so many.
            before: the id that ended the page before this one. The answer goes on after it in the order asked
                for: with smaller ids when newest first, with greater ids otherwise. The entry itself need not
                exist any more.

        >>> [entry.id for entry in store.get({"user": "anna", "kind": "mail"})]
        [1, 3]
        >>> store.get({"subject": ANY}, newest_first=True, limit=1)
        [Entry(id=3, data={'kind': 'mail', 'user': 'anna', 'subject': 'Again'})]
        >>> store.get({"subject": ANY}, newest_first=True, limit=1, before=3)
        [Entry(id=1, data={'kind': 'mail', 'user': 'anna', 'subject': 'Hello'})]
        >>> len(store.get({}))
        4
        """
        return self.perform(Get(matching, newest_first, limit, before))

    def get_by_id(self, id: int) -> Entry | None:
        """The entry of an id, or None.

        >>> store.get_by_id(2)
        Entry(id=2, data={'kind': 'mail', 'user': 'bert'})
        >>> store.get_by_id(99) is None
        True
        """
        return self.perform(GetById(id))

    def update(self, matching: Match, changes: Mapping[str, str]) -> int | None:
        """Merge `changes` into the first entry, by id, that matches.

        With the value that is to change as part of the match, this is compare-and-set: of many callers at
        once, one wins.

        Returns:
            The id of the entry changed, or None when none matches.

        >>> store.update({"user": "bert"}, {"seen": "yes"})
        2
        >>> store.get_by_id(2)
        Entry(id=2, data={'kind': 'mail', 'user': 'bert', 'seen': 'yes'})
        >>> store.update({"user": "nobody"}, {"seen": "yes"}) is None
        True
        """
        return self.perform(Update(matching, changes))

    def update_by_id(self, id: int, changes: Mapping[str, str], *, expecting: Match | None = None) -> bool:
        """Merge `changes` into the entry of an id, if it is there and has all of `expecting`.

        Returns:
            Whether it was changed.

        >>> store.update_by_id(2, {"seen": "no"}, expecting={"user": "anna"})
        False
        >>> store.update_by_id(2, {"seen": "no"}, expecting={"user": "bert"})
        True
        """
        return self.perform(UpdateById(id, changes, expecting or {}))

    def update_all(self, matching: Match, changes: Mapping[str, str]) -> int:
        """Merge `changes` into every entry that matches, all or none, and return how many there were.

        >>> store.update_all({"user": "anna"}, {"seen": "yes"})
        2
        """
        return self.perform(UpdateAll(matching, changes))

    def remove(self, id: int) -> bool:
        """Take the entry of an id out; whether it was there.

        >>> store.remove(2), store.remove(2)
        (True, False)
        """
        return self.perform(Remove(id))

    def count(self, matching: Match) -> int:
        """How many entries match. It costs as much as there are of the rarest key and value asked for.

        >>> store.count({"kind": "mail"})
        2
        """
        return self.perform(Count(matching))
