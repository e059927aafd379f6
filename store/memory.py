"""The store in memory: the meaning of every operation on one page, and a store for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from store.entry import Entry, Match
from store.interface import JsonStore
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


class MemoryStore(JsonStore):
    """A `JsonStore` that looks at every entry and keeps nothing when the process ends."""

    def __init__(self) -> None:
        self._entries: dict[int, Mapping[str, str]] = {}
        self._last_id = 0
        self._lock = threading.Lock()

    def perform(self, operation: Operation[Any]) -> Any:
        """As in `JsonStore`."""
        with self._lock:
            match operation:
                case PutMany(entries):
                    return [self._add(data) for data in entries]
                case PutIfAbsent(matching, data):
                    first = next(self._find(matching), None)
                    return (first.id, False) if first else (self._add(data), True)
                case Get(matching, newest_first, limit, before):
                    found = list(self._find(matching))
                    if newest_first:
                        found.reverse()
                    if before is not None:
                        found = [
                            one for one in found if (one.id < before if newest_first else one.id > before)
                        ]
                    return found[:limit]
                case GetById(id):
                    return Entry(id, dict(self._entries[id])) if id in self._entries else None
                case Update(matching, changes):
                    first = next(self._find(matching), None)
                    return self._merge(first, changes) if first else None
                case UpdateById(id, changes, expecting):
                    found = [one for one in self._find(expecting) if one.id == id]
                    return bool([self._merge(one, changes) for one in found])
                case UpdateAll(matching, changes):
                    return len([self._merge(one, changes) for one in list(self._find(matching))])
                case Remove(id):
                    return self._entries.pop(id, None) is not None
                case Count(matching):
                    return sum(1 for _ in self._find(matching))
        raise TypeError(f"{operation!r} is no operation of a store")

    def _find(self, matching: Match) -> Iterator[Entry]:
        entries = (Entry(id, dict(data)) for id, data in self._entries.items())
        return (entry for entry in entries if entry.matches(matching))

    def _add(self, data: Mapping[str, str]) -> int:
        self._last_id += 1
        self._entries[self._last_id] = data
        return self._last_id

    def _merge(self, entry: Entry, changes: Mapping[str, str]) -> int:
        self._entries[entry.id] = {**entry.data, **changes}
        return entry.id
