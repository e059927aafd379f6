"""Leases: how one container of several holds deliveries, settles them, and takes over from the dead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from mta.claim import Claim, Result
from mta.events import Event, StatusChange, Told
from mta.news import write_news
from mta.outcomes import Outcome, Status
from mta.returns import Return, add_returns
from mta.submission import Policy, Priority
from mta.tables import attempts, deliveries, submissions
from mta.verdict import Verdict
from store.database import Database

LONGEST_DETAIL = 1000
"""Characters of a provider's answer that are kept."""
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
        return self._database.write(_turn, turn)

    def start(self, delivery_id: str, earlier_attempts: int, provider: str, at: float) -> bool:
        """Write down that an attempt starts, durable on return.

        Returns:
            False when it is not ours any more (cancelled, or the lease ran out): nothing must be sent.
        """
        return self._database.write(_start, Start(self.holder, delivery_id, earlier_attempts, provider, at))

    def take_over(self, now: float, is_gone: Callable[[str], bool]) -> int:
        """Make due at once what containers that are gone still hold, and say how many deliveries that is."""
        with self._database.read() as connection:
            holders = list(connection.execute(_HOLDERS).scalars())
        gone = [holder for holder in holders if holder != self.holder and is_gone(holder)]
        return sum(self._database.write(_take_over, (holder, now)) for holder in gone)


