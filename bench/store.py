"""`python -m bench.store`: what the store costs, beside the raw driver doing the same in the same run."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import psycopg
from pydantic import SecretStr
from sqlalchemy import text

from bench.figures import Figure, report
from store import Database, JsonStore, MemoryStore, SqlStore, migrate
from store.driver import Driver
from store.engine import SQLITE_PRAGMAS
from store.proxy import ProxyStore, StoreServer
from store.terms import terms_of
from tests.store.postgres import private_postgres

SIZES = [1_000, 100_000, 1_000_000]
FILL_BATCH = 5_000
LOOKUPS = 400
THREADS = 16
ROUNDS = 5
SECRET = SecretStr("secret of the bench")

Look = Callable[[JsonStore], list[Any]]
Statement = tuple[str, Any]


def mail(number: int) -> dict[str, str]:
    """Of ten mails one is the big account's, all in its INBOX; a thread has 20 mails."""
    user = "big" if number % 10 == 0 else f"user{number % 1000}"
    return {
        "kind": "mail",
        "user": user,
        "mailbox": "Sent" if user != "big" and number % 3 == 0 else "INBOX",
        "thread": f"thread{number // 20}",
        "subject": f"Subject of the mail number {number}",
        "from": f"sender{number % 5000}@example.com",
        "seen": "yes" if number % 4 else "no",
        "raw": f"{number:064x}",
    }


def page(store: JsonStore) -> list[Any]:
    """The newest 50 of a big mailbox."""
    return store.get({"user": "big", "mailbox": "INBOX"}, newest_first=True, limit=50)


