"""Leases: how one container of several holds deliveries, settles them, and takes over from the dead."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Double, bindparam, select, update

from mta.calls import add_calls
from mta.claim import Claim, Result
from mta.events import Event, StatusChange, Told
from mta.news import write_news
from mta.outcomes import Outcome, Status
from mta.returns import Return, add_returns
from mta.statements import change, insertion, packed
from mta.submission import Policy, Priority
from mta.tables import attempts, deliveries
from mta.tallies import add_tally
from mta.verdict import Verdict
from store.database import Database
from store.driver import Driver

LONGEST_ID = 200
"""Characters of a provider's own id that are kept, and found by."""
LONGEST_DETAIL = 1000
"""Characters that are kept of what is said of a provider's answer."""
LONGEST_ANSWER = 4000
"""Characters of the answer itself that are kept."""
CLOCK_SLACK = 5.0
"""Seconds by which clocks may differ before that counts as one having been set."""
LONGEST_UNDO = 300.0
"""Seconds up to which a wait before the first attempt is a wait; a longer one is a time of day."""
SMALL_MAIL = 64 * 1024
"""Bytes up to which a mail is read with its claim: one query for all is far cheaper than one for each."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What becomes of a claimed delivery.

    Attributes:
        claim: the delivery as it was at the attempt that this is about, or as it is given back.
        verdict: what becomes of it.
        result: what the attempt came to; None when it is given back without one.
        change: what is told of the new status, if it is another.
        notice: what its author is told, if anything.
    """

    claim: Claim
    verdict: Verdict
    result: Result | None = None
    change: StatusChange | None = None
    notice: Event | None = None


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


class _There(NamedTuple):
    id: str
    attempt: int
    status: str
    due: float | None
    lease: str


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


# The hot path is written for the driver itself, since SQLAlchemy's care takes longer than the database.
_THERE = """
    SELECT json_group_array(json_array(id, attempt, status, due, lease)) FROM spool_deliveries
    WHERE id IN (SELECT value FROM json_each(?))"""
_LOCKED = """
    SELECT id, attempt, status, due, lease FROM spool_deliveries WHERE id = ANY(?) ORDER BY id FOR UPDATE"""
_CLAIMED = """
    SELECT d.id, d.submission_id, s.owner, s.subject, s.sender, d.recipient, s.size, s.needs_envelope,
        s.policy, d.status, d.provider, d.detail, d.priority, d.attempt, d.rounds, d.pinned, d.refused_by,
        d.doubtful, d.expires, d.needs_mime
    FROM spool_deliveries d JOIN spool_submissions s ON s.id = d.submission_id
    WHERE d.priority = ? AND d.due <= ? ORDER BY d.due LIMIT ?"""
_MAILS = "SELECT id, raw FROM spool_submissions WHERE id IN ({})"
_LEASE = change(deliveries, ["lease", "due"], ["id"])
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
_SETTLED = change(
    deliveries,
    [
        *("status", "provider", "detail", "updated", "due"),
        *("lease", "rounds", "pinned", "refused_by", "doubtful"),
    ],
    ["id"],
    {"deferral": "''"},
)
_ANSWERED = change(attempts, ["outcome", "ms", "detail", "provider_id", "answer"], ["delivery_id", "number"])
_RENEW = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)), deliveries.c.lease == bindparam("holder"))
    .values(due=bindparam("until"))
)
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
_TAKE_OVER = (
    update(deliveries)
    .where(deliveries.c.lease == bindparam("dead"), deliveries.c.due > bindparam("now"))
    .values(due=bindparam("now"))
)


def _turn(connection: Connection, turns: Sequence[Turn]) -> list[Turned]:
    return [_take_turn(connection, turn) for turn in turns]


def _take_turn(connection: Connection, turn: Turn) -> Turned:
    applied = _settle(connection, turn)
    claims = _renew_and_claim(connection, turn)
    news: list[Told] = []
    for settlement, applies in zip(turn.settlements, applied, strict=True):
        if applies:
            news += [told for told in (settlement.change, settlement.notice) if told is not None]
    add_calls(connection, news, turn.now)
    add_tally(connection, turn.holder, turn.now, news)
    write_news(connection, turn.holder, turn.now, [*turn.news, *news])
    return Turned(applied, claims)


def _settle(connection: Connection, turn: Turn) -> tuple[bool, ...]:
    if not turn.settlements:
        return ()
    driver = Driver.below(connection)
    there = _lock(driver, {settlement.claim.id for settlement in turn.settlements})
    applied = tuple(
        settlement.claim.id in there and _applies(settlement, there[settlement.claim.id], turn.holder)
        for settlement in turn.settlements
    )
    # Of two about the same delivery the later one holds; PostgreSQL would take any.
    changed: dict[str, tuple[Any, ...]] = {}
    answered: dict[tuple[str, int], tuple[Any, ...]] = {}
    came_back: list[Return] = []
    for settlement, applies in zip(turn.settlements, applied, strict=True):
        claim = settlement.claim
        if applies:
            changed[claim.id] = _settled_row(settlement, turn)
            if settlement.verdict.status is Status.FAILED:
                came_back.append(Return(claim.id, claim.submission_id, Status.FAILED, turn.now))
        if settlement.result:
            answered[claim.id, claim.attempt] = _answered_row(claim.id, claim.attempt, settlement.result)
    _SETTLED.run(driver, list(changed.values()))
    _ANSWERED.run(driver, list(answered.values()))
    add_returns(connection, came_back)
    return applied