_LOCK = (
    select(deliveries.c.id, deliveries.c.attempt, deliveries.c.status, deliveries.c.due, deliveries.c.lease)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_CLAIM = (
    select(
        *(
            deliveries.c[name]
            for name in ("id", "submission_id", "recipient", "status", "provider", "detail")
        ),
        *(
            deliveries.c[name]
            for name in ("priority", "attempt", "rounds", "pinned", "refused_by", "doubtful")
        ),
        deliveries.c.expires,
        *(submissions.c[name] for name in ("owner", "subject", "sender", "size", "needs_envelope", "policy")),
    )
    .join(submissions, submissions.c.id == deliveries.c.submission_id)
    .where(deliveries.c.priority == bindparam("priority"), deliveries.c.due <= bindparam("now"))
    .order_by(deliveries.c.due)
    .limit(bindparam("want"))
    .with_for_update(of=deliveries, skip_locked=True)
)
_MAILS = select(submissions.c.id, submissions.c.raw).where(
    submissions.c.id.in_(bindparam("ids", expanding=True))
)
_LEASE = (
    update(deliveries)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease=bindparam("holder"), due=bindparam("until"))
)
_RENEW = _LEASE.where(deliveries.c.lease == bindparam("holder"))
_STARTED = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(
        status=Status.SENDING,
        provider=bindparam("by"),
        detail="",
        attempt=bindparam("number"),
        updated=bindparam("at"),
    )
)
_SETTLED = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(
        status=bindparam("new_status"),
        provider=bindparam("by"),
        detail=bindparam("why"),
        updated=bindparam("at"),
        due=bindparam("new_due"),
        lease=bindparam("holder"),
        rounds=bindparam("waits"),
        pinned=bindparam("pin"),
        refused_by=bindparam("refused"),
        doubtful=bindparam("doubt"),
        deferral="",
    )
)
_ANSWERED = (
    update(attempts)
    .where(attempts.c.delivery_id == bindparam("delivery"), attempts.c.number == bindparam("which"))
    .values(
        outcome=bindparam("result"),
        ms=bindparam("took"),
        detail=bindparam("why"),
        provider_id=bindparam("known_as"),
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
    news = list(turn.news)
    for settlement, applies in zip(turn.settlements, applied, strict=True):
        if applies:
            news += [told for told in (settlement.change, settlement.notice) if told is not None]
    write_news(connection, turn.holder, turn.now, news)
    return Turned(applied, claims)


def _settle(connection: Connection, turn: Turn) -> tuple[bool, ...]:
    if not turn.settlements:
        return ()
    ids = [settlement.claim.id for settlement in turn.settlements]
    there = {row.id: row for row in connection.execute(_LOCK, {"ids": ids})}
    applied = tuple(
        settlement.claim.id in there and _applies(settlement, there[settlement.claim.id], turn.holder)
        for settlement in turn.settlements
    )
    changed = [
        _settled_row(settlement, turn)
        for settlement, applies in zip(turn.settlements, applied, strict=True)
        if applies
    ]
    if changed:
        connection.execute(_SETTLED, changed)
        add_returns(connection, [_return(row) for row in changed if row["new_status"] is Status.FAILED])
    answered = [
        _answered_row(settlement, settlement.result) for settlement in turn.settlements if settlement.result
    ]
    if answered:
        connection.execute(_ANSWERED, answered)
    return applied


def _applies(settlement: Settlement, row: Any, holder: str) -> bool:
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


def _settled_row(settlement: Settlement, turn: Turn) -> dict[str, Any]:
    verdict = settlement.verdict
    return {
        "delivery": settlement.claim.id,
        "submission": settlement.claim.submission_id,
        "new_status": verdict.status,
        "by": settlement.claim.provider,
        "why": _storable(verdict.detail),
        "at": turn.now,
        "new_due": turn.lease_until if verdict.again else verdict.due,
        "holder": turn.holder if verdict.again else "",
        "waits": verdict.rounds,
        "pin": verdict.pinned,
        "refused": verdict.refused_by,
        "doubt": verdict.doubtful,
    }


def _return(row: dict[str, Any]) -> Return:
    return Return(row["delivery"], row["submission"], row["new_status"], row["at"])


def _answered_row(settlement: Settlement, result: Result) -> dict[str, Any]:
    return {
        "delivery": settlement.claim.id,
        "which": settlement.claim.attempt,
        "result": result.outcome,
        "took": result.ms,
        "why": _storable(result.detail),
        "known_as": _storable(result.provider_id),
    }


def _storable(text: str) -> str:
    """What a provider said, so that any database takes it: no NUL, no lone surrogate, not endless."""
    return text[:LONGEST_DETAIL].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _renew_and_claim(connection: Connection, turn: Turn) -> tuple[Claim, ...]:
    until = {"holder": turn.holder, "until": turn.lease_until}
    if turn.renew:
        connection.execute(_RENEW, {**until, "ids": turn.renew})
    claims: list[Claim] = []
    for priority in Priority:
        left = turn.want - len(claims)
        if left <= 0:
            break
        wanted = {"priority": priority, "now": turn.now, "want": left}
        claims.extend(_claim(row) for row in connection.execute(_CLAIM, wanted).mappings())
    if not claims:
        return ()
    connection.execute(_LEASE, {**until, "ids": [claim.id for claim in claims]})
    small = {claim.submission_id for claim in claims if claim.size <= SMALL_MAIL}
    mails = {row.id: row.raw for row in connection.execute(_MAILS, {"ids": list(small)})} if small else {}
    return tuple(replace(claim, raw=mails.get(claim.submission_id)) for claim in claims)


def _claim(row: Any) -> Claim:
    closed = {
        "policy": Policy(row["policy"]),
        "status": Status(row["status"]),
        "priority": Priority(row["priority"]),
    }
    return Claim(**{**row, **closed})


def _start(connection: Connection, starts: Sequence[Start]) -> list[bool]:
    ids = [start.delivery_id for start in starts]
    there = {row.id: row for row in connection.execute(_LOCK, {"ids": ids})}
    ours = [
        start.delivery_id in there
        and there[start.delivery_id].due is not None
        and there[start.delivery_id].lease == start.holder
        and there[start.delivery_id].attempt == start.earlier_attempts
        for start in starts
    ]
    going = [start for start, mine in zip(starts, ours, strict=True) if mine]
    if going:
        connection.execute(_STARTED, [_started_row(start) for start in going])
        connection.execute(attempts.insert(), [_attempt_row(start) for start in going])
    return ours


def _started_row(start: Start) -> dict[str, Any]:
    return {
        "delivery": start.delivery_id,
        "by": start.provider,
        "number": start.earlier_attempts + 1,
        "at": start.at,
    }


def _attempt_row(start: Start) -> dict[str, Any]:
    return {
        "delivery_id": start.delivery_id,
        "number": start.earlier_attempts + 1,
        "provider": start.provider,
        "at": start.at,
        "ms": 0,
        "outcome": None,
        "detail": "",
        "provider_id": "",
    }


def _take_over(connection: Connection, items: Sequence[tuple[str, float]]) -> list[int]:
    return [connection.execute(_TAKE_OVER, {"dead": dead, "now": now}).rowcount for dead, now in items]