def lookups(size: int) -> dict[str, list[Look]]:
    """What is looked for, each in several places, so that no answer is simply the last one."""

    def thread(number: int) -> Look:
        return lambda store: store.get({"kind": "mail", "thread": f"thread{number}"})

    def one(number: int) -> Look:
        return lambda store: store.get({"raw": f"{number:064x}"})

    some = [size * part // 41 for part in range(40)]
    return {
        "20 by a common and a rare key": [thread(number // 20) for number in some],
        "page of 50 of a big mailbox": [page],
        "empty mailbox of a big account": [lambda store: store.get({"user": "big", "mailbox": "Sent"})],
        "1 by a unique key": [one(number) for number in some],
    }


def milliseconds(calls: list[Callable[[], Any]], times: int) -> float:
    """Median of the calls, taken in turn."""
    took = []
    for number in range(times):
        call = calls[number % len(calls)]
        started = perf_counter()
        call()
        took.append(perf_counter() - started)
    return median(took) * 1000


def statements_of(look: Callable[[], Any]) -> list[Statement]:
    """What the driver is asked to do by a lookup."""
    seen: list[Statement] = []
    rows = Driver.rows

    def watched(driver: Driver, statement: str, parameters: Any = ()) -> Any:
        seen.append((statement if driver.is_sqlite else statement.replace("?", "%b"), parameters))
        return rows(driver, statement, parameters)

    Driver.rows = watched  # type: ignore[method-assign]
    try:
        look()
    finally:
        Driver.rows = rows  # type: ignore[method-assign]
    return seen


@contextmanager
def raw_connection(database: Database) -> Iterator[Any]:
    """The driver itself, set up as the store sets it up."""
    if database.is_sqlite:
        connection: Any = sqlite3.connect(
            str(database.url.database), isolation_level=None, check_same_thread=False
        )
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    else:
        host, user, name = database.url.query["host"], database.url.username, database.url.database
        connection = psycopg.connect(
            host=str(host), user=user, dbname=name, autocommit=True, prepare_threshold=None
        )
    try:
        yield connection
    finally:
        connection.close()


def raw_lookup(connection: Any, statements: list[Statement]) -> Callable[[], Any]:
    """The same statements by the driver alone, and the same reading of JSON."""

    def look() -> list[Any]:
        rows: list[Any] = []
        for statement, parameters in statements:
            rows = connection.execute(statement, parameters).fetchall()
        return [json.loads(data) for id, data in rows if id is not None]

    return look


def fill(store: JsonStore, start: int, size: int) -> float:
    """Entries a second in batches."""
    started = perf_counter()
    for first in range(start, size, FILL_BATCH):
        store.put_many([mail(number) for number in range(first, min(first + FILL_BATCH, size))])
    return (size - start) / (perf_counter() - started)


def bench_lookups(
    name: str, store: JsonStore, size: int, database: Database | None, smallest: dict[str, float], times: int
) -> list[Figure]:
    """Each lookup; beside the raw driver where there is a database, and beside the smallest size."""
    figures = []
    for what, looks in lookups(size).items():
        calls = [lambda look=look: look(store) for look in looks]
        milliseconds(calls, min(len(calls), times))
        raw_took = None
        if database is not None:
            raw_calls = [statements_of(call) for call in calls]
            with raw_connection(database) as connection:
                raws = [raw_lookup(connection, statements) for statements in raw_calls]
                raw_took = milliseconds(raws, times)
        took = milliseconds(calls, times)
        label = f"{name}, {size:,} entries: {what}"
        versus, ratio = ("raw driver", took / raw_took) if raw_took else ("", None)
        figures.append(Figure("store", label, took, "ms", versus, ratio))
        if what in smallest:
            figures.append(
                Figure("store", label, took, "ms", f"{min(SIZES):,} entries", took / smallest[what])
            )
        else:
            smallest[what] = took
    return figures


def raw_put(connection: Any, database: Database, first: int, count: int = 1) -> None:
    """A durable put by the driver alone: so many entries, their postings, a commit."""
    new = {id: mail(id) for id in range(first, first + count)}
    rows = [(id, json.dumps(data)) for id, data in new.items()]
    pairs = sorted((term, id) for id, data in new.items() for term in terms_of(data, [("mailbox", "user")]))
    if database.is_sqlite:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO store_entry (id, data) VALUES (?, ?)", rows)
        connection.executemany("INSERT INTO store_posting (term, entry) VALUES (?, ?)", pairs)
        connection.execute("COMMIT")
    else:
        with connection.transaction():
            connection.execute(
                "INSERT INTO store_entry (id, data) SELECT * FROM unnest(%b::bigint[], %b::text[])",
                [list(column) for column in zip(*rows, strict=True)],
            )
            connection.execute(
                "INSERT INTO store_posting SELECT * FROM unnest(%b::bytea[], %b::bigint[])",
                [list(column) for column in zip(*pairs, strict=True)],
            )


def bench_puts(name: str, database: Database, store: JsonStore, seconds: float) -> list[Figure]:
    """Durable puts: the raw driver alone, with a commit each and with one for many, then the store with one thread
    and with many.

    In rounds that take turns, since a shared disk has good and bad seconds: the figures are medians, and each
    ratio is the median of those within a round.
    """

    def rate(threads: int, put: Callable[[int], Any], start: int, step: int = 1) -> float:
        started = perf_counter()
        until = started + seconds / ROUNDS

        def work(thread: int) -> int:
            done = 0
            while not done or perf_counter() < until:
                put(start + 10_000_000 * thread + done)
                done += step
            return done

        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(work, range(threads))) / (perf_counter() - started)

    raws: dict[int, list[float]] = {1: [], THREADS: []}
    ours: dict[int, list[float]] = {1: [], THREADS: []}
    for turn in range(ROUNDS):
        start = 1_000_000_000 * (turn + 1)
        for count, measured in raws.items():
            with raw_connection(database) as connection:
                put = partial(raw_put, connection, database, count=count)
                measured.append(rate(1, put, start, count))
            start += 200_000_000
        for threads, measured in ours.items():
            measured.append(rate(threads, lambda number: store.put(mail(number)), start))
            start += 200_000_000

    def beside(label: str, measured: list[float], versus: str, base: list[float]) -> Figure:
        ratio = median(value / one for value, one in zip(measured, base, strict=True))
        return Figure("store", f"{name}: puts, {label}", median(measured), "entries/s", versus, ratio)

    many, together = f"{THREADS} threads, a put each", f"raw driver, {THREADS} a commit"
    return [
        Figure("store", f"{name}: puts, raw driver, 1 thread, a commit each", median(raws[1]), "entries/s"),
        beside(f"raw driver, 1 thread, {THREADS} a commit", raws[THREADS], "a commit each", raws[1]),
        beside("1 thread", ours[1], "raw driver", raws[1]),
        beside(many, ours[THREADS], "raw driver", raws[1]),
        beside(many, ours[THREADS], together, raws[THREADS]),
    ]


@contextmanager
def served(url: str) -> Iterator[ProxyStore]:
    """The store by proxy on the loopback, its server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = {"DATABASE_URL": url, "STORE_PORT": str(port), "STORE_SECRET": SECRET.get_secret_value()}
    environment = os.environ | {f"BITMAIL_{name}": value for name, value in settings.items()}
    process = subprocess.Popen([sys.executable, "-m", "store"], env=environment, stderr=subprocess.DEVNULL)
    caller = StoreServer(f"http://127.0.0.1:{port}", SECRET, pauses=[0.1] * 100)
    try:
        yield ProxyStore(caller)
    finally:
        caller.close()
        process.terminate()
        process.wait()


def bench_database(name: str, url: str, sizes: list[int], seconds: float, times: int) -> list[Figure]:
    """Everything on one database; the embedded one also by proxy."""
    figures: list[Figure] = []
    database = Database(url)
    migrate(database)
    store = SqlStore(database)
    smallest: dict[str, float] = {}
    smallest_proxy: dict[str, float] = {}
    filled = 0
    for size in sizes:
        rate = fill(store, filled, size)
        filled = size
        if not database.is_sqlite:
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
        figures.append(Figure("store", f"{name}: puts in batches, to {size:,}", rate, "entries/s"))
        figures += bench_lookups(name, store, size, database, smallest, times)
        if database.is_sqlite:
            with served(url) as proxy:
                figures += bench_lookups(f"proxy to {name}", proxy, size, None, smallest_proxy, times)
    figures += bench_puts(name, database, store, seconds)
    database.close()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="entries in the store")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each rate of puts")
    parser.add_argument("--lookups", type=int, default=LOOKUPS, help="of each kind, for their median")
    arguments = parser.parse_args()
    sizes = sorted(arguments.sizes)
    figures: list[Figure] = []
    memory, filled, smallest = MemoryStore(), 0, {}
    for size in sizes:
        fill(memory, filled, size)
        filled = size
        figures += bench_lookups("memory", memory, size, None, smallest, 3)
    del memory
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        figures += bench_database("SQLite", url, sizes, arguments.seconds, arguments.lookups)
    with private_postgres("shared_buffers=512MB", "max_wal_size=4GB") as url:
        figures += bench_database("PostgreSQL", url, sizes, arguments.seconds, arguments.lookups)
    report(figures)


if __name__ == "__main__":
    main()
