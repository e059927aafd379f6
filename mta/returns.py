"""Returns: deliveries that came to nothing, or to a complaint, until their authors have been told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mta.outcomes import Status
from mta.tables import returns
from store.database import Database

CALM = 5.0
"""Seconds without another return of the same submission after which its author is told."""
LONGEST = 60.0
"""Seconds after which the author is told in any case: a long list may go on failing for an hour."""
BATCHES = 100


@dataclass(frozen=True, slots=True)
class Return:
    """One delivery that came back.

    Attributes:
        status: failed, bounced or complained.
        at: when that was decided, in seconds since the epoch.
        permanent: the address does not take mail at all.
    """

    delivery_id: str
    submission_id: str
    status: Status
    at: float
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The returns of one submission of which its author is told at once, under a name that they keep."""

    name: str
    submission_id: str
    returns: tuple[Return, ...]


class Returns:
    """The returns on one spool."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, now: float) -> list[Batch]:
        """The batches that are due, among them those that were taken before and not finished."""
        with self._database.read() as connection:
            due = connection.execute(_DUE, _window(now)).first() is not None
            named = connection.execute(_NAMED).first() is not None
        if due:
            self._database.write(_name, now)
        return self._named() if due or named else []

    def finish(self, batch: str) -> None:
        """Forget a batch whose author has been told."""
        self._database.write(_finish, batch)

    def _named(self) -> list[Batch]:
        with self._database.read() as connection:
            names = [row.batch for row in connection.execute(_NAMED)]
            rows = connection.execute(_ROWS, {"batches": names}).all()
        found: dict[tuple[str, str], list[Return]] = {}
        for row in rows:
            one = Return(row.delivery_id, row.submission_id, Status(row.status), row.at, row.permanent)
            found.setdefault((row.batch, row.submission_id), []).append(one)
        return [Batch(*name, tuple(members)) for name, members in found.items()]


def add_returns(connection: Connection, news: Sequence[Return]) -> None:
    """Write returns down, in the transaction that decides them."""
    if not news:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [
        {
            "delivery_id": one.delivery_id,
            "submission_id": one.submission_id,
            "status": one.status,
            "permanent": one.permanent,
            "at": one.at,
            "batch": "",
        }
        for one in news
    ]
    connection.execute(dialect.insert(returns).on_conflict_do_nothing(), rows)


_DUE = (
    select(returns.c.submission_id)
    .where(returns.c.batch == "")
    .group_by(returns.c.submission_id)
    .having(
        or_(func.max(returns.c.at) <= bindparam("calm_since"), func.min(returns.c.at) <= bindparam("first"))
    )
    .limit(BATCHES)
)
_NAME = (
    update(returns)
    .where(returns.c.batch == "", returns.c.submission_id == bindparam("submission"))
    .values(batch=bindparam("name"))
)
_NAMED = select(returns.c.batch).where(returns.c.batch > "").distinct().limit(BATCHES)
_ROWS = (
    select(returns)
    .where(returns.c.batch.in_(bindparam("batches", expanding=True)))
    .order_by(returns.c.batch, returns.c.delivery_id)
)


def _window(now: float) -> dict[str, float]:
    return {"calm_since": now - CALM, "first": now - LONGEST}


def _name(connection: Connection, times: Sequence[float]) -> list[None]:
    for submission in connection.execute(_DUE, _window(max(times))).scalars().all():
        connection.execute(_NAME, {"submission": submission, "name": secrets.token_hex(16)})
    return [None] * len(times)


def _finish(connection: Connection, batches: Sequence[str]) -> list[None]:
    connection.execute(delete(returns).where(returns.c.batch.in_(batches)))
    return [None] * len(batches)
