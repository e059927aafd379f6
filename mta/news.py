"""News: what the processes on one spool tell each other, by a small table of the latest that happened.

A container writes its news in the transaction of what they are about, so that no kill parts the two.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, delete, func, select

from mta.events import Event, EventKind, OwnerChange, ProviderOrder, StatusChange, SteeringChange, Told
from mta.outcomes import Status
from mta.tables import news
from store.database import Database
from store.driver import Driver

KEPT = 60.0
"""Seconds for which news stay; every process reads them several times a second."""
PAGE = 200
"""Rows read at once."""
GAP_PATIENCE = 20.0
"""Seconds for which a number that was left out may still come: PostgreSQL gives it before the commit."""
MOST_GAPS = 1000

_KINDS: Mapping[str, type[Told]] = {
    "event": Event,
    "status": StatusChange,
    "owner": OwnerChange,
    "order": ProviderOrder,
    "steering": SteeringChange,
}
_NAMES = {kind: (tag, tuple(field.name for field in fields(kind))) for tag, kind in _KINDS.items()}


class News:
    """The news as one process reads them: those that others wrote since it was made."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        self._last = 0
        self._gaps: dict[int, float] = {}

    def post(self, told: Sequence[Told], now: float) -> None:
        """Write news for the other processes."""
        self._database.write(_post, (self._holder, now, tuple(told)))

    def prove_writable(self, now: float) -> None:
        """Write news that say nothing, durably.

        Raises:
            StoreUnavailable: the spool cannot be written.
        """
        self._database.write(_write_nothing, (self._holder, now))

    def begin(self) -> None:
        """Find out where the news are; what comes from now on is read."""
        with self._database.read() as connection:
            self._last = connection.scalar(_LATEST) or 0

    def read(self) -> list[Told]:
        """What the others wrote since the last call, oldest first.

        The cost depends on what is new, not on what there is.
        """
        told: list[Told] = []
        with self._database.read() as connection:
            if self._gaps:
                told += self._taken_in(
                    connection.execute(_LATE, {"me": self._holder, "gaps": list(self._gaps)}).all()
                )
                self._forget_gaps()
            while rows := connection.execute(_SINCE, {"me": self._holder, "last": self._last}).all():
                told += self._taken_in(rows)
        return told

    def forget(self, now: float) -> None:
        """Remove what everybody has read by now."""
        self._database.write(_forget, now - KEPT)

    def _taken_in(self, rows: Iterable[Row[Any, Any]]) -> list[Told]:
        told: list[Told] = []
        for row in rows:
            self._note(row.number)
            if row.body is not None:
                told += _decode(row.body)
        return told

    def _note(self, number: int) -> None:
        if number <= self._last:
            self._gaps.pop(number, None)
            return
        if not self._database.is_sqlite:  # on SQLite, transactions that write end in the order they began
            missing = range(max(self._last + 1, number - MOST_GAPS), number)
            self._gaps.update(dict.fromkeys(missing, time.monotonic()))
        self._last = number

    def _forget_gaps(self) -> None:
        if self._gaps:
            ticks = time.monotonic()
            self._gaps = {
                number: since for number, since in self._gaps.items() if ticks - since < GAP_PATIENCE
            }


def write_news(connection: Connection, holder: str, now: float, told: Iterable[Told]) -> None:
    """Write news in a transaction of the caller's."""
    body = [_encode(one) for one in told]
    if body:
        Driver.below(connection).rows(_ADD, (now, holder, json.dumps(body)))


# At every turn of a container, and so written for the driver itself.
_ADD = "INSERT INTO spool_news (at, holder, body) VALUES (?, ?, ?)"
_INSERT = news.insert()
_LATEST = select(func.max(news.c.number))
_READ = select(
    news.c.number, case((news.c.holder != bindparam("me"), news.c.body), else_=None).label("body")
).order_by(news.c.number)
_SINCE = _READ.where(news.c.number > bindparam("last")).limit(PAGE)
_LATE = _READ.where(news.c.number.in_(bindparam("gaps", expanding=True)))
_OLD = delete(news).where(news.c.at < bindparam("old"))


def _post(connection: Connection, items: Sequence[tuple[str, float, tuple[Told, ...]]]) -> list[None]:
    for holder, now, told in items:
        write_news(connection, holder, now, told)
    return [None] * len(items)


def _write_nothing(connection: Connection, items: Sequence[tuple[str, float]]) -> list[None]:
    connection.execute(_INSERT, [{"holder": holder, "at": now, "body": "[]"} for holder, now in items])
    return [None] * len(items)


def _forget(connection: Connection, items: Sequence[float]) -> list[None]:
    connection.execute(_OLD, {"old": max(items)})
    return [None] * len(items)


def _encode(told: Told) -> dict[str, Any]:
    tag, names = _NAMES[type(told)]
    return {"is": tag, **{name: getattr(told, name) for name in names}}


def _decode(body: str) -> list[Told]:
    """What another release wrote may have more in it, or be of a kind not known here."""
    told: list[Told] = []
    for values in json.loads(body):
        kind = _KINDS.get(values.pop("is", ""))
        if kind is None:
            continue
        given = {name: values[name] for name in _NAMES[kind][1] if name in values}
        try:
            if given.get("status") is not None:
                given["status"] = Status(given["status"])
            if "kind" in given:
                given["kind"] = EventKind(given["kind"])
            told.append(kind(**given))
        except (ValueError, TypeError):
            continue
    return told
