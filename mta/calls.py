"""Calls: what webhooks are still to be told of deliveries, written in the transaction that decides it.

A webhook is worked on by one process at a time, by a lease. What it is told stays here until it has said that it
knows, so that neither a crash nor two processes lose a call.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mta.events import StatusChange, Told
from mta.outcomes import Status
from mta.settings import Backoff
from mta.tables import calls, subscribers
from store.database import Database
from store.driver import Driver

LIFETIME = 86_400.0
"""Seconds for which a call is tried."""
LEASE = 90.0
"""Seconds for which a process may hold a webhook; longer than it works on it at once."""
AT_ONCE = 50
"""Calls of one webhook that are taken together."""
BACKOFF = Backoff(first=5.0, most=3600.0)
"""The waits after tries that failed."""
CALLED_FOR = frozenset(
    (
        *(Status.SENT, Status.DELIVERED, Status.DEFERRED, Status.BOUNCED, Status.COMPLAINED),
        *(Status.FAILED, Status.UNCERTAIN, Status.CANCELLED),
    )
)
"""What webhooks are told; that a mail waits or is being sent is no news."""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing that one webhook is to be told.

    Attributes:
        id: the same at every try, and for every webhook that is told the same.
        change: what happened.
        tries: that were made before.
    """

    id: str
    change: StatusChange
    tries: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A webhook that this process holds, with what it is to be told now.

    Attributes:
        webhook: its id.
        lease: proves that it is held.
        failures: tries that failed since the last that did not.
        calls: those that are due.
        expired: calls that were given up since nobody had heard them for so long.
    """

    webhook: int
    lease: str
    failures: int
    calls: tuple[Call, ...]
    expired: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of the calls of a webhook that was held.

    Attributes:
        taken: as it was taken.
        heard: ids of the calls that it knows now.
        failed: ids of those that it did not take.
        patience: seconds that it asked to be left alone for, or 0.
    """

    taken: Taken
    heard: tuple[str, ...]
    failed: tuple[str, ...]
    patience: float = 0.0


