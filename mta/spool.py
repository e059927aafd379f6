"""The spool: the durable table of submissions, deliveries and attempts, as those who submit see it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from mta.calls import add_calls
from mta.errors import KeyConflict
from mta.events import StatusChange
from mta.outcomes import Outcome, Status
from mta.statements import arrays, insertion
from mta.submission import Attempt, Delivery, NewSubmission, Submission
from mta.summary import unpack
from mta.tables import attempts, deliveries, submissions, traces
from mta.tree import is_plain, needs_mime, read_tree
from store.database import Database
from store.driver import Driver

TIME_DIGITS = 11
"""Hexadecimal digits at the beginning of an id that say when it was given, in milliseconds since the epoch."""
CANCELLABLE = (Status.QUEUED, Status.DEFERRED)
"""Where surely no provider has the mail."""
RETRIABLE = (Status.DEFERRED, Status.BOUNCED, Status.FAILED, Status.UNCERTAIN)
"""Where another try may do some good."""
_MESSAGE_ID = re.compile(rb"(?:\A|\n)message-id:\s*(<[!-;=?-~]{1,200}>)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Accepting:
    id: str
    created: float
    expires: float
    new: NewSubmission
    digest: str
    recipients: tuple[str, ...]
    needs_mime: bool


@dataclass(frozen=True, slots=True)
class _Cancelling:
    submission_id: str
    now: float


@dataclass(frozen=True, slots=True)
class _Retrying:
    submission_id: str
    delivery_id: str
    now: float
    expires: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the spool.

    Attributes:
        waiting: deliveries that are not in a final state, by status.
        oldest: when the oldest of them was accepted, in seconds since the epoch; None when nothing waits.
    """

    waiting: dict[Status, int]
    oldest: float | None


class Spool:
    """Accepts submissions and shows what became of them.

    Any number of threads, processes and hosts may use one spool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, new: NewSubmission, now: float, lifetime: float) -> tuple[Submission, bool]:
        """Write a submission and its deliveries, durable on return.

        Args:
            new: the mail.
            now: the time, in seconds since the epoch.
            lifetime: how long to try, in seconds from when it may first be sent.

        Returns:
            The submission, and whether it is new: the same key and mail give the earlier submission.

        Raises:
            KeyConflict: the owner used this key for another mail.
        """
        (accepted,) = self.submit_all([new], now, lifetime)
        if isinstance(accepted, KeyConflict):
            raise accepted
        return accepted

    def submit_all(
        self, news: Sequence[NewSubmission], now: float, lifetime: float
    ) -> list[tuple[Submission, bool] | KeyConflict]:
        """The same for several mails in one transaction, with a refusal in the place of what would be raised."""
        if not news:
            return []
        accepting = [_accepting(new, now, lifetime) for new in news]
        answers = self._database.write(self._accept_lists, accepting)
        return [self._accepted(one, *answer) for one, answer in zip(accepting, answers, strict=True)]

    def _accepted(
        self, asked: _Accepting, submission_id: str, digest: str
    ) -> tuple[Submission, bool] | KeyConflict:
        key = asked.new.key
        if digest != asked.digest:
            return KeyConflict(f"the key {key!r} was used for another mail; take a new key for a new mail")
        if submission_id == asked.id:
            return _as_accepted(asked), True
        earlier = self.submission(submission_id)
        if earlier is None:
            return KeyConflict(f"the submission with the key {key!r} was just removed; submit it again")
        return earlier, False

    def submission(self, submission_id: str) -> Submission | None:
        """The submission with this id as it is now, or None."""
        return self.submissions([submission_id]).get(submission_id)

    def submissions(self, ids: Iterable[str]) -> dict[str, Submission]:
        """Those of these submissions that exist, by id; three queries for any number."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        with self._database.read() as connection:
            # In this order, so that what is pruned in between is found in one of both places.
            whole = deliveries_of(connection, wanted)
            heads = connection.execute(_HEADS, {"ids": wanted}).mappings().all()
        return {head["id"]: _submission(head, whole) for head in heads}

    def raw(self, submission_id: str) -> bytes:
        """The mail itself, byte by byte as it was submitted.

        Raises:
            KeyError: there is no such submission, or its mail was pruned.
        """
        with self._database.read() as connection:
            raw = connection.execute(_RAW, {"id": submission_id}).scalar()
        if not raw:
            raise KeyError(submission_id)
        return bytes(raw)

    def traces(self, ids: Iterable[str]) -> dict[str, str]:
        """The steps that submitted these mails, by submission; of those that were traced."""
        with self._database.read() as connection:
            rows = connection.execute(_TRACES, {"ids": list(ids)}).all()
        return {row.submission_id: row.context for row in rows}

    def backlog(self) -> Backlog:
        """What waits; the cost depends on that, not on what is finished."""
        with self._database.read() as connection:
            rows = connection.execute(_BACKLOG).all()
        first = min((row.first for row in rows), default=None)
        # An id begins with the time it was given at.
        oldest = None if first is None else int(first[:TIME_DIGITS], 16) / 1000
        return Backlog({Status(row.status): row.number for row in rows}, oldest)

    def cancel(self, submission_id: str, now: float) -> list[Delivery]:
        """Cancel the deliveries of a submission that surely no provider has.

        Returns:
            The deliveries that are cancelled by this call.
        """
        return self._database.write(_cancel, _Cancelling(submission_id, now))

    def retry(self, submission_id: str, delivery_id: str, now: float, lifetime: float) -> Delivery | None:
        """Begin anew with a delivery that waits, was given up or came back; its attempts stay on record.

        Returns:
            The delivery as it is now, or None when there is none that a retry may help, or a container holds it.
        """
        return self._database.write(_retry, _Retrying(submission_id, delivery_id, now, now + lifetime))

    def _accept_lists(
        self, connection: Connection, lists: Sequence[Sequence[_Accepting]]
    ) -> list[list[tuple[str, str]]]:
        answers = iter(self._accept(connection, [item for items in lists for item in items]))
        return [[next(answers) for _ in items] for items in lists]

    def _accept(self, connection: Connection, items: Sequence[_Accepting]) -> list[tuple[str, str]]:
        first: dict[tuple[str, str], _Accepting] = {}
        for item in items:
            first.setdefault((item.new.owner, item.new.key), item)
        # In one order everywhere, so that two hosts writing the same keys never wait for each other.
        batch = [first[pair] for pair in sorted(first)]
        driver = Driver.below(connection)
        rows = [_submission_row(item) for item in batch]
        inserted = driver.change(_INSERT_SUBMISSION.on_sqlite, _INSERT_SUBMISSION.on_postgresql, rows)
        there = {pair: (item.id, item.digest) for pair, item in first.items()}
        if inserted != len(batch):
            for row in connection.execute(_KEYS, {"keys": [item.new.key for item in batch]}):
                if (row.owner, row.key) in there:
                    there[row.owner, row.key] = (row.id, row.digest)
        ours = [item for item in batch if there[item.new.owner, item.new.key][0] == item.id]
        _INSERT_DELIVERY.run(driver, [row for item in ours for row in _delivery_rows(item)])
        if traced := [
            {"submission_id": item.id, "context": item.new.trace} for item in ours if item.new.trace
        ]:
            connection.execute(traces.insert(), traced)
        return [there[item.new.owner, item.new.key] for item in items]


