"""Leases: how one container of several holds deliveries, settles them, and takes over from the dead."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Double, bindparam, select, update

from mta.calls import add_calls
from mta.claim import Claim, Result
from mta.claiming import claim
from mta.events import Told
from mta.news import write_news
from mta.outcomes import Status
from mta.settling import ANSWERED, Settlement, There, answered_row, lock, settle
from mta.statements import change, insertion, packed
from mta.tables import attempts, deliveries
from mta.tallies import add_tally
from store.database import Database, Heard
from store.driver import Driver

CLOCK_SLACK = 5.0
"""Seconds by which clocks may differ before that counts as one having been set."""
LONGEST_UNDO = 300.0
"""Seconds up to which a wait before the first attempt is a wait; a longer one is a time of day."""


@dataclass(frozen=True, slots=True)
class Start:
    """An attempt about to be made."""

    holder: str
    delivery_id: str
    earlier_attempts: int
    provider: str
    at: float
    unwritten: Result | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """All that a container writes at once: results, renewed leases, new claims, and news for others."""

    holder: str
    now: float
    lease_until: float
    settlements: tuple[Settlement, ...] = ()
    renew: tuple[str, ...] = ()
    want: int = 0
    news: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class Turned:
    """What came of a turn: which settlements changed their delivery, and what was claimed."""

    applied: tuple[bool, ...]
    claims: tuple[Claim, ...]


class Leases:
    """The leases of one container."""

    def __init__(self, database: Database, holder: str) -> None:
        self.holder = holder
        self._database = database

    def turn(
        self,
        now: float,
        lease_until: float,
        settlements: Iterable[Settlement] = (),
        renew: Iterable[str] = (),
        want: int = 0,
        news: Iterable[Told] = (),
    ) -> Turned:
        """Write results, renew leases, and claim up to `want` due deliveries, in one transaction; and with them
        what other processes are to be told of it, and `news`.
        """
        turn = Turn(self.holder, now, lease_until, tuple(settlements), tuple(renew), want, tuple(news))
        if self._database.is_sqlite:
            return self._database.write(_turn, turn)
        # Beside the starts of attempts, which would wait for it; SQLite has one writer at a time anyway.
        with self._database.transaction() as connection:
            return _turn(connection, [turn])[0]

    def start(
        self,
        delivery_id: str,
        earlier_attempts: int,
        provider: str,
        at: float,
        unwritten: Result | None = None,
        patience: float = 0.0,
    ) -> bool:
        """Write down that an attempt starts, durable on return.

        Args:
            delivery_id: the delivery.
            earlier_attempts: attempts started so far.
            provider: the name of the one that gets it now.
            at: the time in seconds since the epoch.
            unwritten: what the attempt before came to, where that may not be written yet: a crash must not leave
                it open for ever once there is a later one.
            patience: seconds that this may wait to share its commit with other starts.

        Returns:
            False when it is not ours any more (cancelled, or the lease ran out): nothing must be sent.
        """
        start = Start(self.holder, delivery_id, earlier_attempts, provider, at, unwritten)
        return self._database.write(_start, start, alone=True, patience=patience)

    def start_soon(
        self,
        delivery_id: str,
        earlier_attempts: int,
        provider: str,
        at: float,
        heard: Heard[bool],
        unwritten: Result | None = None,
        patience: float = 0.0,
    ) -> None:
        """The same for a caller that does not wait: `heard` is called in the committing thread."""
        start = Start(self.holder, delivery_id, earlier_attempts, provider, at, unwritten)
        self._database.write_soon(_start, start, heard, alone=True, patience=patience)

    def follow_clock(self, now: float) -> int:
        """Take what was written in the future as written now, and say how many deliveries that were.

        That is what a clock leaves behind that was ahead and is set back: each wait would be longer by as much.
        Waits keep their length; only a time of day that the author asked for stays what it is. Done twice, or by
        several containers, it changes nothing more.
        """
        return self._database.write(_follow_clock, now)

    def take_over(self, now: float, is_gone: Callable[[str], bool]) -> int:
        """Make due at once what containers that are gone still hold, and say how many deliveries that is."""
        with self._database.read() as connection:
            holders = list(connection.execute(_HOLDERS).scalars())
        gone = [holder for holder in holders if holder != self.holder and is_gone(holder)]
        return sum(self._database.write(_take_over, (holder, now)) for holder in gone)


_STARTED = change(
    deliveries,
    ["provider", "attempt", "updated"],
    ["id"],
    {"status": f"'{Status.SENDING}'", "detail": "''"},
)
_ATTEMPTED = insertion(
    attempts,
    ["provider", "number", "at", "delivery_id"],
    {"ms": "0", "outcome": "NULL", "detail": "''", "provider_id": "''"},
)
# All of it in one round trip, since every attempt waits for this.
_START_AT_ONCE = f"""
    WITH new AS (SELECT * FROM {packed(deliveries, ["provider", "attempt", "updated", "id", "lease"])}),
    ours AS (
        SELECT d.id FROM spool_deliveries d JOIN new ON new.id = d.id
        WHERE d.due IS NOT NULL AND d.lease = new.lease AND d.attempt = new.attempt - 1
        ORDER BY d.id FOR UPDATE OF d
    ),
    started AS (
        UPDATE spool_deliveries d
        SET status = '{Status.SENDING}', detail = '',
            provider = new.provider, attempt = new.attempt, updated = new.updated
        FROM new JOIN ours ON ours.id = new.id
        WHERE d.id = new.id
        RETURNING d.id, d.attempt, d.provider, d.updated
    ),
    attempted AS (
        INSERT INTO spool_attempts (delivery_id, number, provider, at, ms, outcome, detail, provider_id)
        SELECT id, attempt, provider, updated, 0, NULL, '', '' FROM started
    )
    SELECT id FROM started"""  # noqa: S608 - our own code
_AHEAD = (
    select(deliveries.c.id)
    .where(
        deliveries.c.due.is_not(None),
        deliveries.c.updated > bindparam("now", type_=Double) + CLOCK_SLACK,
        (deliveries.c.attempt > 0) | (deliveries.c.due - deliveries.c.updated <= LONGEST_UNDO),
    )
    .order_by(deliveries.c.id)
    .with_for_update()
)
_FOLLOW_CLOCK = (
    update(deliveries)
    .where(deliveries.c.id.in_(_AHEAD))
    .values(
        due=bindparam("now", type_=Double) + deliveries.c.due - deliveries.c.updated,
        updated=bindparam("now", type_=Double),
    )
)
_HOLDERS = select(deliveries.c.lease).where(deliveries.c.lease != "").distinct()
_ORPHANED = (
    select(deliveries.c.id)
    .where(deliveries.c.lease == bindparam("dead"), deliveries.c.due > bindparam("now"))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_TAKE_OVER = update(deliveries).where(deliveries.c.id.in_(_ORPHANED)).values(due=bindparam("now"))


def _turn(connection: Connection, turns: Sequence[Turn]) -> list[Turned]:
    return [_take_turn(connection, turn) for turn in turns]


def _take_turn(connection: Connection, turn: Turn) -> Turned:
    applied = settle(connection, turn.settlements, turn.holder, turn.now, turn.lease_until)
    claims = claim(connection, turn.holder, turn.now, turn.lease_until, renew=turn.renew, want=turn.want)
    news: list[Told] = []
    for settlement, applies in zip(turn.settlements, applied, strict=True):
        if applies:
            news += [told for told in (settlement.change, settlement.notice) if told is not None]
    add_calls(connection, news, turn.now)
    add_tally(connection, turn.holder, turn.now, news)
    write_news(connection, turn.holder, turn.now, [*turn.news, *news])
    return Turned(applied, claims)


def _start(connection: Connection, starts: Sequence[Start]) -> list[bool]:
    driver = Driver.below(connection)
    rows = [(one.provider, one.earlier_attempts + 1, one.at, one.delivery_id, one.holder) for one in starts]
    # First, since this is so whether the next attempt starts or not, and must not be missing once it did.
    unwritten = [
        answered_row(one.delivery_id, one.earlier_attempts, one.unwritten) for one in starts if one.unwritten
    ]
    ANSWERED.run(driver, unwritten)
    if not driver.is_sqlite:
        going = {id for (id,) in driver.rows(_START_AT_ONCE, [json.dumps(rows)])}
    else:
        there = lock(driver, [one.delivery_id for one in starts])
        going = {one.delivery_id for one in starts if _is_ours(there.get(one.delivery_id), one)}
        mine = [(*row, id) for *row, id, _ in rows if id in going]
        _STARTED.run(driver, mine)
        _ATTEMPTED.run(driver, mine)
    return [one.delivery_id in going for one in starts]


def _is_ours(there: There | None, start: Start) -> bool:
    return (
        there is not None
        and there.due is not None
        and there.lease == start.holder
        and there.attempt == start.earlier_attempts
    )


def _take_over(connection: Connection, items: Sequence[tuple[str, float]]) -> list[int]:
    return [connection.execute(_TAKE_OVER, {"dead": dead, "now": now}).rowcount for dead, now in items]


def _follow_clock(connection: Connection, times: Sequence[float]) -> list[int]:
    return [connection.execute(_FOLLOW_CLOCK, {"now": now}).rowcount for now in times]
