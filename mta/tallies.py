"""Tallies: what became of deliveries, counted by the minute in the transaction that decides it.

Whoever writes has rows of its own, so that nobody waits for another's; a look costs the minutes and not the mails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select

from mta.events import StatusChange, Told
from mta.outcomes import Status
from mta.tables import tallies
from store.database import Database
from store.driver import Driver

MINUTES = 24 * 60
"""For how long tallies are kept."""
COUNTED = {
    Status.SENT: "sent",
    **dict.fromkeys((Status.FAILED, Status.BOUNCED, Status.COMPLAINED), "failed"),
    **dict.fromkeys((Status.DEFERRED, Status.UNCERTAIN), "held"),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """How many deliveries changed to such a status in one span of time.

    Attributes:
        at: when it began, in seconds since the epoch.
        sent: a provider took them.
        failed: they failed, came back or annoyed.
        held: they wait, or are uncertain.
    """

    at: float
    sent: int
    failed: int
    held: int


class Tallies:
    """The tallies of one spool, of all containers together."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lately(self, now: float) -> tuple[tuple[Tally, ...], tuple[Tally, ...]]:
        """The last hour by the minute, and the last day by the half hour, oldest first.

        Args:
            now: the time in seconds since the epoch.

        Raises:
            StoreUnavailable: the spool cannot be read.
        """
        last = int(now // 60)
        with self._database.read() as connection:
            rows = connection.execute(_SINCE, {"first": last - MINUTES + 1}).all()
        known = {row.minute: (int(row.sent), int(row.failed), int(row.held)) for row in rows}
        return _by(known, last, 60, 1), _by(known, last, MINUTES, 30)

    def forget(self, now: float) -> None:
        """Remove those that are older than a day; `now` in seconds since the epoch."""
        self._database.write(_forget, int(now // 60) - MINUTES)


def add_tally(connection: Connection, holder: str, now: float, told: Iterable[Told]) -> None:
    """Count what is told, in the transaction that decides it.

    Args:
        connection: the transaction.
        holder: who writes.
        now: the time in seconds since the epoch.
        told: of which the changes of status count.
    """
    counts = Counter(
        COUNTED[one.status] for one in told if isinstance(one, StatusChange) and one.status in COUNTED
    )
    if counts:
        sums = (counts["sent"], counts["failed"], counts["held"])
        Driver.below(connection).rows(_ADD, (int(now // 60), holder, *sums))


# At every turn of a container, and so written for the driver itself.
_ADD = """
    INSERT INTO spool_tallies AS old (minute, holder, sent, failed, held) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (minute, holder) DO UPDATE SET
        sent = old.sent + excluded.sent, failed = old.failed + excluded.failed, held = old.held + excluded.held"""
_SINCE = (
    select(tallies.c.minute, *(func.sum(tallies.c[name]).label(name) for name in ("sent", "failed", "held")))
    .where(tallies.c.minute >= bindparam("first"))
    .group_by(tallies.c.minute)
)
_OLD = delete(tallies).where(tallies.c.minute <= bindparam("old"))


def _forget(connection: Connection, minutes: Sequence[int]) -> list[None]:
    connection.execute(_OLD, {"old": max(minutes)})
    return [None] * len(minutes)


def _by(known: Mapping[int, tuple[int, int, int]], last: int, minutes: int, step: int) -> tuple[Tally, ...]:
    nothing = (0, 0, 0)
    found = []
    for begin in range(last - minutes + 1, last + 1, step):
        several = (known.get(minute, nothing) for minute in range(begin, begin + step))
        sent, failed, held = (sum(column) for column in zip(*several, strict=True))
        found.append(Tally(begin * 60.0, sent, failed, held))
    return tuple(found)