# Accepting is the hot path: written for the driver itself, since SQLAlchemy's care takes as long again.
_INSERT_SUBMISSION = insertion(
    submissions,
    [column.name for column in submissions.c if column is not submissions.c.summary],
    tail="ON CONFLICT (owner, key) DO NOTHING",
    source=arrays,
    one_by_one=True,
)
_INSERT_DELIVERY = insertion(
    deliveries,
    ["id", "submission_id", "position", "recipient", "updated", "priority", "due", "expires", "needs_mime"],
    {
        "status": f"'{Status.QUEUED}'",
        **dict.fromkeys(("provider", "detail", "lease", "pinned", "refused_by"), "''"),
        **dict.fromkeys(("attempt", "rounds"), "0"),
        "doubtful": "false",
    },
    one_by_one=True,
)
_HEADS = select(
    submissions.c.id,
    submissions.c.key,
    submissions.c.owner,
    submissions.c.sender,
    submissions.c.subject,
    submissions.c.created,
    submissions.c.summary,
).where(submissions.c.id.in_(bindparam("ids", expanding=True)))
_DELIVERY_COLUMNS = (
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
    select(*_DELIVERY_COLUMNS)
    .where(deliveries.c.submission_id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.submission_id, deliveries.c.position)
)
_ATTEMPTS = (
    select(*(column for column in attempts.c if column is not attempts.c.answer))
    .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
    .where(deliveries.c.submission_id.in_(bindparam("ids", expanding=True)))
    .order_by(attempts.c.delivery_id, attempts.c.number)
)
_BACKLOG = (
    select(
        deliveries.c.status,
        func.count().label("number"),
        func.min(deliveries.c.submission_id).label("first"),
    )
    .where(deliveries.c.due.is_not(None))
    .group_by(deliveries.c.status)
)
_TRACES = select(traces).where(traces.c.submission_id.in_(bindparam("ids", expanding=True)))
_RAW = select(submissions.c.raw).where(submissions.c.id == bindparam("id"))
_KEYS = select(submissions.c.id, submissions.c.owner, submissions.c.key, submissions.c.digest).where(
    submissions.c.key.in_(bindparam("keys", expanding=True))
)
_CANCELLABLE = (
    select(*_DELIVERY_COLUMNS)
    .where(deliveries.c.submission_id == bindparam("submission"), deliveries.c.status.in_(CANCELLABLE))
    .order_by(deliveries.c.position)
    .with_for_update()
)
_CANCEL = (
    update(deliveries)
    .where(deliveries.c.submission_id == bindparam("submission"), deliveries.c.status.in_(CANCELLABLE))
    .values(status=Status.CANCELLED, detail="", updated=bindparam("now"), due=None, lease="")
)

