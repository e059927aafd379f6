"""Reports: what providers say became of deliveries, written down first and settled after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mta.calls import add_calls
from mta.events import Event, EventKind, StatusChange, Told
from mta.hooks.call import DeliveryReport, HookRefused, Refusal
from mta.news import write_news
from mta.outcomes import Status
from mta.returns import Return, add_returns
from mta.tables import deliveries, reports, submissions, tokens
from mta.tallies import add_tally
from store.database import Database

AT_ONCE = 200
"""Reports settled in one transaction."""
KEPT = 30 * 86400.0
"""Seconds for which a report is remembered, longer than any provider repeats it."""
TOKENS_KEPT = 2 * 86400.0
"""Seconds for which a token is remembered, longer than its signature is taken."""

_UNDECIDED = frozenset((Status.QUEUED, Status.SENDING, Status.DEFERRED, Status.UNCERTAIN))
_TAKEN_OVER = {
    Status.SENT: _UNDECIDED,
    Status.DEFERRED: _UNDECIDED | {Status.SENT},
    Status.DELIVERED: _UNDECIDED | {Status.SENT, Status.FAILED, Status.CANCELLED},
    Status.BOUNCED: _UNDECIDED | {Status.SENT, Status.DELIVERED},
    Status.COMPLAINED: _UNDECIDED | {Status.SENT, Status.DELIVERED, Status.FAILED, Status.CANCELLED},
    Status.FAILED: frozenset((Status.SENT, Status.UNCERTAIN)),
}
"""Which status gives way to which report, in whatever order they come. A server may take a mail and send it back
later, so bounced comes after delivered, and stays."""
_TOLD = {
    Status.BOUNCED: "{mail} came back. {detail}",
    Status.FAILED: "{mail} could not be delivered. {detail}",
    Status.COMPLAINED: "{mail} was reported as spam there. Do not write to that address again.",
}


@dataclass(frozen=True, slots=True)
class _Adding:
    reports: tuple[DeliveryReport, ...]
    token: str
    used_for: str
    now: float


class Reports:
    """The reports on one spool; any number of processes may use it."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        dialect = sqlite if database.is_sqlite else postgresql
        self._insert_report = (
            dialect.insert(reports)
            .on_conflict_do_nothing(index_elements=[reports.c.id])
            .execution_options(preserve_rowcount=True)
        )
        self._insert_token = (
            dialect.insert(tokens)
            .on_conflict_do_nothing(index_elements=[tokens.c.token])
            .execution_options(preserve_rowcount=True)
        )

    def add(self, news: Iterable[DeliveryReport], now: float, token: str = "", used_for: str = "") -> int:
        """Write reports down, durable on return; those that came before are passed over.

        Args:
            news: what was reported.
            now: the time in seconds since the epoch.
            token: what their sender may use once only, or "".
            used_for: what it may be used for again, since repeating that changes nothing; "" for nothing.

        Returns:
            How many are new.

        Raises:
            HookRefused: the token was used before.
        """
        added = self._database.write(self._add, _Adding(tuple(news), token, used_for, now))
        if added is None:
            raise HookRefused(Refusal.REPLAYED)
        return added

    def settle(self, now: float) -> list[Told] | None:
        """Make of the reports that have waited longest what they mean.

        Returns:
            What is to be told here of what some of them changed; None when none waits. The other processes
            read it in the news.
        """
        with self._database.read() as connection:
            if connection.execute(_WAITING.limit(1)).first() is None:
                return None
        return self._database.write(_settle, (self._holder, now))

    def prune(self, now: float) -> None:
        """Forget what is too old to come again."""
        self._database.write(_prune, now)

    def _add(self, connection: Connection, items: Sequence[_Adding]) -> list[int | None]:
        return [self._add_one(connection, item) for item in items]

    def _add_one(self, connection: Connection, item: _Adding) -> int | None:
        if item.token:
            token = {"token": item.token, "used_for": item.used_for, "received": item.now}
            is_new = connection.execute(self._insert_token, token).rowcount == 1
            if not is_new and not (
                item.used_for and connection.execute(_USED_FOR, token).scalar() == item.used_for
            ):
                return None
        rows = {report.report_id: _row(report, item.now) for report in item.reports}
        if not rows:
            return 0
        return connection.execute(self._insert_report, list(rows.values())).rowcount


