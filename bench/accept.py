"""`python -m bench.accept`: mails taken into the spool a second, beside Postfix and beside the raw driver."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import uvloop

from bench.figures import Figure, report
from bench.handing_in import container, hand_in
from bench.postfix import NoPostfix, Postfix, private_postfix
from mta.desk import Desk
from mta.intake import Intake
from mta.spool import Spool
from mta.submission import NewSubmission
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate
from store.driver import Driver

SUBMITTERS = 16
OCTETS = 2048
PLENTY = 50_000
"""More mails than are accepted in a second."""
LIFETIME = 86400.0
RAW = b"Subject: A mail of the bench\r\n\r\n".ljust(OCTETS - 2, b"x") + b"\r\n"


@dataclass(slots=True)
class Recording:
    """What the driver was told in the batches of a run: the statements of each commit.

    To keep it all takes a thirtieth of the run, so that is another one than the run that is measured.
    """

    batches: list[list[tuple[str, Sequence[Any]]]] = field(default_factory=lambda: [[]])

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Record what is written in the meantime."""
        change, commit = Driver.change, Driver.commit

        def watched(
            driver: Driver, on_sqlite: str, on_postgresql: str, rows: Sequence[tuple[Any, ...]]
        ) -> int:
            self.batches[-1].append((on_sqlite, rows))
            return change(driver, on_sqlite, on_postgresql, rows)

        def committed(driver: Driver) -> None:
            commit(driver)
            self.batches.append([])

        Driver.change, Driver.commit = watched, committed  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            Driver.change, Driver.commit = change, commit  # type: ignore[method-assign]

    @property
    def mails(self) -> int:
        """How many submissions were written."""
        return sum(
            len(rows)
            for batch in self.batches
            for words, rows in batch
            if words.startswith("INSERT INTO spool_submissions")
        )


@contextmanager
def spool_file() -> Iterator[str]:
    """The path of a new SQLite database with an empty spool."""
    with tempfile.TemporaryDirectory(prefix="accept") as folder:
        path = f"{folder}/spool.db"
        database = Database(f"sqlite:///{path}")
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        database.close()
        yield path


def submit_as_coroutines(seconds: float) -> float:
    """Submissions a second from several coroutines of one loop, each on disk before the next: as the servers do."""
    with spool_file() as path:
        database = Database(f"sqlite:///{path}")
        intake = Intake(Desk(database))

        # Ready before the clock starts, as are the rows for the driver and the mail of Postfix's client.
        news = [mail(str(number)) for number in range(round(seconds * PLENTY))]

        async def submit(until: float) -> int:
            done = 0
            while time.perf_counter() < until:
                await intake.submit(news.pop, OCTETS)
                done += 1
            return done

        async def submit_all() -> float:
            await intake.submit(news.pop, OCTETS)  # the connection is open then, as the driver's is
            started = time.perf_counter()
            each = (submit(started + seconds) for _ in range(SUBMITTERS))
            return sum(await asyncio.gather(*each)) / (time.perf_counter() - started)

        gc.freeze()  # as the container does
        rate = uvloop.run(submit_all())
        gc.unfreeze()
        intake.close()
        database.close()
        return rate


def submit_in_threads(seconds: float) -> float:
    """The same from several threads, each of which waits for its commit."""
    with spool_file() as path:
        database = Database(f"sqlite:///{path}")
        spool = Spool(database)
        started = time.perf_counter()

        def submit(thread: int) -> int:
            done = 0
            while time.perf_counter() < started + seconds:
                spool.submit(mail(f"{thread}-{done}"), time.time(), LIFETIME)
                done += 1
            return done

        with ThreadPoolExecutor(SUBMITTERS) as pool:
            done = sum(pool.map(submit, range(SUBMITTERS)))
        took = time.perf_counter() - started
        database.close()
        return done / took


def mail(key: str) -> NewSubmission:
    """A mail of 2 KB to one recipient."""
    return NewSubmission(
        key=key,
        owner="ann",
        sender="ann@example.com",
        recipients=("bob@example.net",),
        subject="A mail of the bench",
        raw=RAW,
    )


