"""The spool: the durable table of submissions, deliveries and attempts, as those who submit see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, func, select, update

from mta.acceptance import TIME_DIGITS, Acceptance, accept, acceptances, as_accepted
from mta.calls import add_calls
from mta.errors import KeyConflict
from mta.events import StatusChange
from mta.outcomes import Status
from mta.records import DELIVERY_COLUMNS, delivery_of, submissions_of
from mta.submission import Delivery, NewSubmission, Submission
from mta.tables import deliveries, submissions, traces
from store.database import Database, Heard

CANCELLABLE = (Status.QUEUED, Status.DEFERRED)
"""Where surely no provider has the mail."""
RETRIABLE = (Status.DEFERRED, Status.BOUNCED, Status.FAILED, Status.UNCERTAIN)
"""Where another try may do some good."""


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
        accepting = acceptances(news, now, lifetime)
        answers = self._database.write(accept, accepting)
        return [self._accepted(one, *answer) for one, answer in zip(accepting, answers, strict=True)]

    def submit_soon(
        self,
        news: Sequence[NewSubmission],
        now: float,
        lifetime: float,
        heard: Heard[list[str | KeyConflict]],
    ) -> None:
        """The same for a caller that cannot wait, and wants the ids alone: returns at once.

        An event loop should not even look through a long mail, so that is done where the mail is written.

        Args:
            news: as in `submit_all`.
            now: as in `submit`.
            lifetime: as in `submit`.
            heard: told the submissions' ids once all is durable, in a thread that it must not hold up.

        Raises:
            DatabaseClosed: no more is taken.
        """
        self._database.write_soon(_accept_all, (news, now, lifetime), heard)

    def _accepted(
        self, asked: Acceptance, submission_id: str, digest: str
    ) -> tuple[Submission, bool] | KeyConflict:
        if digest != asked.digest:
            return _conflict(asked)
        if submission_id == asked.id:
            return as_accepted(asked), True
        earlier = self.submission(submission_id)
        if earlier is None:
            key = asked.new.key
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
            return submissions_of(connection, wanted)

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


def _accept_all(
    connection: Connection, calls: Sequence[tuple[Sequence[NewSubmission], float, float]]
) -> list[list[str | KeyConflict]]:
    lists = [acceptances(*call) for call in calls]
    return [
        [
            id if digest == one.digest else _conflict(one)
            for one, (id, digest) in zip(items, answers, strict=True)
        ]
        for items, answers in zip(lists, accept(connection, lists), strict=True)
    ]


def _conflict(asked: Acceptance) -> KeyConflict:
    return KeyConflict(f"the key {asked.new.key!r} was used for another mail; take a new key for a new mail")


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
_CANCELLABLE = (
    select(*DELIVERY_COLUMNS)
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
_ONE = select(*DELIVERY_COLUMNS).where(deliveries.c.id == bindparam("delivery"))


def _retry(connection: Connection, items: Sequence[_Retrying]) -> list[Delivery | None]:
    results: list[Delivery | None] = []
    for item in items:
        one = {"delivery": item.delivery_id}
        where = one | {"submission": item.submission_id, "now": item.now, "until": item.expires}
        changed = connection.execute(_RETRY, where).rowcount
        row = connection.execute(_ONE, one).mappings().one() if changed else None
        results.append(None if row is None else delivery_of(row))
    return results


def _cancel(connection: Connection, items: Sequence[_Cancelling]) -> list[list[Delivery]]:
    results = []
    for item in items:
        rows = connection.execute(_CANCELLABLE, {"submission": item.submission_id}).mappings().all()
        changed = [
            replace(delivery_of(row), status=Status.CANCELLED, detail="", updated=item.now) for row in rows
        ]
        if changed:
            connection.execute(_CANCEL, {"submission": item.submission_id, "now": item.now})
            owner = connection.execute(_OWNER, {"submission": item.submission_id}).scalar_one()
            told = [status_of(owner, item.submission_id, one, item.now) for one in changed]
            add_calls(connection, told, item.now)
        results.append(changed)
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