def _row(report: DeliveryReport, now: float) -> dict[str, Any]:
    return {
        "id": report.report_id,
        "provider": report.provider,
        "delivery_id": report.delivery_id,
        "recipient": report.recipient,
        "status": report.status,
        "reason": report.reason,
        "permanent": report.permanent,
        "at": report.at,
        "received": now,
        "waiting": now,
    }


_USED_FOR = select(tokens.c.used_for).where(tokens.c.token == bindparam("token"))
_WAITING = (
    select(reports)
    .where(reports.c.waiting.is_not(None))
    .order_by(reports.c.waiting, reports.c.at)
    .limit(AT_ONCE)
)
_CONCERNED = (
    select(
        *(deliveries.c[name] for name in ("id", "submission_id", "recipient", "status", "provider")),
        submissions.c.owner,
        submissions.c.subject,
    )
    .join(submissions, submissions.c.id == deliveries.c.submission_id)
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(deliveries.c.id)
    .with_for_update(of=deliveries)
)
_REPORTED = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("delivery"))
    .values(
        status=bindparam("new_status"),
        detail=bindparam("why"),
        deferral=bindparam("waits_for"),
        updated=bindparam("when"),
        due=None,
        lease="",
    )
)


def _settle(connection: Connection, items: Sequence[tuple[str, float]]) -> list[list[Told]]:
    """Settle once for all callers of this batch; the first of them tells what changed."""
    holder, now = items[0]
    waiting = connection.execute(_WAITING.with_for_update(skip_locked=True)).mappings().all()
    ids = sorted({row["delivery_id"] for row in waiting})
    concerned = {row["id"]: dict(row) for row in connection.execute(_CONCERNED, {"ids": ids}).mappings()}
    changes, came_back = [], []
    told: list[Told] = []
    for report in waiting:
        delivery = concerned.get(report["delivery_id"])
        status = Status(report["status"])
        if delivery is None or Status(delivery["status"]) not in _TAKEN_OVER[status]:
            continue
        was = Status(delivery["status"])
        change = _change(report, delivery, status)
        changes.append(change)
        delivery["status"] = change["new_status"]
        if status in _TOLD:
            came_back.append(
                Return(delivery["id"], delivery["submission_id"], status, now, report["permanent"])
            )
        told += _told(delivery, status, was, change, now)
    if changes:
        connection.execute(_REPORTED, changes)
    add_returns(connection, came_back)
    add_calls(connection, told, now)
    add_tally(connection, holder, now, told)
    write_news(connection, holder, now, told)
    done = [row["id"] for row in waiting]
    connection.execute(update(reports).where(reports.c.id.in_(done)).values(waiting=None))
    return [told, *([] for _ in items[1:])]


def _change(report: RowMapping, delivery: dict[str, Any], status: Status) -> dict[str, Any]:
    about = report["recipient"]
    elsewhere = about and about.casefold() != delivery["recipient"].casefold()
    detail = f"{about}: {report['reason']}" if elsewhere and report["reason"] else report["reason"]
    deferred = status is Status.DEFERRED
    return {
        "delivery": delivery["id"],
        "new_status": Status.SENT if deferred else status,
        "why": "" if deferred else detail,
        "waits_for": (detail or "It still waits.") if deferred else "",
        "when": min(report["at"], report["received"]),
    }


def _told(
    delivery: dict[str, Any], status: Status, was: Status, change: dict[str, Any], now: float
) -> list[Told]:
    about = {
        "owner": delivery["owner"],
        "submission_id": delivery["submission_id"],
        "delivery_id": delivery["id"],
        "recipient": delivery["recipient"],
        "provider": delivery["provider"],
        "status": status,
    }
    detail = change["waits_for"] or change["why"]
    named = f"Your mail “{delivery['subject']}”" if delivery["subject"] else "Your mail"
    mail = f"{named} to {delivery['recipient']}"
    text = _TOLD.get(status, "").format(mail=mail, detail=detail).strip()
    if was is Status.UNCERTAIN and status in (Status.SENT, Status.DELIVERED):
        text = f"It is certain now: {mail[0].lower()}{mail[1:]} was {status}."
    told: list[Told] = [StatusChange(at=now, detail=detail, **about)]
    if text:
        told.append(Event(EventKind.INFORM_USER, now, text, **about))
    return told


def _prune(connection: Connection, times: Sequence[float]) -> list[None]:
    now = max(times)
    connection.execute(delete(reports).where(reports.c.received < now - KEPT, reports.c.waiting.is_(None)))
    connection.execute(delete(tokens).where(tokens.c.received < now - TOKENS_KEPT))
    return [None] * len(times)
