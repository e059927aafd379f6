"""Settling: what attempts came to is written down, and decides unless somebody has gone on with the delivery since."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection

from mta.claim import Claim, Result
from mta.events import Event, StatusChange
from mta.outcomes import Outcome, Status
from mta.returns import Return, add_returns
from mta.statements import change
from mta.tables import attempts, deliveries
from mta.verdict import Verdict
from store.driver import Driver

LONGEST_ID = 200
"""Characters of a provider's own id that are kept, and found by."""
LONGEST_DETAIL = 1000
"""Characters that are kept of what is said of a provider's answer."""
LONGEST_ANSWER = 4000
"""Characters of the answer itself that are kept."""


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


class There(NamedTuple):
    """What decides whether a settlement or a start still holds."""

    id: str
    attempt: int
    status: str
    due: float | None
    lease: str


# The hot path is written for the driver itself, since SQLAlchemy's care takes longer than the database.
_THERE = """
    SELECT json_group_array(json_array(id, attempt, status, due, lease)) FROM spool_deliveries
    WHERE id IN (SELECT value FROM json_each(?))"""
_LOCKED = """
    SELECT id, attempt, status, due, lease FROM spool_deliveries WHERE id = ANY(?) ORDER BY id FOR UPDATE"""
_SETTLED = change(
    deliveries,
    [
        *("status", "provider", "detail", "updated", "due"),
        *("lease", "rounds", "pinned", "refused_by", "doubtful"),
    ],
    ["id"],
    {"deferral": "''"},
)
ANSWERED = change(attempts, ["outcome", "ms", "detail", "provider_id", "answer"], ["delivery_id", "number"])


def settle(
    connection: Connection, settlements: Sequence[Settlement], holder: str, now: float, lease_until: float
) -> tuple[bool, ...]:
    """Write what becomes of deliveries and what their attempts came to.

    Args:
        connection: the transaction.
        settlements: what to write.
        holder: the container that says so.
        now: the time in seconds since the epoch.
        lease_until: until when it holds what it will try again.

    Returns:
        Of each whether it changed its delivery.
    """
    if not settlements:
        return ()
    driver = Driver.below(connection)
    there = lock(driver, {settlement.claim.id for settlement in settlements})
    applied = tuple(
        settlement.claim.id in there and _applies(settlement, there[settlement.claim.id], holder)
        for settlement in settlements
    )
    # Of two about the same delivery the later one holds; PostgreSQL would take any.
    changed: dict[str, tuple[Any, ...]] = {}
    answered: dict[tuple[str, int], tuple[Any, ...]] = {}
    came_back: list[Return] = []
    for settlement, applies in zip(settlements, applied, strict=True):
        claim = settlement.claim
        if applies:
            changed[claim.id] = _settled_row(settlement, holder, now, lease_until)
            if settlement.verdict.status is Status.FAILED:
                came_back.append(Return(claim.id, claim.submission_id, Status.FAILED, now))
        if settlement.result:
            answered[claim.id, claim.attempt] = answered_row(claim.id, claim.attempt, settlement.result)
    _SETTLED.run(driver, list(changed.values()))
    ANSWERED.run(driver, list(answered.values()))
    add_returns(connection, came_back)
    return applied


def lock(driver: Driver, ids: Collection[str]) -> dict[str, There]:
    """How these deliveries are, and stay until the end of the transaction."""
    if driver.is_sqlite:
        rows = json.loads(driver.rows(_THERE, [json.dumps(list(ids))])[0][0])
    else:
        rows = driver.rows(_LOCKED, [list(ids)])
    return {row[0]: There(*row) for row in rows}


def _applies(settlement: Settlement, row: There, holder: str) -> bool:
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


def _settled_row(settlement: Settlement, holder: str, now: float, lease_until: float) -> tuple[Any, ...]:
    claim, verdict = settlement.claim, settlement.verdict
    return (
        verdict.status.value,
        claim.provider,
        _storable(verdict.detail),
        now,
        lease_until if verdict.again else verdict.due,
        holder if verdict.again else "",
        verdict.rounds,
        verdict.pinned,
        verdict.refused_by,
        verdict.doubtful,
        claim.id,
    )


def answered_row(delivery_id: str, number: int, result: Result) -> tuple[Any, ...]:
    """What `ANSWERED` writes of one attempt."""
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