def write_again(recording: Recording) -> float:
    """Submissions a second when the driver alone writes the same rows in the same batches."""
    with spool_file() as path:
        database = Database(f"sqlite:///{path}")  # set up as the spool's own connection is
        connection: sqlite3.Connection = database.engine.raw_connection().driver_connection  # type: ignore[assignment]
        started = time.perf_counter()
        for batch in recording.batches:
            connection.execute("BEGIN IMMEDIATE")
            for words, rows in batch:
                connection.executemany(words, rows)
            connection.execute("COMMIT")
        took = time.perf_counter() - started
        database.close()
        return recording.mails / took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each run of submitters")
    parser.add_argument("--rounds", type=int, default=5, help="each figure is the median of so many")
    arguments = parser.parse_args()
    try:
        with private_postfix() as postfix:
            figures = measure(postfix, arguments.seconds, arguments.rounds)
    except NoPostfix as error:
        print(error)
        figures = measure(None, arguments.seconds, arguments.rounds)
    report(figures)


def measure(postfix: Postfix | None, seconds: float, rounds: int) -> list[Figure]:
    """Everything in turn, and each compared with its neighbours in time, since a machine is never quiet."""
    ours, threads, raw, theirs, kept, batches = [], [], [], [], [], []
    web: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(rounds):
        if postfix is not None:
            theirs.append(postfix.accept(round(500 * seconds), SUBMITTERS, OCTETS, keep=False))
            kept.append(postfix.accept(round(500 * seconds), SUBMITTERS, OCTETS, keep=True))
        for sends, rates in web.items():
            with container(sends=sends) as head:
                rates.append(hand_in(head, SUBMITTERS, OCTETS, seconds))
        threads.append(submit_in_threads(seconds))
        recording = Recording()
        with recording.watch():
            submit_as_coroutines(seconds)
        ours.append(submit_as_coroutines(seconds))
        raw.append(write_again(recording))
        batches.append(recording.mails / len(recording.batches))
    label = f"{SUBMITTERS} submitters, {OCTETS} octets, SQLite"
    in_threads = f"{SUBMITTERS} submitters in threads of their own, {OCTETS} octets, SQLite"
    over_http = f"{SUBMITTERS} connections to /sendmail, {OCTETS} octets, SQLite"
    meanwhile = {True: f"{over_http}, sending meanwhile", False: f"{over_http}, nothing sent meanwhile"}
    return [
        Figure("accept", f"{label}, mails a commit", median(batches), "mails"),
        Figure("accept", "raw driver, the same rows in the same batches", median(raw), "mails/s"),
        *beside(label, ours, "raw driver", raw),
        *([Figure("accept", "Postfix, a connection a mail", median(theirs), "mails/s")] if theirs else []),
        *beside(label, ours, "Postfix", theirs),
        *([Figure("accept", "Postfix, connections kept", median(kept), "mails/s")] if kept else []),
        *beside(label, ours, "Postfix, connections kept", kept),
        *beside(in_threads, threads, "raw driver", raw),
        *beside(in_threads, threads, "Postfix", theirs),
        *(Figure("accept", label, median(web[sends]), "mails/s") for sends, label in meanwhile.items()),
        *(one for sends, label in meanwhile.items() for one in beside(label, web[sends], "Postfix", theirs)),
    ]


def beside(label: str, ours: list[float], versus: str, theirs: list[float]) -> list[Figure]:
    """The median of the ratios of each round, and the worst and the best of them."""
    if not theirs:
        return []
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    return [
        Figure("accept", label, median(ours), "mails/s", versus, median(ratios)),
        Figure("accept", f"{label}, worst round", min(ours), "mails/s", versus, ratios[0]),
        Figure("accept", f"{label}, best round", max(ours), "mails/s", versus, ratios[-1]),
    ]


if __name__ == "__main__":
    main()
