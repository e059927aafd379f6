"""Writing: carries out a batch of writes inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from store.driver import Driver
from store.entry import Entry, Match
from store.lookup import find, find_by_id
from store.operations import PutIfAbsent, PutMany, Remove, Update, UpdateAll, UpdateById, Write
from store.postings import forget, index
from store.terms import Group, terms_for, terms_of

_LOCK = 0x73746F72  # "stor": the number of the advisory lock on PostgreSQL

_encode = json.JSONEncoder(ensure_ascii=False).encode


class Writer:
    """The writes of one transaction. New entries wait until `flush` or until something is looked for."""

    def __init__(self, driver: Driver, groups: Sequence[Group]) -> None:
        self._driver = driver
        self._groups = groups
        self._new: list[tuple[int, Mapping[str, str]]] = []
        self._ids: list[int] = []

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
                return self._remove(id)
        raise TypeError(f"{operation!r} is no write of a store")

    def flush(self) -> None:
        """Write the entries that wait."""
        if not self._new:
            return
        new, self._new = self._new, []
        self._driver.change(
            "INSERT INTO store_entry (id, data) VALUES (?, ?)",
            "INSERT INTO store_entry (id, data) SELECT * FROM unnest(?::bigint[], ?::text[])",
            [(id, _encode(data)) for id, data in new],
        )
        index(self._driver, [(term, id) for id, data in new for term in terms_of(data, self._groups)])

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
        self._new.append((id, data))
        return id

    def _find(self, matching: Match, limit: int | None = None) -> list[Entry]:
        self.flush()
        rows = find(self._driver, terms_for(matching, self._groups), limit=limit)
        return [Entry(id, json.loads(data)) for id, data in rows]

    def _get(self, id: int) -> Entry | None:
        self.flush()
        data = find_by_id(self._driver, id)
        return None if data is None else Entry(id, json.loads(data))

    def _merge(self, entry: Entry, changes: Mapping[str, str]) -> int:
        new = {**entry.data, **changes}
        if new != entry.data:
            before, after = terms_of(entry.data, self._groups), terms_of(new, self._groups)
            self._driver.change(
                "UPDATE store_entry SET data = ? WHERE id = ?",
                "UPDATE store_entry SET data = new.data FROM unnest(?::text[], ?::bigint[]) new (data, id) "
                "WHERE store_entry.id = new.id",
                [(_encode(new), entry.id)],
            )
            forget(self._driver, [(term, entry.id) for term in before - after])
            index(self._driver, [(term, entry.id) for term in after - before])
        return entry.id

    def _remove(self, id: int) -> bool:
        entry = self._get(id)
        if entry is None:
            return False
        self._driver.change(
            "DELETE FROM store_entry WHERE id = ?",
            "DELETE FROM store_entry WHERE id = ANY(?::bigint[])",
            [(id,)],
        )
        forget(self._driver, [(term, id) for term in terms_of(entry.data, self._groups)])
        return True
