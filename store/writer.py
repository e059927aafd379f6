"""Writing: carries out a batch of writes inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from store.driver import Driver
from store.entry import Entry, Match
from store.lookup import Guesses, find, find_by_ids
from store.operations import PutIfAbsent, PutMany, Remove, Update, UpdateAll, UpdateById, Write
from store.postings import forget, index
from store.terms import Group, terms_for, terms_of

_LOCK = 0x73746F72  # "stor": the number of the advisory lock on PostgreSQL

_encode = json.JSONEncoder(ensure_ascii=False).encode

FEW = 64
"""Changes that wait, up to which it is asked whether they touch what is looked for, before they are written."""


class Writer:
    """The writes of one transaction. What changes waits until `flush`, or until something is looked for that it
    touches, so that all is written in a few statements.

    Nobody else writes meanwhile, so what was read once is known.
    """

    def __init__(self, driver: Driver, groups: Sequence[Group], guesses: Guesses) -> None:
        self._driver = driver
        self._groups = groups
        self._guesses = guesses
        self._ids: list[int] = []
        self._known: dict[int, Mapping[str, str] | None] = {}
        """Entries as they are to be; None for one that is not there."""
        self._before: dict[int, Mapping[str, str] | None] = {}
        """Those among them that wait to be written, as the database has them."""

    def prepare(self, operations: Sequence[Write[Any]]) -> None:
        """Take the ids that may be needed, and keep other hosts out where one looks before it writes."""
        only_adds = all(isinstance(operation, PutMany) for operation in operations)
        if not self._driver.is_sqlite and not only_adds:  # on SQLite the transaction itself does
            self._driver.rows("SELECT pg_advisory_xact_lock(?::bigint)", [_LOCK])
        adding = sum(
            len(operation.entries) if isinstance(operation, PutMany) else isinstance(operation, PutIfAbsent)
            for operation in operations
        )
        self._ids = list(reversed(self._next_ids(adding)))
        named = [operation.id for operation in operations if isinstance(operation, UpdateById | Remove)]
        if named:
            self._known = dict.fromkeys(named)
            self._known |= {id: json.loads(data) for id, data in find_by_ids(self._driver, named)}

    def write(self, operation: Write[Any]) -> Any:
        """Carry out one operation and return its answer."""
        match operation:
            case PutMany(new):
                return [self._add(data) for data in new]
            case PutIfAbsent(matching, data):
                first = self._find(matching, limit=1)
                return (first[0].id, False) if first else (self._add(data), True)
            case Update(matching, changes):
                first = self._find(matching, limit=1)
                return self._merge(first[0], changes) if first else None
            case UpdateById(id, changes, expecting):
                entry = self._get(id)
                if entry is None or not entry.matches(expecting):
                    return False
                self._merge(entry, changes)
                return True
            case UpdateAll(matching, changes):
                return len([self._merge(entry, changes) for entry in self._find(matching)])
            case Remove(id):
                is_there = self._get(id) is not None
                self._set(id, None)
                return is_there
        raise TypeError(f"{operation!r} is no write of a store")

    def flush(self) -> None:
        """Write what waits."""
        new, changed, gone = [], [], []
        lost: list[tuple[bytes, int]] = []
        found: list[tuple[bytes, int]] = []
        for id, before in self._before.items():
            after = self._known[id]
            if before == after:
                continue
            if before is None:
                new.append((id, _encode(after)))
            elif after is None:
                gone.append((id,))
            else:
                changed.append((_encode(after), id))
            old, now = self._terms(before), self._terms(after)
            lost += [(term, id) for term in old - now]
            found += [(term, id) for term in now - old]
        self._before.clear()
        self._driver.change(
            "INSERT INTO store_entry (id, data) VALUES (?, ?)",
            "INSERT INTO store_entry (id, data) SELECT * FROM unnest(?::bigint[], ?::text[])",
            new,
        )
        self._driver.change(
            "UPDATE store_entry SET data = ? WHERE id = ?",
            "UPDATE store_entry SET data = new.data FROM unnest(?::text[], ?::bigint[]) new (data, id) "
            "WHERE store_entry.id = new.id",
            changed,
        )
        self._driver.change(
            "DELETE FROM store_entry WHERE id = ?",
            "DELETE FROM store_entry WHERE id = ANY(?::bigint[])",
            gone,
        )
        forget(self._driver, lost)
        index(self._driver, found)

    def _terms(self, data: Mapping[str, str] | None) -> set[bytes]:
        return set() if data is None else terms_of(data, self._groups)

    def _next_ids(self, count: int) -> Sequence[int]:
        if not count:
            return []
        if self._driver.is_sqlite:
            rows = self._driver.rows("SELECT seq FROM sqlite_sequence WHERE name = 'store_entry'")
            last = rows[0][0] if rows else 0
            return range(last + 1, last + 1 + count)
        next_id = "nextval(pg_get_serial_sequence('store_entry', 'id'))"
        rows = self._driver.rows(f"SELECT {next_id} FROM generate_series(1, ?::bigint)", [count])  # noqa: S608
        return sorted(id for (id,) in rows)

    def _add(self, data: Mapping[str, str]) -> int:
        id = self._ids.pop()
        self._before[id] = None
        self._known[id] = data
        return id

    def _get(self, id: int) -> Entry | None:
        data = self._known[id]
        return None if data is None else Entry(id, data)

    def _set(self, id: int, data: Mapping[str, str] | None) -> None:
        self._before.setdefault(id, self._known[id])
        self._known[id] = data

    def _find(self, matching: Match, limit: int | None = None) -> list[Entry]:
        if self._touches(matching):
            self.flush()
        terms = terms_for(matching, self._groups)
        rows = find(self._driver, terms, limit=limit, keys=matching, guesses=self._guesses)
        found = [Entry(id, json.loads(data)) for id, data in rows]
        self._known |= {entry.id: entry.data for entry in found}
        return found

    def _touches(self, matching: Match) -> bool:
        """Whether what waits may change what is found: it is found, or was."""
        return len(self._before) > FEW or any(
            data is not None and Entry(id, data).matches(matching)
            for id, before in self._before.items()
            for data in (before, self._known[id])
        )

    def _merge(self, entry: Entry, changes: Mapping[str, str]) -> int:
        self._set(entry.id, {**entry.data, **changes})
        return entry.id