class Calls:
    """The calls on one spool; any number of processes may use it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect = sqlite if database.is_sqlite else postgresql
        self._subscribe = dialect.insert(subscribers).on_conflict_do_nothing()

    def subscribe(self, webhook: int, owner: str, statuses: Iterable[Status] = CALLED_FOR) -> None:
        """Have a webhook told, from now on, when a delivery of this person's comes to one of these statuses;
        repeating changes nothing.
        """
        self._database.write(self._add, (webhook, owner, " ".join(sorted(statuses))))

    def unsubscribe(self, webhook: int) -> None:
        """Tell this webhook nothing any more, also what waits."""
        self._database.write(_unsubscribe, webhook)

    def take(self, now: float, most: int) -> list[Taken]:
        """Take the webhooks that are due, those first that have waited longest.

        Args:
            now: the time in seconds since the epoch.
            most: how many.
        """
        return self._database.write(_take, (now, most)) if self.is_due(now) else []

    def is_due(self, now: float) -> bool:
        """Whether some webhook is to be called by this time, in seconds since the epoch."""
        with self._database.read() as connection:
            return connection.execute(_DUE, {"now": now, "most": 1}).first() is not None

    def settle(self, tried: Tried, now: float, jitter: float) -> None:
        """Let a webhook go: what it knows is done with, and the rest is due again later.

        Args:
            tried: what came of its calls.
            now: the time in seconds since the epoch.
            jitter: between 0 and 1; see `Backoff`.
        """
        self._database.write(_settle, (tried, now, jitter))

    def waiting(self, webhook: int) -> int:
        """How many calls wait for a webhook, counted up to a thousand."""
        with self._database.read() as connection:
            return int(connection.execute(_WAITING, {"webhook": webhook}).scalar_one())

    def backlog(self) -> int:
        """How many calls wait for any webhook, counted up to ten thousand."""
        with self._database.read() as connection:
            return int(connection.execute(_BACKLOG).scalar_one())

    def _add(self, connection: Connection, items: Sequence[tuple[int, str, str]]) -> list[None]:
        rows = [
            {"webhook": id, "owner": owner, "statuses": statuses, "due": None, "lease": "", "failures": 0}
            for id, owner, statuses in items
        ]
        connection.execute(self._subscribe, rows)
        return [None] * len(items)


def add_calls(connection: Connection, told: Iterable[Told], now: float) -> None:
    """Write calls for whoever subscribed to what is told, in the transaction that decides it."""
    changes = [one for one in told if isinstance(one, StatusChange) and one.status in CALLED_FOR]
    if not changes:
        return
    owners = sorted({change.owner for change in changes})
    driver = Driver.below(connection)
    if driver.is_sqlite:
        found = driver.rows(_SUBSCRIBED, [json.dumps(owners)])
    else:
        found = driver.rows(_SUBSCRIBED_LOCKED, [owners])
    if not found:
        return
    rows = []
    for change in changes:
        webhooks = [
            webhook
            for webhook, owner, statuses in found
            if owner == change.owner and change.status.value in statuses.split()
        ]
        event = {"id": f"evt_{secrets.token_hex(16)}", "body": json.dumps(asdict(change))} if webhooks else {}
        rows += [
            event | {"webhook": webhook, "due": now, "expires": now + LIFETIME, "tries": 0}
            for webhook in webhooks
        ]
    if rows:
        connection.execute(calls.insert(), rows)
        connection.execute(_RING, {"webhooks": sorted({row["webhook"] for row in rows}), "now": now})


# Asked for at every turn of a container, and so written for the driver itself.
_SUBSCRIBED = """
    SELECT webhook, owner, statuses FROM spool_subscribers
    WHERE owner IN (SELECT value FROM json_each(?)) ORDER BY webhook"""
# Locked, so that a webhook is not let go meanwhile as one that has nothing to be told.
_SUBSCRIBED_LOCKED = """
    SELECT webhook, owner, statuses FROM spool_subscribers WHERE owner = ANY(?) ORDER BY webhook FOR UPDATE"""
_RING = (
    update(subscribers)
    .where(
        subscribers.c.webhook.in_(bindparam("webhooks", expanding=True)),
        subscribers.c.lease == "",
        subscribers.c.due.is_(None),
    )
    .values(due=bindparam("now"))
)
_DUE = (
    select(subscribers.c.webhook, subscribers.c.failures)
    .where(subscribers.c.due <= bindparam("now"))
    .order_by(subscribers.c.due)
    .limit(bindparam("most"))
)
_HOLD = (
    update(subscribers)
    .where(subscribers.c.webhook == bindparam("id"))
    .values(lease=bindparam("holder"), due=bindparam("until"))
)
_EXPIRED = (
    delete(calls)
    .where(calls.c.webhook == bindparam("id"), calls.c.expires <= bindparam("now"), calls.c.tries > 0)
    .execution_options(preserve_rowcount=True)
)
_NEXT = (
    select(calls.c.id, calls.c.body, calls.c.tries)
    .where(calls.c.webhook == bindparam("webhook"), calls.c.due <= bindparam("now"))
    .order_by(calls.c.due)
    .limit(AT_ONCE)
)
_HELD = (
    select(subscribers.c.webhook)
    .where(subscribers.c.webhook == bindparam("webhook"), subscribers.c.lease == bindparam("lease"))
    .with_for_update()
)
_HEARD = delete(calls).where(
    calls.c.webhook == bindparam("webhook"), calls.c.id.in_(bindparam("ids", expanding=True))
)
_AGAIN = (
    update(calls)
    .where(calls.c.webhook == bindparam("one"), calls.c.id == bindparam("call"))
    .values(tries=bindparam("made"), due=bindparam("next"))
)
_FIRST = select(func.min(calls.c.due)).where(calls.c.webhook == bindparam("webhook"))
_LET_GO = (
    update(subscribers)
    .where(subscribers.c.webhook == bindparam("id"))
    .values(lease="", due=bindparam("next"), failures=bindparam("so_many"))
)
_LOCK = (
    select(subscribers.c.webhook)
    .where(subscribers.c.webhook.in_(bindparam("webhooks", expanding=True)))
    .order_by(subscribers.c.webhook)
    .with_for_update()
)
_UNSUBSCRIBE = delete(subscribers).where(subscribers.c.webhook.in_(bindparam("webhooks", expanding=True)))
_FORGET = delete(calls).where(calls.c.webhook.in_(bindparam("webhooks", expanding=True)))
_SOME = select(calls.c.id).where(calls.c.webhook == bindparam("webhook")).limit(1000).subquery()
_WAITING = select(func.count()).select_from(_SOME)
_BACKLOG = select(func.count()).select_from(select(calls.c.id).limit(10_000).subquery())


def _unsubscribe(connection: Connection, webhooks: Sequence[int]) -> list[None]:
    # The subscribers first, and in their order, as `add_calls` locks them.
    connection.execute(_LOCK, {"webhooks": webhooks})
    connection.execute(_FORGET, {"webhooks": webhooks})
    connection.execute(_UNSUBSCRIBE, {"webhooks": webhooks})
    return [None] * len(webhooks)


def _take(connection: Connection, items: Sequence[tuple[float, int]]) -> list[list[Taken]]:
    return [_take_some(connection, now, most) for now, most in items]


def _take_some(connection: Connection, now: float, most: int) -> list[Taken]:
    due = connection.execute(_DUE.with_for_update(skip_locked=True), {"now": now, "most": most}).all()
    taken = []
    for row in due:
        lease = secrets.token_hex(8)
        connection.execute(_HOLD, {"id": row.webhook, "holder": lease, "until": now + LEASE})
        expired = connection.execute(_EXPIRED, {"id": row.webhook, "now": now}).rowcount
        found = connection.execute(_NEXT, {"webhook": row.webhook, "now": now}).all()
        several = tuple(Call(one.id, _change(one.body), one.tries) for one in found)
        taken.append(Taken(row.webhook, lease, row.failures, several, expired))
    return taken


def _settle(connection: Connection, items: Sequence[tuple[Tried, float, float]]) -> list[None]:
    # In one order everywhere, so that two processes never wait for each other.
    for tried, now, jitter in sorted(items, key=lambda item: item[0].taken.webhook):
        _settle_one(connection, tried, now, jitter)
    return [None] * len(items)


def _settle_one(connection: Connection, tried: Tried, now: float, jitter: float) -> None:
    taken, webhook = tried.taken, tried.taken.webhook
    held = connection.execute(_HELD, {"webhook": webhook, "lease": taken.lease}).first() is not None
    if tried.heard:
        connection.execute(_HEARD, {"webhook": webhook, "ids": tried.heard})
    if not held:
        return  # the lease ran out, and another process goes on with it
    made = {call.id: call.tries for call in taken.calls}
    if tried.failed:
        connection.execute(
            _AGAIN,
            [
                {
                    "one": webhook,
                    "call": id,
                    "made": made[id] + 1,
                    "next": now + BACKOFF.seconds(made[id], jitter),
                }
                for id in tried.failed
            ],
        )
    failures = 0 if tried.heard else taken.failures + bool(tried.failed)
    pause = max(tried.patience, BACKOFF.seconds(failures - 1, jitter) if failures else 0.0)
    first = connection.execute(_FIRST, {"webhook": webhook}).scalar()
    due = None if first is None else max(first, now + pause)
    connection.execute(_LET_GO, {"id": webhook, "next": due, "so_many": failures})


def _change(body: str) -> StatusChange:
    """What another release wrote may have more in it."""
    values = json.loads(body)
    given = {field.name: values[field.name] for field in fields(StatusChange)}
    return StatusChange(**given | {"status": Status(given["status"])})
