"""Faults of the machine: a database that goes away, a disk that is full, a clock that jumps."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mta.container import Container
from mta.outcomes import Answer, Outcome, Status
from mta.providers.base import Outgoing
from mta.service import ServiceState
from mta.settings import Backoff, ContainerSettings, WhenDown
from mta.strategy import ThresholdFailureStrategy
from mta.submission import Submission
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate
from store.errors import StoreUnavailable
from tests.mta.scripted import Line, Scripted, Station, mail, wait_until
from tests.store import postgres

AWAY = 2.0
"""Seconds that the database is gone."""
QUICK = ContainerSettings(poll=0.05)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What our log says to an operator, warnings and worse, without the reasons."""
    ours = ("mta", "store", "bitmail")
    return lambda: [
        str(record.msg)
        for record in list(caplog.records)
        if record.levelno >= logging.WARNING and record.name.startswith(ours)
    ]


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


def assert_said_once(lines: list[str]) -> None:
    """An operator reads when it began and when it was over, and no flood in between."""
    assert len(set(lines)) == len(lines) <= 3, lines
    assert sum("the spool cannot be written" in line for line in lines) == 1
    assert sum("the spool can be written again" in line for line in lines) == 1


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
    after = container.submit(mail(*numbered(40, 80), key="after"))
    for submission in (before, after):
        wait_until(lambda submission=submission: is_sent(container, submission), told)  # type: ignore[misc]
    assert Counter(smtp.recipients) == Counter(numbered(0, 80)), "lost, or sent twice"
    assert called <= 40
    assert_said_once(told())
    assert container.stop(10)
    database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own with room for two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Use up all the room there is."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return filler


def submit_until_refused(container: Container, accepted: list[Submission]) -> None:
    for number in range(40, 2000):
        one = mail(f"r{number}@example.com", key=f"{number}", raw=b"Subject: Hi\r\n\r\n" + bytes(2000))
        accepted.append(container.submit(one))


def test_disk_when_it_is_full_then_nothing_is_lost_and_it_goes_on_once_there_is_room(
    small_disk: Path, told: Callable[[], list[str]]
) -> None:
    database = opened(f"sqlite:///{small_disk / 'spool.db'}")
    smtp = Scripted("smtp", concurrency=4)
    container = Container(database, [smtp], settings=QUICK)
    container.start()
    smtp.hold()
    accepted = [container.submit(mail(*numbered(0, 40), key="before"))]
    smtp.wait_for_calls(4)
    filler = fill(small_disk)
    with pytest.raises(StoreUnavailable, match="its disk has room"):
        submit_until_refused(container, accepted)
    smtp.release()
    threading.Event().wait(AWAY)
    filler.unlink()
    for submission in accepted:
        wait_until(lambda submission=submission: is_sent(container, submission), told)  # type: ignore[misc]
    assert Counter(smtp.recipients) == Counter(numbered(0, 39 + len(accepted))), "lost, or sent twice"
    assert_said_once(told())
    assert container.stop(10)
    database.close()


HOUR = 3600.0
both_ways = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forwards", "backwards"])


class JumpingClock:
    """The time, until it jumps."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class World:
    """What several containers' providers do: to each recipient something at first, and then they accept."""

    def __init__(self, **first: Line) -> None:
        self._first = first
        self._lock = threading.Lock()
        self.accepted: list[str] = []

    def __call__(self, message: Outgoing) -> Answer:
        with self._lock:
            line = self._first.pop(message.recipient.partition("@")[0], Outcome.ACCEPTED)
            answer = line if isinstance(line, Answer) else Answer(Outcome(line), f"It says {line}.")
            if answer.outcome is Outcome.ACCEPTED:
                self.accepted.append(message.recipient)
            return answer


@both_ways
def test_clock_when_it_jumps_then_no_delivery_waits_for_that_and_none_is_sent_twice(
    station: Callable[..., Station], jump: float
) -> None:
    clock = JumpingClock()
    world = World(unclear=Outcome.UNCERTAIN, later=Outcome.UNAVAILABLE)
    settings = ContainerSettings(poll=0.05, uncertain_grace=1.0, backoff=Backoff(first=1.0))
    ours, theirs = (station(Scripted("smtp", world), settings=settings, time=clock) for _ in range(2))
    mails = {
        Status.UNCERTAIN: ours.submit("unclear@example.com"),
        Status.DEFERRED: theirs.submit("later@example.com"),
        Status.QUEUED: ours.submit("undo@example.com", not_before=clock() + 1.0),
    }
    asked_for = clock() + 2 * HOUR
    appointed = ours.submit("appointed@example.com", not_before=asked_for)
    for status, submission in mails.items():
        ours.wait_for(submission, status)
    clock.ahead = jump
    for submission in mails.values():
        ours.wait_for(submission, Status.SENT)
    ours.wait_for(ours.submit("new@example.com"), Status.SENT)
    assert sorted(world.accepted) == [f"{name}@example.com" for name in ("later", "new", "unclear", "undo")]
    assert ours.delivery(appointed).status is Status.QUEUED
    clock.ahead = asked_for - time.time()
    ours.wait_for(appointed, Status.SENT)


@both_ways
@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.UNAVAILABLE], ids=["paused", "on trial"])
def test_clock_when_it_jumps_then_no_provider_pauses_for_that(
    station: Callable[..., Station], jump: float, outcome: Outcome
) -> None:
    clock = JumpingClock()
    world = World(first=Answer(outcome, "Not now.", retry_at=clock() + 1.0))
    sending = station(
        Scripted("smtp", world, rate=1000),
        settings=ContainerSettings(poll=0.05, pause=1.0, backoff=Backoff(first=0.5), when_down=WhenDown.WAIT),
        strategy=lambda: ThresholdFailureStrategy(1),
        time=clock,
    )
    submission = sending.submit("first@example.com")
    wait_until(lambda: sending.container.health()[0].state is not ServiceState.IN_SERVICE)
    clock.ahead = jump
    sending.wait_for(submission, Status.SENT)
    wait_until(lambda: sending.container.health()[0].state is ServiceState.IN_SERVICE)
    assert world.accepted == ["first@example.com"]


@both_ways
def test_clock_when_it_jumps_during_attempts_then_they_are_not_taken_for_dead_and_not_made_again(
    station: Callable[..., Station], jump: float
) -> None:
    clock = JumpingClock()
    busy = Scripted("smtp", concurrency=2)
    busy.hold()
    ours = station(busy, time=clock)
    submission = ours.submit(*numbered(0, 20))
    busy.wait_for_calls(2)
    free = Scripted("smtp", concurrency=2)
    theirs = station(free, time=clock)
    clock.ahead = jump
    theirs.wait_for(theirs.submit("canary@example.com"), Status.SENT)
    busy.release()
    ours.wait_for(submission, Status.SENT)
    assert Counter(busy.recipients + free.recipients) == Counter([*numbered(0, 20), "canary@example.com"])


def test_clock_when_it_was_set_back_before_the_start_then_waits_keep_their_length(
    station: Callable[..., Station], database: Database
) -> None:
    clock = JumpingClock()
    clock.ahead = HOUR
    accepting = station(Scripted("unused"), begin=False, time=clock)
    submission = accepting.submit("early@example.com")
    clock.ahead = 0.0
    sending = station(Scripted("smtp"), time=clock)
    sending.wait_for(submission, Status.SENT)
    assert sending.delivery(submission).updated <= clock()
