"""Health: each container tells the spool how its providers are, so that a page can show all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select

from mta.outcomes import Outcome
from mta.service import ProviderHealth, ServiceState
from mta.tables import health
from store.database import Database


@dataclass(frozen=True, slots=True)
class _Report:
    holder: str
    now: float
    stale: float
    providers: tuple[ProviderHealth, ...]


class HealthBoard:
    """How the providers of every container are."""

    def __init__(self, database: Database, holder: str, stale_after: float) -> None:
        """
        Args:
            database: where the spool lives.
            holder: the container that reports.
            stale_after: seconds after which the report of a silent container counts no more.
        """
        self._database = database
        self._holder = holder
        self._stale_after = stale_after

    def report(self, providers: Iterable[ProviderHealth], now: float) -> None:
        """Replace what this container reported before; nothing reported means that it stopped."""
        report = _Report(self._holder, now, now - self._stale_after, tuple(providers))
        self._database.write(_report, report)

    def all(self, now: float) -> dict[str, list[ProviderHealth]]:
        """How the providers are, by container, of all containers that reported lately."""
        with self._database.read() as connection:
            rows = connection.execute(_FRESH, {"stale": now - self._stale_after}).all()
        found: dict[str, list[ProviderHealth]] = {}
        for row in rows:
            counts = {Outcome(name): count for name, count in json.loads(row.counts).items()}
            one = ProviderHealth(row.provider, ServiceState(row.state), row.until, row.error, counts)
            found.setdefault(row.container, []).append(one)
        return found


_FRESH = (
    select(health)
    .where(health.c.updated > bindparam("stale"))
    .order_by(health.c.container, health.c.provider)
)
_OLD = delete(health).where(
    (health.c.container == bindparam("holder")) | (health.c.updated <= bindparam("stale"))
)


def _report(connection: Connection, reports: Sequence[_Report]) -> list[None]:
    for report in reports:
        connection.execute(_OLD, {"holder": report.holder, "stale": report.stale})
        rows = [
            {
                "container": report.holder,
                "provider": one.name,
                "state": one.state,
                "until": one.until,
                "error": one.error.replace("\0", "")[:1000],
                "counts": json.dumps(one.counts),
                "updated": report.now,
            }
            for one in report.providers
        ]
        if rows:
            connection.execute(health.insert(), rows)
    return [None] * len(reports)
