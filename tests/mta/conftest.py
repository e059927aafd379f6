"""A spool of its own for each test, and containers whose providers do as they are told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from mta.container import Container
from mta.providers.base import Provider
from mta.scheduler import Scheduler
from mta.settings import ContainerSettings
from mta.strategy import FailureStrategy, ThresholdFailureStrategy
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate
from tests.migrated import SPOOL, migrated
from tests.mta.scripted import Clock, Station
from tests.store.postgres import private_postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of these tests' own."""
    with private_postgres("fsync=off", "max_connections=200") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A migrated database of each kind in turn, with an empty spool."""
    on_postgres = request.param == "postgresql"
    file = tmp_path / "spool.db"
    url = request.getfixturevalue("postgres_url") if on_postgres else f"sqlite:///{migrated(file, SPOOL)}"
    database = Database(url)
    migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
    if on_postgres:
        with database.transaction() as connection:
            connection.execute(
                text(
                    "TRUNCATE spool_submissions, spool_health, spool_news, spool_incoming, spool_reports, "
                    "spool_tokens, spool_subscribers, spool_steering, spool_tallies CASCADE"
                )
            )
    yield database
    database.close()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands until it is moved."""
    return Clock()


@pytest.fixture
def station(database: Database, clock: Clock) -> Iterator[Callable[..., Station]]:
    """Makes and starts containers on the test's spool, and stops them at the end."""
    stations: list[Station] = []

    def start(
        *providers: Provider,
        scheduler: Scheduler | None = None,
        strategy: Callable[[], FailureStrategy] = lambda: ThresholdFailureStrategy(5),
        settings: ContainerSettings | None = None,
        begin: bool = True,
        time: Callable[[], float] = clock,
    ) -> Station:
        lost = Station.Lost()
        container = Container(
            database,
            providers,
            scheduler=scheduler,
            strategy=strategy,
            settings=settings or ContainerSettings(poll=0.02),
            clock=time,
            chance=random.Random(1),
            when_nobody_left=lost.happened,
        )
        station = Station(container, lost)
        stations.append(station)
        if begin:
            container.start()
        return station

    yield start
    for station in stations:
        for provider in station.providers():
            provider.release()
        assert station.container.stop(10) or station.left_behind, (
            "a container did not finish what was in flight"
        )
