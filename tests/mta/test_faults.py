"""Faults of the machine: a database that goes away, a disk that is full, a clock that jumps."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mta.container import Container
from mta.settings import ContainerSettings
from mta.outcomes import Outcome, Status
from mta.submission import Submission
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate
from store.errors import StoreUnavailable
from tests.mta.scripted import Scripted, mail, wait_until
from tests.store import postgres

AWAY = 2.0
"""Seconds that the database is gone."""
QUICK = ContainerSettings(poll=0.05)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What the log says to an operator: warnings and worse."""
    return lambda: [record.getMessage() for record in list(caplog.records) if record.levelno >= logging.WARNING]


@pytest.fixture
def own_postgres() -> Iterator[str]:
    """A PostgreSQL server that this test may stop."""
    with postgres.private_postgres("fsync=off") as url:
        yield url


def opened(url: str) -> Database:
    database = Database(url)
    migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
    return database


def numbered(start: int, end: int) -> list[str]:
    return [f"r{number}@example.com" for number in range(start, end)]


def is_sent(container: Container, submission: Submission) -> bool:
    now = container.submission(submission.id)
    return now is not None and {one.status for one in now.deliveries} == {Status.SENT}


@pytest.mark.parametrize("busy", [True, False], ids=["under load", "idle"])
def test_database_when_it_is_stopped_and_started_then_nothing_is_lost_and_it_goes_on_by_itself(
    own_postgres: str, told: Callable[[], list[str]], busy: bool
) -> None:
    folder = postgres.folder_of(own_postgres)
    database = opened(own_postgres)
    smtp = Scripted("smtp", concurrency=4)
    container = Container(database, [smtp], settings=QUICK)
    container.start()
    before = container.submit(mail(*numbered(0, 40), key="before"))
    if busy:
        smtp.wait_for_calls(4)
        smtp.hold()
    else:
        wait_until(lambda: is_sent(container, before))
    postgres.stop(folder)
    smtp.release()
    threading.Event().wait(AWAY)
    called = len(smtp.called)
    with pytest.raises(StoreUnavailable, match="see that it runs"):
        container.submit(mail(key="meanwhile"))
    postgres.start(folder)
    back = time.monotonic()
    after = container.submit(mail(*numbered(40, 80), key="after"))
    for submission in (before, after):
        wait_until(lambda submission=submission: is_sent(container, submission), told)  # type: ignore[misc]
    assert time.monotonic() - back < 10
    assert Counter(smtp.recipients) == Counter(numbered(0, 80)), "lost, or sent twice"
    assert called <= 40
    assert len(told()) <= 2 + smtp.options.concurrency, told()
    assert sum("cannot be written" in line for line in told()) == 1
    assert sum("can be written again" in line for line in told()) == 1
    assert container.stop(10)
    database.close()