_OWNER = select(submissions.c.owner).where(submissions.c.id == bindparam("submission"))
_RETRY = (
    update(deliveries)
    .where(
        deliveries.c.id == bindparam("delivery"),
        deliveries.c.submission_id == bindparam("submission"),
        deliveries.c.status.in_(RETRIABLE),
        deliveries.c.lease == "",
    )
    .values(
        status=Status.QUEUED,
        detail="",
        updated=bindparam("now"),
        due=bindparam("now"),
        expires=bindparam("until"),
        rounds=0,
        pinned="",
        refused_by="",
    )
    .execution_options(preserve_rowcount=True)
)
_ONE = select(*_DELIVERY_COLUMNS).where(deliveries.c.id == bindparam("delivery"))


def _retry(connection: Connection, items: Sequence[_Retrying]) -> list[Delivery | None]:
    results: list[Delivery | None] = []
    for item in items:
        one = {"delivery": item.delivery_id}
        where = one | {"submission": item.submission_id, "now": item.now, "until": item.expires}
        changed = connection.execute(_RETRY, where).rowcount
        row = connection.execute(_ONE, one).mappings().one() if changed else None
        results.append(None if row is None else _delivery(row, ()))
    return results


def status_of(owner: str, submission_id: str, delivery: Delivery, at: float) -> StatusChange:
    """What is told of the status that a delivery has now."""
    return StatusChange(
        at=at,
        owner=owner,
        submission_id=submission_id,
        delivery_id=delivery.id,
        recipient=delivery.recipient,
        status=delivery.status,
        provider=delivery.provider,
        detail=delivery.detail,
    )


def _cancel(connection: Connection, items: Sequence[_Cancelling]) -> list[list[Delivery]]:
    results = []
    for item in items:
        rows = connection.execute(_CANCELLABLE, {"submission": item.submission_id}).mappings().all()
        changed = [
            replace(_delivery(row, ()), status=Status.CANCELLED, detail="", updated=item.now) for row in rows
        ]
        if changed:
            connection.execute(_CANCEL, {"submission": item.submission_id, "now": item.now})
            owner = connection.execute(_OWNER, {"submission": item.submission_id}).scalar_one()
            told = [status_of(owner, item.submission_id, one, item.now) for one in changed]
            add_calls(connection, told, item.now)
        results.append(changed)
    return results


def _accepting(new: NewSubmission, now: float, lifetime: float) -> _Accepting:
    return _Accepting(
        # In order of time, so that indexes grow at their end.
        id=f"{oldest_id(now)}{secrets.token_hex(8)}",
        created=now,
        expires=max(now, new.not_before) + lifetime,
        new=new,
        digest=new.digest(),
        recipients=tuple(dict.fromkeys(new.recipients)),
        needs_mime=not is_plain(new.raw) and bool(needs_mime(read_tree(new.raw))),
    )


def _submission_row(item: _Accepting) -> tuple[Any, ...]:
    new = item.new
    return (
        item.id,
        new.owner,
        new.key,
        item.digest,
        new.sender,
        new.subject,
        item.created,
        new.policy.value,
        new.needs_envelope,
        len(new.raw),
        new.raw,
        _message_id(new.raw),
    )


def _message_id(raw: bytes) -> str:
    end = raw.find(b"\r\n\r\n")
    found = _MESSAGE_ID.search(raw, 0, end if end >= 0 else len(raw))
    return found[1].decode("ascii") if found else ""


def _delivery_rows(item: _Accepting) -> Iterable[tuple[Any, ...]]:
    rank, due = int(item.new.rank), max(item.created, item.new.not_before)
    for position, recipient in enumerate(item.recipients):
        id = _delivery_id(item, position)
        yield id, item.id, position, recipient, item.created, rank, due, item.expires, item.needs_mime


def _delivery_id(item: _Accepting, position: int) -> str:
    return f"{item.id}-{position}"


def _as_accepted(item: _Accepting) -> Submission:
    new = item.new
    return Submission(
        id=item.id,
        key=new.key,
        owner=new.owner,
        sender=new.sender,
        subject=new.subject,
        created=item.created,
        deliveries=tuple(
            Delivery(_delivery_id(item, position), recipient, Status.QUEUED, "", "", item.created)
            for position, recipient in enumerate(item.recipients)
        ),
    )


def oldest_id(created: float) -> str:
    """What the ids of submissions begin with that were accepted at this time, in seconds since the epoch."""
    return f"{int(created * 1000):0{TIME_DIGITS}x}"


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
        found.setdefault(row["submission_id"], []).append(_delivery(row, made))
    return {id: tuple(those) for id, those in found.items()}


def _submission(head: RowMapping, whole: Mapping[str, tuple[Delivery, ...]]) -> Submission:
    known = {name: value for name, value in head.items() if name != "summary"}
    summary = head["summary"]
    return Submission(
        **known, deliveries=unpack(summary) if summary is not None else whole.get(head["id"], ())
    )


def _delivery(row: RowMapping | Mapping[str, Any], made: tuple[Attempt, ...]) -> Delivery:
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
