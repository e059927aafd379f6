"""Writing: carries out a batch of writes inside one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update

from store.entry import Entry, Match
from store.lookup import find, find_by_id
from store.operations import PutIfAbsent, PutMany, Remove, Update, UpdateAll, UpdateById, Write
from store.postings import forget, index
from store.tables import entries
from store.terms import Group, terms_for, terms_of

_LOCK = 0x73746F72  # "stor": the number of the advisory lock on PostgreSQL

_INSERT_ENTRY = insert(entries)
_UPDATE_ENTRY = update(entries).where(entries.c.id == bindparam("of")).values(data=bindparam("new"))
_DELETE_ENTRY = delete(entries).where(entries.c.id == bindparam("of"))


class Writer:
    """The writes of one transaction. New entries wait until `flush` or until something is looked for."""

    def __init__(self, connection: Connection, groups: Sequence[Group], *, is_sqlite: bool) -> None:
        self._connection = connection
        self._groups = groups
        self._is_sqlite = is_sqlite
        self._new: list[tuple[int, Mapping[str, str]]] = []
        self._ids: list[int] = []

    def prepare(self, operations: Sequence[Write[Any]]) -> None:
        """Take the ids that may be needed, and keep other hosts out where one looks before it writes."""
        only_adds = all(isinstance(operation, PutMany) for operation in operations)
        if not self._is_sqlite and not only_adds:  # on SQLite the transaction itself keeps other writers out
            self._connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
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
        self._connection.execute(
            _INSERT_ENTRY, [{"id": id, "data": json.dumps(data, ensure_ascii=False)} for id, data in new]
        )
        index(self._connection, [(term, id) for id, data in new for term in terms_of(data, self._groups)])

    def _next_ids(self, count: int) -> Sequence[int]:
        if not count:
            return []
        if self._is_sqlite:
            last = (
                self._connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'store_entry'"))
                or 0
            )
            return range(last + 1, last + 1 + count)
        sequence = func.nextval(func.pg_get_serial_sequence("store_entry", "id"))
        series = func.generate_series(1, count).alias()
        return sorted(self._connection.scalars(select(sequence).select_from(series)))

    def _add(self, data: Mapping[str, str]) -> int:
        id = self._ids.pop()
        self._new.append((id, data))
        return id

    def _find(self, matching: Match, limit: int | None = None) -> list[Entry]:
        self.flush()
        rows = find(self._connection, terms_for(matching, self._groups), limit=limit)
        return [Entry(id, json.loads(data)) for id, data in rows]

    def _get(self, id: int) -> Entry | None:
        self.flush()
        data = find_by_id(self._connection, id)
        return None if data is None else Entry(id, json.loads(data))

    def _merge(self, entry: Entry, changes: Mapping[str, str]) -> int:
        new = {**entry.data, **changes}
        if new != entry.data:
            before, after = terms_of(entry.data, self._groups), terms_of(new, self._groups)
            self._connection.execute(
                _UPDATE_ENTRY, {"of": entry.id, "new": json.dumps(new, ensure_ascii=False)}
            )
            forget(self._connection, [(term, entry.id) for term in before - after])
            index(self._connection, [(term, entry.id) for term in after - before])
        return entry.id

    def _remove(self, id: int) -> bool:
        entry = self._get(id)
        if entry is None:
            return False
        self._connection.execute(_DELETE_ENTRY, {"of": id})
        forget(self._connection, [(term, id) for term in terms_of(entry.data, self._groups)])
        return True
