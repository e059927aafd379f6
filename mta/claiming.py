"""Claiming: due deliveries are leased to one container, with what it needs to send them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection

from mta.claim import Claim
from mta.outcomes import Status
from mta.statements import change
from mta.submission import Policy, Priority
from mta.tables import deliveries
from store.driver import Driver

SMALL_MAIL = 64 * 1024
"""Bytes up to which a mail is read with its claim: one query for all is far cheaper than one for each."""

# The hot path is written for the driver itself, since SQLAlchemy's care takes longer than the database.
_CLAIMED = """
    SELECT d.id, d.submission_id, s.owner, s.subject, s.sender, d.recipient, s.size, s.needs_envelope,
        s.policy, d.status, d.provider, d.detail, d.priority, d.attempt, d.rounds, d.pinned, d.refused_by,
        d.doubtful, d.expires, d.needs_mime
    FROM spool_deliveries d JOIN spool_submissions s ON s.id = d.submission_id
    WHERE d.priority = ? AND d.due <= ? ORDER BY d.due LIMIT ?"""
_MAILS = "SELECT id, raw FROM spool_submissions WHERE id IN ({})"
_LEASE = change(deliveries, ["lease", "due"], ["id"])
_RENEW = """
    UPDATE spool_deliveries SET due = ? WHERE lease = ? AND id IN (SELECT value FROM json_each(?))"""
# In the order in which starts take them, which would else wait for this, and this for them.
_RENEW_IN_ORDER = """
    WITH ours AS (SELECT id FROM spool_deliveries WHERE lease = ? AND id = ANY(?) ORDER BY id FOR UPDATE)
    UPDATE spool_deliveries SET due = ? FROM ours WHERE spool_deliveries.id = ours.id"""


def claim(
    connection: Connection, holder: str, now: float, lease_until: float, *, renew: Sequence[str], want: int
) -> tuple[Claim, ...]:
    """Renew leases, and lease deliveries that are due: the most urgent first, and of those the longest due.

    Args:
        connection: the transaction.
        holder: the container that holds them from now on.
        now: the time in seconds since the epoch.
        lease_until: until when.
        renew: the deliveries that it holds already and goes on with.
        want: how many new ones at most.
    """
    driver = Driver.below(connection)
    if renew and driver.is_sqlite:
        driver.rows(_RENEW, (lease_until, holder, json.dumps(renew)))
    elif renew:
        driver.rows(_RENEW_IN_ORDER, (holder, list(renew), lease_until))
    statement = _CLAIMED if driver.is_sqlite else f"{_CLAIMED} FOR UPDATE OF d SKIP LOCKED"
    rows: list[tuple[Any, ...]] = []
    for priority in Priority:
        if (left := want - len(rows)) <= 0:
            break
        rows += driver.rows(statement, (int(priority), now, left))
    if not rows:
        return ()
    _LEASE.run(driver, [(holder, lease_until, row[0]) for row in rows])
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


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))
