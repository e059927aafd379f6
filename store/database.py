"""The database: one engine, many readers, and one writer that shares its commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from store.errors import DatabaseClosed, StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

Operation = Callable[[Connection, Sequence[Item]], Sequence[Result]]
"""Writes a batch of items in the transaction given and returns one result an item, in order."""

BUSY_TIMEOUT = 30.0
"""Seconds that SQLite waits for a writer in another process."""
GATHER_SECONDS = 0.0001
GATHER_TURNS = 3
BATCH_LIMIT = 512

_NO_ANSWER = (OperationalError, InterfaceError)


class _BatchLost(Exception):
    """The whole batch failed, and trying its items one by one would only repeat that, or write twice."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


@dataclass(slots=True, eq=False)
class _Job(Generic[Item, Result]):
    operation: Operation[Item, Result]
    item: Item
    done: threading.Event = field(default_factory=threading.Event)
    result: Result | None = None
    error: BaseException | None = None


class Database:
    """SQLite or PostgreSQL behind one URL.

    `read` gives a connection for looking; any number may be open at once. `write` hands an item to the one
    committing thread, which gathers whatever is waiting, runs it in one transaction and commits once, so that
    many callers share the cost of one durable commit. When a batch fails, its items are tried one by one, so
    that one bad item spoils only its own caller's write.

    Threads and connections are opened at the first use, never at import.
    """

    def __init__(self, url: str) -> None:
        """
        Args:
            url: an SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://…`.
        """
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _engine(url, is_sqlite=self.is_sqlite)
        self._looking = _looking_engine(self.engine, url)
        self._waiting: list[_Job[Any, Any]] = []
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for looking, given back at the end of the block.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except _NO_ANSWER as error:
            raise unavailable(error) from error

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """The same for statements that each stand alone: it saves beginning and ending a transaction.

        After the database was away, the first look may fail; the next has a new connection.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            with self._looking.connect() as connection:
                yield connection
        except _NO_ANSWER as error:
            raise unavailable(error) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of one's own that writes, for what is done rarely. On SQLite others wait.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            with (
                self.engine.connect().execution_options(bitmail_begin="BEGIN IMMEDIATE") as connection,
                connection.begin(),
            ):
                yield connection
        except _NO_ANSWER as error:
            raise unavailable(error) from error

    def write(self, operation: Operation[Item, Result], item: Item) -> Result:
        """Run `operation` on `item` and return its result once it is committed and durable.

        Args:
            operation: called in the committing thread with a connection and a batch of items; it must not
                keep the connection, and must be safe to run again after a rollback. Items handed in together
                with the same operation come as one batch, in the order of arrival.
            item: what this caller wants written.

        Raises:
            DatabaseClosed: after `close`.
            StoreUnavailable: the database does not answer, or not whether it committed.
            Exception: whatever the operation raised for this item alone.
        """
        job: _Job[Item, Result] = _Job(operation, item)
        with self._wake:
            if self._closed:
                raise DatabaseClosed("the database is closed; start the service again to write to it")
            if self._thread is None:
                self._thread = threading.Thread(target=self._commit_forever, name="committer", daemon=True)
                self._thread.start()
            self._waiting.append(job)
            self._wake.notify()
        job.done.wait()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]

    def close(self) -> None:
        """Finish the writes that wait, stop the committing thread and close every connection."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
        self.engine.dispose()
        self._looking.dispose()

    def _commit_forever(self) -> None:
        last_size = 0
        while jobs := self._gather(last_size):
            last_size = len(jobs)
            self._run_or_fail(jobs)
            for job in jobs:
                job.done.set()

    def _gather(self, last_size: int) -> list[_Job[Any, Any]]:
        """The next batch; empty once the database is closed and nothing waits."""
        with self._wake:
            while not self._waiting and not self._closed:
                self._wake.wait()
            # After a batch of several, its callers are about to come back: without this short wait they split
            # into two halves, each paying for a commit.
            turns = GATHER_TURNS if last_size > 1 else 0
            while turns and not self._closed and len(self._waiting) < last_size:
                self._wake.wait(GATHER_SECONDS)
                turns -= 1
            jobs, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
            return jobs

    def _run_or_fail(self, jobs: Sequence[_Job[Any, Any]]) -> None:
        """Run the batch; when that fails, its items one by one, so that each gets an error of its own."""
        try:
            self._run(jobs)
        except _BatchLost as lost:
            for job in jobs:
                job.error = lost.cause
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            if len(jobs) == 1:
                jobs[0].error = unavailable(error) if isinstance(error, _NO_ANSWER) else error
            else:
                for job in jobs:
                    self._run_or_fail([job])

    def _run(self, jobs: Sequence[_Job[Any, Any]]) -> None:
        groups: dict[Operation[Any, Any], list[_Job[Any, Any]]] = {}
        for job in jobs:
            groups.setdefault(job.operation, []).append(job)
        results: list[tuple[_Job[Any, Any], Any]] = []
        with _losing_batch():
            connection = self.engine.connect().execution_options(bitmail_begin="BEGIN IMMEDIATE")
        with connection:  # leaving it without a commit rolls back
            with _losing_batch():
                transaction = connection.begin()
            for operation, members in groups.items():
                answers = operation(connection, [job.item for job in members])
                results.extend(zip(members, answers, strict=True))
            with _losing_batch():
                transaction.commit()
        for job, result in results:
            job.result = result


@contextmanager
def _losing_batch() -> Iterator[None]:
    """Around what concerns the whole batch: a database that is away, or does not say whether it committed."""
    try:
        yield
    except DBAPIError as error:
        raise _BatchLost(unavailable(error)) from error


def unavailable(error: BaseException) -> StoreUnavailable:
    """What a database error that is nobody's fault here means to a caller."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return StoreUnavailable(
        f"the database does not answer as it should: {cause}; see that it runs and its disk has room"
    )


# psycopg would prepare each statement after five uses, and the generic plans are bad for the store.
_PSYCOPG = {"prepare_threshold": None}


def _looking_engine(engine: Engine, url: str) -> Engine:
    if engine.dialect.name == "sqlite":
        return engine.execution_options(bitmail_begin=None)
    # Connections of their own, because to turn one between the two uses costs as much as a lookup.
    return create_engine(
        url, connect_args=_PSYCOPG, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, pool_size=8
    )


def _engine(url: str, *, is_sqlite: bool) -> Engine:
    if not is_sqlite:
        return create_engine(url, connect_args=_PSYCOPG, pool_pre_ping=True, pool_size=8)
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False}, pool_size=16
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        _use_write_ahead_log(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if statement := connection.get_execution_options().get("bitmail_begin", "BEGIN"):
            connection.exec_driver_sql(statement)

    return engine


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    # SQLite's own waiting leaves this statement out, and of several processes that make the database all but
    # one fail.
    deadline = monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(0.01)
        else:
            return
