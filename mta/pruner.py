"""The pruner: takes out of the spool what was finished long ago, and leaves a summary of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from mta.acceptance import oldest_id
from mta.records import deliveries_of
from mta.summary import pack
from mta.tables import chores, deliveries, submissions, traces
from store.database import Database
from store.errors import DatabaseClosed

LOG = logging.getLogger(__name__)

PERIOD = 3600.0
"""Seconds between two rounds, by whichever container is first."""
PAUSE = 0.2
"""Seconds between two batches, for those who send meanwhile."""
MOST_SUBMISSIONS = 50
MOST_DELIVERIES = 1000
"""What one batch looks at, at most; but a whole submission in any case."""


@dataclass(frozen=True, slots=True)
class _Batch:
    after: str
    before: float


class Pruner:
    """Prunes in a thread of its own, in small batches, one container at a time.

    A submission is pruned when each of its deliveries has had its final status for long enough. Its deliveries,
    their attempts and the mail go; what it was, its key, and what became of each recipient stay.
    """

    def __init__(self, database: Database, keep: float, clock: Callable[[], float]) -> None:
        """
        Args:
            database: where the spool lives.
            keep: seconds for which finished submissions stay whole; 0 for ever.
            clock: the time in seconds since the epoch.
        """
        self._database = database
        self._keep = keep
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pruner", daemon=True)

    def start(self) -> None:
        """Begin, unless everything is kept."""
        if self._keep:
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Finish the batch in hand, within so many seconds."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def prune(self) -> int:
        """Do one round, unless another container did it lately; how many submissions were pruned."""
        now = self._clock()
        pruned, after = 0, ""
        if not self._database.write(_claim, now):
            return 0
        while not self._stopped.is_set():
            done, last = self._database.write(_prune, _Batch(after, now - self._keep))
            pruned += done
            if last is None:
                break
            after = last
            self._stopped.wait(PAUSE)
        return pruned

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if pruned := self.prune():
                    LOG.info("pruned %d submissions that were finished long ago", pruned)
            except DatabaseClosed:
                return
            except Exception:
                LOG.exception("could not prune the spool; the next round goes on")
            self._stopped.wait(PERIOD)


_CLAIM = (
    update(chores)
    .where(
        chores.c.name == "prune",
        # What is due later than that was written by a clock that was wrong.
        or_(chores.c.due <= bindparam("now"), chores.c.due > bindparam("next")),
    )
    .values(due=bindparam("next"))
    .execution_options(preserve_rowcount=True)
)
# Pruned ones have no deliveries, so they are not met again.
_NEXT = (
    select(deliveries.c.submission_id, func.count())
    .where(deliveries.c.submission_id > bindparam("after"), deliveries.c.submission_id < bindparam("before"))
    .group_by(deliveries.c.submission_id)
    .order_by(deliveries.c.submission_id)
    .limit(MOST_SUBMISSIONS)
)
_LOCK = (
    select(deliveries.c.id)
    .where(deliveries.c.submission_id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_UNRIPE = (
    select(deliveries.c.submission_id)
    .where(
        deliveries.c.submission_id.in_(bindparam("ids", expanding=True)),
        or_(deliveries.c.due.is_not(None), deliveries.c.updated > bindparam("before")),
    )
    .distinct()
)
_SUMMARISE = (
    update(submissions)
    .where(submissions.c.id == bindparam("submission"))
    .values(raw=b"", summary=bindparam("kept"))
)
_FORGET_TRACES = delete(traces).where(traces.c.submission_id.in_(bindparam("ids", expanding=True)))
_FORGET = delete(deliveries).where(deliveries.c.submission_id.in_(bindparam("ids", expanding=True)))


def _claim(connection: Connection, nows: Sequence[float]) -> list[bool]:
    return [connection.execute(_CLAIM, {"now": now, "next": now + PERIOD}).rowcount == 1 for now in nows]


def _prune(connection: Connection, batches: Sequence[_Batch]) -> list[tuple[int, str | None]]:
    return [_prune_one(connection, batch) for batch in batches]


def _prune_one(connection: Connection, batch: _Batch) -> tuple[int, str | None]:
    """How many were pruned, and up to which submission was looked at; None at the end."""
    found = connection.execute(_NEXT, {"after": batch.after, "before": oldest_id(batch.before)}).all()
    ids: list[str] = []
    room = MOST_DELIVERIES
    for id, count in found:
        if ids and count > room:
            break
        ids.append(id)
        room -= count
    if not ids:
        return 0, None
    connection.execute(_LOCK, {"ids": ids})
    unripe = set(connection.execute(_UNRIPE, {"ids": ids, "before": batch.before}).scalars())
    ripe = [id for id in ids if id not in unripe]
    if ripe:
        rows = [
            {"submission": id, "kept": pack(those)} for id, those in deliveries_of(connection, ripe).items()
        ]
        connection.execute(_SUMMARISE, rows)
        connection.execute(_FORGET, {"ids": ripe})
        connection.execute(_FORGET_TRACES, {"ids": ripe})
    return len(ripe), ids[-1]
