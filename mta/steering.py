"""Steering: what an operator set of the schedule while it runs. Every container on the spool goes by it, also when
it is started anew, until the operator lets the configuration decide again.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, select

from mta.errors import CannotSteer
from mta.events import Event, EventKind, SteeringChange, Told
from mta.news import write_news
from mta.providers.options import MOST_WEIGHT
from mta.scheduler import BUILT_IN
from mta.tables import steering
from store.database import Database

CONFIGURED = "configured"
"""Typed to let the configuration decide again."""
_SCHEDULER = "scheduler"
_WEIGHT = "weight "
_WHOLE = re.compile(r"[0-9]{1,4}")
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Ruling:
    """What an operator set; `at` in seconds since the epoch."""

    value: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All that operators set.

    Attributes:
        scheduler: the name of a built-in scheduler; None where the configuration decides.
        weights: of providers, by their names; the configuration decides for the others.
    """

    scheduler: Ruling | None = None
    weights: Mapping[str, Ruling] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Setting:
    name: str
    ruling: Ruling
    told: tuple[Told, ...]


class Steering:
    """The plan on one spool; any number of processes may read and change it."""

    def __init__(self, database: Database, holder: str) -> None:
        """
        Args:
            database: where the spool lives.
            holder: who tells the others.
        """
        self._database = database
        self._holder = holder

    def plan(self) -> Plan:
        """What is set now.

        Raises:
            StoreUnavailable: the spool does not answer.
        """
        with self._database.read() as connection:
            rows = {row.name: Ruling(row.value, row.author, row.at) for row in connection.execute(_ALL)}
        scheduler = rows.pop(_SCHEDULER, None)
        return Plan(scheduler, {name.removeprefix(_WEIGHT): ruling for name, ruling in rows.items()})

    def choose(self, scheduler: str, by: str, now: float) -> tuple[Told, ...]:
        """Have every container pick providers by this scheduler; durable on return.

        Args:
            scheduler: the name of a built-in one, or `CONFIGURED`.
            by: who wants it.
            now: the time in seconds since the epoch.

        Returns:
            What is to be told here; the other processes read it in the news.

        Raises:
            CannotSteer: there is no such scheduler.
        """
        if scheduler not in (*BUILT_IN, CONFIGURED):
            raise CannotSteer(
                f"There is no scheduler “{scheduler[:LONGEST_NAME]}”: take {', '.join(BUILT_IN)}, or {CONFIGURED}."
            )
        return self._set(_SCHEDULER, scheduler, by, now, f"{by} set the scheduler to {scheduler}.")

    def weigh(
        self, provider: str, weight: str, known: Collection[str], by: str, now: float
    ) -> tuple[Told, ...]:
        """Give a provider a weight in every container; durable on return.

        Args:
            provider: its name.
            weight: a whole number from 1 on as it was typed, or `CONFIGURED`.
            known: the names that there are.
            by: who wants it.
            now: the time in seconds since the epoch.

        Returns:
            What is to be told here; the other processes read it in the news.

        Raises:
            CannotSteer: there is no such provider, or it is no weight.
        """
        if provider not in known:
            there = ", ".join(sorted(known)) or "none, since no container is running"
            raise CannotSteer(f"There is no provider “{provider[:LONGEST_NAME]}”: there is {there}.")
        if weight != CONFIGURED:
            if not _WHOLE.fullmatch(weight) or not 1 <= int(weight) <= MOST_WEIGHT:
                raise CannotSteer(
                    f"“{weight[:LONGEST_NAME]}” is no weight: take a whole number from 1 to {MOST_WEIGHT}, or "
                    f"{CONFIGURED}. To send nothing by {provider}, take it out."
                )
            weight = str(int(weight))
        return self._set(
            _WEIGHT + provider, weight, by, now, f"{by} set the weight of {provider} to {weight}."
        )

    def _set(self, name: str, value: str, by: str, now: float, text: str) -> tuple[Told, ...]:
        told = (SteeringChange(now), Event(EventKind.WARNING, now, text))
        self._database.write(self._write, _Setting(name, Ruling(value, by, now), told))
        return told

    def _write(self, connection: Connection, items: Sequence[_Setting]) -> list[None]:
        for item in items:
            ruling = item.ruling
            connection.execute(_FORGET, {"forgotten": item.name})
            if ruling.value != CONFIGURED:
                row = {"name": item.name, "value": ruling.value, "author": ruling.by, "at": ruling.at}
                connection.execute(steering.insert(), row)
            write_news(connection, self._holder, ruling.at, item.told)
        return [None] * len(items)


_ALL = select(steering)
_FORGET = delete(steering).where(steering.c.name == bindparam("forgotten"))