def _lock(driver: Driver, ids: Collection[str]) -> dict[str, _There]:
    if driver.is_sqlite:
        rows = json.loads(driver.rows(_THERE, [json.dumps(list(ids))])[0][0])
    else:
        rows = driver.rows(_LOCKED, [list(ids)])
    return {row[0]: _There(*row) for row in rows}


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))


def _applies(settlement: Settlement, row: _There, holder: str) -> bool:
    """Whether a settlement still decides: another container may have gone on with the delivery since."""
    result = settlement.result
    if result is not None and result.outcome is Outcome.ACCEPTED:
        # A late answer is knowledge too, unless there is better, or somebody is about to know more.
        waits = row.due is not None and (
            row.status != Status.SENDING or row.attempt == settlement.claim.attempt
        )
        return waits or row.status in (Status.UNCERTAIN, Status.FAILED)
    if row.due is None or row.attempt != settlement.claim.attempt:
        return False
    needs_lease = result is None or settlement.verdict.again
    return row.lease == holder or not needs_lease


def _settled_row(settlement: Settlement, turn: Turn) -> tuple[Any, ...]:
    claim, verdict = settlement.claim, settlement.verdict
    return (
        verdict.status.value,
        claim.provider,
        _storable(verdict.detail),
        turn.now,
        turn.lease_until if verdict.again else verdict.due,
        turn.holder if verdict.again else "",
        verdict.rounds,
        verdict.pinned,
        verdict.refused_by,
        verdict.doubtful,
        claim.id,
    )


def _answered_row(delivery_id: str, number: int, result: Result) -> tuple[Any, ...]:
    return (
        result.outcome.value,
        result.ms,
        _storable(result.detail),
        _storable(result.provider_id, LONGEST_ID),
        _storable(result.whole, LONGEST_ANSWER),
        delivery_id,
        number,
    )


def _storable(text: str, longest: int = LONGEST_DETAIL) -> str:
    """What a provider said, so that any database takes it: no NUL, no lone surrogate, not endless."""
    return text[:longest].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _renew_and_claim(connection: Connection, turn: Turn) -> tuple[Claim, ...]:
    if turn.renew:
        until = {"holder": turn.holder, "until": turn.lease_until}
        connection.execute(_RENEW, {**until, "ids": turn.renew})
    driver = Driver.below(connection)
    statement = _CLAIMED if driver.is_sqlite else f"{_CLAIMED} FOR UPDATE OF d SKIP LOCKED"
    rows: list[tuple[Any, ...]] = []
    for priority in Priority:
        if (left := turn.want - len(rows)) <= 0:
            break
        rows += driver.rows(statement, (int(priority), turn.now, left))
    if not rows:
        return ()
    _LEASE.run(driver, [(turn.holder, turn.lease_until, row[0]) for row in rows])
    small = {submission for _, submission, _, _, _, _, size, *_ in rows if size <= SMALL_MAIL}
    mails = dict(driver.rows(_MAILS.format(_marks(small)), list(small))) if small else {}
    return tuple(_claim(row, mails.get(row[1])) for row in rows)


def _claim(row: tuple[Any, ...], raw: bytes | None) -> Claim:
    id, submission_id, owner, subject, sender, recipient, size, needs_envelope, *rest = row
    policy, status, provider, detail, priority, *rest = rest
    attempt, rounds, pinned, refused_by, doubtful, expires, needs_mime = rest
    return Claim(
        id=id,
        submission_id=submission_id,
        owner=owner,
        subject=subject,
        sender=sender,
        recipient=recipient,
        size=size,
        needs_envelope=bool(needs_envelope),
        policy=Policy(policy),
        status=Status(status),
        provider=provider,
        detail=detail,
        priority=Priority(priority),
        attempt=attempt,
        rounds=rounds,
        pinned=pinned,
        refused_by=refused_by,
        doubtful=bool(doubtful),
        expires=expires,
        needs_mime=bool(needs_mime),
        raw=raw,
    )


def _start(connection: Connection, starts: Sequence[Start]) -> list[bool]:
    driver = Driver.below(connection)
    rows = [(one.provider, one.earlier_attempts + 1, one.at, one.delivery_id, one.holder) for one in starts]
    # First, since this is so whether the next attempt starts or not, and must not be missing once it did.
    unwritten = [
        _answered_row(one.delivery_id, one.earlier_attempts, one.unwritten) for one in starts if one.unwritten
    ]
    _ANSWERED.run(driver, unwritten)
    if not driver.is_sqlite:
        going = {id for (id,) in driver.rows(_START_AT_ONCE, [json.dumps(rows)])}
    else:
        there = _lock(driver, [one.delivery_id for one in starts])
        going = {one.delivery_id for one in starts if _is_ours(there.get(one.delivery_id), one)}
        mine = [(*row, id) for *row, id, _ in rows if id in going]
        _STARTED.run(driver, mine)
        _ATTEMPTED.run(driver, mine)
    return [one.delivery_id in going for one in starts]


def _is_ours(there: _There | None, start: Start) -> bool:
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
