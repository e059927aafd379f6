"""`python -m bench.dispatch`: mails sent a second through one slow provider, beside a bare pool of threads."""

from __future__ import annotations

import argparse
import gc
import itertools
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import text

from bench.figures import Figure, report
from bench.relay import relay
from mta.container import Container
from mta.events import StatusChange
from mta.holder import new_holder
from mta.leases import Leases
from mta.outcomes import Outcome, Status
from mta.providers.base import Outgoing, ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from mta.settings import ContainerSettings
from mta.spool import Spool
from mta.submission import NewSubmission, Priority
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate
from tests.store.postgres import private_postgres

IN_FLIGHT = 64
LATENCY = 0.05
RAW = b"Subject: A mail of the bench\r\n\r\n".ljust(2046, b"x") + b"\r\n"
LIFETIME = 86400.0
FEW, MANY = 100, 100_000
CLAIM = 64
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast mails went, and what a mail cost this process in seconds of CPU."""

    mails: float
    cpu: float


def provider(port: int) -> SMTP:
    """The client that both use."""
    options = ProviderOptions(concurrency=IN_FLIGHT)
    return SMTP("smtp", Relay("127.0.0.1", port, tls=Tls.NONE), options)


def bare(port: int, mails: int) -> Pace:
    """A pool of threads that knows nothing but the client."""
    client = provider(port)

    def send(number: int) -> None:
        message = Outgoing(str(number), "ann@example.com", "bob@example.net", RAW)
        assert client.send(message).outcome is Outcome.ACCEPTED

    with timed(mails) as paces, ThreadPoolExecutor(IN_FLIGHT) as pool:
        for _ in pool.map(send, range(mails)):
            pass
    client.close()
    return paces[0]


def dispatched(database: Database, port: int, mails: int) -> Pace:
    """A container that sends what is in the spool."""
    fill(database, mails)
    sent = threading.Semaphore(0)

    def changed(change: StatusChange) -> None:
        if change.status is Status.SENT:
            sent.release()

    container = Container(database, [provider(port)], settings=ContainerSettings())
    container.watch(changed)
    with timed(mails) as paces:
        container.start()
        for _ in range(mails):
            assert sent.acquire(timeout=PATIENCE), "the container has stopped sending"
    container.stop()
    return paces[0]


@contextmanager
def timed(mails: int) -> Iterator[list[Pace]]:
    """Take the time of what is done with so many mails."""
    paces: list[Pace] = []
    started, cpu = time.perf_counter(), time.process_time()
    yield paces
    paces.append(Pace(mails / (time.perf_counter() - started), (time.process_time() - cpu) / mails))


def fill(database: Database, mails: int) -> None:
    """Submit so many mails, each to one recipient."""
    spool, now, run = Spool(database), time.time(), next(_RUNS)

    def submit(number: int) -> None:
        spool.submit(mail(f"{run}-{number}", "bob@example.net"), now, LIFETIME)

    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(submit, range(mails)):
            pass


_RUNS = itertools.count()


def mail(key: str, *recipients: str) -> NewSubmission:
    """A mail of 2 KB."""
    return NewSubmission(
        key, "ann", "ann@example.com", recipients, "A mail of the bench", RAW, priority=Priority.NORMAL
    )


def bench_pace(name: str, database: Database, port: int, mails: int, rounds: int) -> list[Figure]:
    """The container beside the bare pool, in turn."""
    pairs = [(bare(port, mails), dispatched(database, port, mails)) for _ in range(rounds)]
    rate = median(ours.mails / alone.mails for alone, ours in pairs)
    cost = median(ours.cpu / alone.cpu for alone, ours in pairs)
    alone = Pace(median(one.mails for one, _ in pairs), median(one.cpu for one, _ in pairs) * 1000)
    ours = Pace(median(one.mails for _, one in pairs), median(one.cpu for _, one in pairs) * 1000)
    what = f"{IN_FLIGHT} in flight, {LATENCY * 1000:.0f} ms"
    return [
        Figure("dispatch", f"bare pool, {what}", alone.mails, "mails/s"),
        Figure("dispatch", f"{name}, {what}", ours.mails, "mails/s", "bare pool", rate),
        Figure("dispatch", "bare pool, CPU a mail", alone.cpu, "ms"),
        Figure("dispatch", f"{name}, CPU a mail", ours.cpu, "ms", "bare pool", cost),
    ]


def bench_backlog(name: str, database: Database, port: int) -> list[Figure]:
    """What a long backlog costs: the time of a claim, and memory."""
    dispatched(database, port, FEW)
    fill_elsewhere(database, FEW)
    few, small = claim_seconds(database), resident()
    fill_elsewhere(database, MANY)
    many = claim_seconds(database)
    container = Container(database, [provider(port)], settings=ContainerSettings())
    sent = threading.Semaphore(0)
    container.watch(lambda change: sent.release() if change.status is Status.SENT else None)
    container.start()
    most = small
    for _ in range(20 * IN_FLIGHT):
        assert sent.acquire(timeout=PATIENCE), "the container has stopped sending"
        most = max(most, resident())
    container.stop()
    claim = f"{name}, claiming {CLAIM} of"
    return [
        Figure("dispatch", f"{claim} {FEW}", few * 1000, "ms"),
        Figure("dispatch", f"{claim} {MANY:,}", many * 1000, "ms", f"of {FEW}", many / few),
        Figure("dispatch", f"{name}, memory for a backlog of {MANY:,}", (most - small) / 2**20, "MB"),
    ]


def claim_seconds(database: Database) -> float:
    """The median time of a claim, whose lease ends at once, so that the next one finds as much."""
    leases = Leases(database, new_holder())
    took = []
    for _ in range(100):
        started = time.perf_counter()
        now = time.time()
        assert len(leases.turn(now, now, want=CLAIM).claims) == CLAIM
        took.append(time.perf_counter() - started)
    return median(took)


def fill_elsewhere(database: Database, deliveries: int) -> None:
    """Submit so many deliveries from another process, so that this one does not grow by it."""
    url = database.url.render_as_string(hide_password=False)
    words = [sys.executable, "-m", "bench.dispatch", "--fill", str(deliveries), url]
    subprocess.run(words, check=True)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def fill_here(database: Database, deliveries: int) -> None:
    """Submit so many deliveries, in mails to 100 recipients each."""
    spool, now = Spool(database), time.time()
    for number in range(deliveries // 100):
        people = [f"person{number}-{position}@example.net" for position in range(100)]
        spool.submit(mail(f"{now}-{number}", *people), now, LIFETIME)


def resident() -> int:
    """Bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=4000, help="in each run")
    parser.add_argument("--rounds", type=int, default=3, help="each figure is the median of so many")
    parser.add_argument("--only", choices=["SQLite", "PostgreSQL"], help="one database alone")
    parser.add_argument("--fill", nargs=2, metavar=("DELIVERIES", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        database = Database(arguments.fill[1])
        fill_here(database, int(arguments.fill[0]))
        database.close()
        return
    figures: list[Figure] = []
    gc.freeze()  # as `python -m mta` does; both run so
    with relay(LATENCY) as port:
        for name, place in (("SQLite", sqlite), ("PostgreSQL", private_postgres)):
            if arguments.only in (None, name):
                with place() as url:
                    database = Database(url)
                    migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
                    figures += bench_pace(name, database, port, arguments.mails, arguments.rounds)
                    figures += bench_backlog(name, database, port)
                    database.close()
    report(figures)


@contextmanager
def sqlite() -> Iterator[str]:
    """The URL of a new database in a file."""
    with tempfile.TemporaryDirectory(prefix="dispatch") as folder:
        yield f"sqlite:///{folder}/spool.db"


if __name__ == "__main__":
    main()
