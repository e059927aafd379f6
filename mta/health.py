"""Health: each container tells the spool how its providers are, so that a page can show all of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select

from mta.outcomes import Outcome
from mta.service import ProviderFigures, ProviderHealth, ServiceState
from mta.tables import health
from store.database import Database
from store.version import version


@dataclass(frozen=True, slots=True)
class _Report:
    holder: str
    now: float
    stale: float
    scheduler: str
    providers: tuple[ProviderHealth, ...]


@dataclass(frozen=True, slots=True)
class ContainerReport:
    """What one container said of itself.

    Attributes:
        holder: its name among leases.
        version: of its code, or "".
        at: when it said so, in seconds since the epoch.
        scheduler: what picks its providers, or "".
        providers: how they are.
    """

    holder: str
    version: str
    at: float
    scheduler: str
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

    def report(self, providers: Iterable[ProviderHealth], now: float, scheduler: str = "") -> None:
        """Replace what this container reported before, with what picks them; nothing reported means that it stopped."""
        report = _Report(self._holder, now, now - self._stale_after, scheduler, tuple(providers))
        self._database.write(_report, report)

    def all(self, now: float) -> dict[str, list[ProviderHealth]]:
        """How the providers are, by container, of all containers that reported lately."""
        return {one.holder: list(one.providers) for one in self.reports(now)}

    def reports(self, now: float) -> list[ContainerReport]:
        """What each container said of itself that reported lately."""
        with self._database.read() as connection:
            rows = connection.execute(_FRESH, {"stale": now - self._stale_after}).all()
        found = []
        for holder, those in groupby(rows, lambda row: str(row.container)):
            own = list(those)
            known = json.loads(own[0].figures)
            said = {name: str(known.get(name, "")) for name in ("version", "scheduler")}
            providers = tuple(_health(row) for row in own)
            found.append(
                ContainerReport(holder, said["version"], own[0].updated, said["scheduler"], providers)
            )
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
                "figures": json.dumps(
                    {**asdict(one.figures), "version": version(), "scheduler": report.scheduler}
                ),
                "updated": report.now,
            }
            for one in report.providers
        ]
        if rows:
            connection.execute(health.insert(), rows)
    return [None] * len(reports)


def _health(row: Row[Any, Any]) -> ProviderHealth:
    counts = {Outcome(name): count for name, count in json.loads(row.counts).items()}
    known = json.loads(row.figures)  # another release may say more, or less
    figures = ProviderFigures(
        **{one.name: known[one.name] for one in fields(ProviderFigures) if one.name in known}
    )
    return ProviderHealth(row.provider, ServiceState(row.state), row.until, row.error, counts, figures)
