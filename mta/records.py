"""Records: submissions, deliveries and attempts as the rows of the spool tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping, bindparam, select

from mta.outcomes import Outcome, Status
from mta.submission import Attempt, Delivery, Submission
from mta.summary import unpack
from mta.tables import attempts, deliveries, submissions

_HEADS = select(
    submissions.c.id,
    submissions.c.key,
    submissions.c.owner,
    submissions.c.sender,
    submissions.c.subject,
    submissions.c.created,
    submissions.c.summary,
).where(submissions.c.id.in_(bindparam("ids", expanding=True)))
DELIVERY_COLUMNS = (
    deliveries.c.id,
    deliveries.c.submission_id,
    deliveries.c.recipient,
    deliveries.c.status,
    deliveries.c.provider,
    deliveries.c.detail,
    deliveries.c.updated,
    deliveries.c.deferral,
)
_DELIVERIES = (
    select(*DELIVERY_COLUMNS)
    .where(deliveries.c.submission_id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.submission_id, deliveries.c.position)
)
_ATTEMPTS = (
    select(*(column for column in attempts.c if column is not attempts.c.answer))
    .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
    .where(deliveries.c.submission_id.in_(bindparam("ids", expanding=True)))
    .order_by(attempts.c.delivery_id, attempts.c.number)
)


def submissions_of(connection: Connection, ids: Sequence[str]) -> dict[str, Submission]:
    """Those of these submissions that exist, by id, with their deliveries; three queries for any number."""
    # In this order, so that what is pruned in between is found in one of both places.
    whole = deliveries_of(connection, ids)
    heads = connection.execute(_HEADS, {"ids": ids}).mappings().all()
    return {head["id"]: _submission(head, whole) for head in heads}


def deliveries_of(connection: Connection, submission_ids: Sequence[str]) -> dict[str, tuple[Delivery, ...]]:
    """The deliveries of these submissions with their attempts, by submission; two queries for any number."""
    if not submission_ids:
        return {}
    rows = connection.execute(_DELIVERIES, {"ids": submission_ids}).mappings().all()
    tries = connection.execute(_ATTEMPTS, {"ids": submission_ids}).mappings().all()
    attempts_of: dict[str, list[Attempt]] = {}
    for row in tries:
        attempts_of.setdefault(row["delivery_id"], []).append(_attempt(row))
    found: dict[str, list[Delivery]] = {}
    for row in rows:
        made = tuple(attempts_of.get(row["id"], ()))
        found.setdefault(row["submission_id"], []).append(delivery_of(row, made))
    return {id: tuple(those) for id, those in found.items()}


def _submission(head: RowMapping, whole: Mapping[str, tuple[Delivery, ...]]) -> Submission:
    known = {name: value for name, value in head.items() if name != "summary"}
    summary = head["summary"]
    return Submission(
        **known, deliveries=unpack(summary) if summary is not None else whole.get(head["id"], ())
    )


def delivery_of(row: RowMapping, made: tuple[Attempt, ...] = ()) -> Delivery:
    """The delivery of a row of `DELIVERY_COLUMNS`, with the attempts that were made."""
    deferral = row["deferral"] if row["status"] == Status.SENT else ""
    return Delivery(
        id=row["id"],
        recipient=row["recipient"],
        status=Status.DEFERRED if deferral else Status(row["status"]),
        provider=row["provider"],
        detail=deferral or row["detail"],
        updated=row["updated"],
        attempts=made,
    )


def _attempt(row: RowMapping) -> Attempt:
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    return Attempt(row["provider"], outcome, row["at"], row["ms"], row["detail"], row["provider_id"])
