"""The store on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from time import time
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from store.database import Database
from store.driver import Driver
from store.entry import MAX_ID, Entry
from store.groups import declare_groups, known_groups
from store.interface import JsonStore
from store.lookup import Guesses, count, find, find_by_id
from store.operations import Count, Get, GetById, Operation, PutIfAbsent, Remove, UpdateById, Write
from store.tables import answers
from store.terms import Group, terms_for
from store.writer import Writer

DEFAULT_GROUPS = (("user", "mailbox"),)
ANSWERS_KEPT = 86400.0
"""Seconds for which a write asked for again is answered as it was the first time."""

_Job = tuple[Write[Any], str | None]


class SqlStore(JsonStore):
    """A `JsonStore` in a migrated `Database`; finds by index, shares its commits."""

    def __init__(
        self,
        database: Database,
        groups: Iterable[Sequence[str]] = DEFAULT_GROUPS,
        *,
        clock: Callable[[], float] = time,
    ) -> None:
        """
        Args:
            database: migrated by `store.migrate`; stays the caller's to close.
            groups: keys that are asked for together, such as user and mailbox, to be indexed together.
                Without it, a user with many mails and a mailbox name of many users would be compared entry by
                entry. A new group takes in the entries that are there, once, at the first operation.
            clock: the time in seconds.
        """
        self._database = database
        self._declared = {tuple(sorted(set(group))) for group in groups}
        self._clock = clock
        self._indexed: Sequence[Group] | None = None
        self._lock = threading.Lock()
        self._guesses = Guesses()

    def perform(self, operation: Operation[Any], request: str | None = None) -> Any:
        """As in `JsonStore`.

        Args:
            operation: what to do.
            request: a name for this write that no other has. The same write asked for again by the same name,
                within a day, changes nothing and is answered as the first time.
        """
        indexed = self._all_groups() if self._indexed is None else self._indexed
        if isinstance(operation, UpdateById | Remove | GetById) and not 0 < operation.id <= MAX_ID:
            return None if isinstance(operation, GetById) else False
        if isinstance(operation, Write):
            return self._database.write(self._write, (operation, request))
        return self._database.look(lambda driver: _look(driver, operation, indexed, self._guesses))

    def _write(self, connection: Connection, jobs: Sequence[_Job]) -> list[Any]:
        driver = Driver.below(connection)
        writer = Writer(driver, known_groups(driver), self._guesses)
        writer.prepare([operation for operation, _ in jobs])
        known = _known_answers(connection, [request for _, request in jobs if request])
        new: dict[str, Any] = {}
        results = []
        for operation, request in jobs:
            if request in known:
                result = known[request]
            elif request in new:
                result = new[request]
            else:
                result = writer.write(operation)
            if request and request not in known:
                new[request] = result
            results.append(tuple(result) if isinstance(operation, PutIfAbsent) else result)
        writer.flush()
        self._keep_answers(connection, new)
        return results

    def _keep_answers(self, connection: Connection, new: dict[str, Any]) -> None:
        if not new:
            return
        now = self._clock()
        connection.execute(delete(answers).where(answers.c.at < now - ANSWERS_KEPT))
        rows = [
            {"request": request, "answer": json.dumps(answer), "at": now} for request, answer in new.items()
        ]
        connection.execute(insert(answers), rows)

    def _all_groups(self) -> Sequence[Group]:
        with self._lock:
            if self._indexed is None:
                self._indexed = declare_groups(self._database, self._declared)
            return self._indexed


def _look(driver: Driver, operation: Operation[Any], indexed: Sequence[Group], guesses: Guesses) -> Any:
    match operation:
        case Get(matching, newest_first, limit, before):
            terms = terms_for(matching, indexed)
            rows = find(
                driver,
                terms,
                newest_first=newest_first,
                limit=limit,
                before=before,
                keys=matching,
                guesses=guesses,
            )
            return [Entry(id, json.loads(data)) for id, data in rows]
        case GetById(id):
            data = find_by_id(driver, id)
            return None if data is None else Entry(id, json.loads(data))
        case Count(matching):
            return count(driver, terms_for(matching, indexed))
    raise TypeError(f"{operation!r} is no operation of a store")


def _known_answers(connection: Connection, requests: Sequence[str]) -> dict[str | None, Any]:
    if not requests:
        return {}
    rows = connection.execute(
        select(answers.c.request, answers.c.answer).where(answers.c.request.in_(requests))
    )
    return {request: json.loads(answer) for request, answer in rows}
