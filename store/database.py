"""The database: one engine, many readers, and one writer that shares its commits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from store.driver import Driver, unavailable
from store.engine import make_engine, make_looking_engine
from store.errors import DatabaseClosed, StoreUnavailable

LOG = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

Operation = Callable[[Connection, Sequence[Item]], Sequence[Result]]
"""Writes a batch of items in the transaction given and returns one result an item, in order."""
Heard = Callable[[Result | None, BaseException | None], None]
"""Told the result of a write, or the error in place of it."""

GATHER_SECONDS = 0.0001
"""How long the committing thread waits for one more caller to come back."""
BATCH_LIMIT = 512

_NO_ANSWER = (OperationalError, InterfaceError, InternalError)


class _BatchLost(Exception):
    """The whole batch failed, and trying its items one by one would only repeat that, or write twice."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


@dataclass(slots=True, eq=False)
class _Job(Generic[Item, Result]):
    operation: Operation[Item, Result]
    item: Item
    alone: bool
    until: float
    """When it does not wait for company any longer, by `time.monotonic`; 0 for at once."""
    heard: Heard[Result] | None
    """Told in the committing thread; None where a thread waits."""
    result: Result | None = None
    error: BaseException | None = None
    done: threading.Lock = field(default_factory=threading.Lock)
    """Held until the result is there; a lock costs a caller less than an event."""

    def __post_init__(self) -> None:
        self.done.acquire()

    def tell(self) -> None:
        """Let the caller know that it is done."""
        if self.heard is None:
            self.done.release()
            return
        try:
            self.heard(self.result, self.error)
        except Exception:  # the others are to hear of theirs
            LOG.exception("who asked for a write could not be told of it")


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
        self.engine = make_engine(url)
        self._looking = make_looking_engine(self.engine, url)
        self._waiting: list[_Job[Any, Any]] = []
        self._wanted = 1
        self._has_time = False
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._kept: Connection | None = None

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

    def look(self, work: Callable[[Driver], Result]) -> Result:
        """What `work` finds by statements that each stand alone; the quickest way to look.

        A look that fails is made once more with another connection: after the database was away, those from before
        are of no use.

        Args:
            work: must be safe to run again.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            return self._look(work)
        except StoreUnavailable:
            return self._look(work)

    def _look(self, work: Callable[[Driver], Result]) -> Result:
        try:
            connection = self._looking.raw_connection()
        except (*_NO_ANSWER, self.engine.dialect.loaded_dbapi.Error) as error:
            raise unavailable(error) from error
        try:
            return work(Driver(connection.driver_connection, self.engine.dialect))
        except StoreUnavailable:
            connection.invalidate()
            self._looking.dispose()
            raise
        finally:
            connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction of one's own that writes, for what is done rarely. On SQLite others wait.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        try:
            with self.engine.connect() as connection:  # leaving it without a commit rolls back
                driver = Driver.below(connection)
                driver.begin()
                connection.begin()
                yield connection
                driver.commit()
        except _NO_ANSWER as error:
            raise unavailable(error) from error

    def write(
        self, operation: Operation[Item, Result], item: Item, *, alone: bool = False, patience: float = 0.0
    ) -> Result:
        """Run `operation` on `item` and return its result once it is committed and durable.

        Args:
            operation: called in the committing thread with a connection and a batch of items; it must not
                keep the connection, and must be safe to run again after a rollback. Items handed in together
                with the same operation come as one batch, in the order of arrival.
            item: what this caller wants written.
            alone: each statement of the operation may be committed alone; on PostgreSQL that spares two round trips.
            patience: seconds that it may wait for others to share its commit with, unless one comes that does not
                wait.

        Raises:
            DatabaseClosed: after `close`.
            StoreUnavailable: the database does not answer, or not whether it committed.
            Exception: whatever the operation raised for this item alone.
        """
        job: _Job[Item, Result] = _Job(operation, item, alone, _until(patience), None)
        self._hand_over(job)
        job.done.acquire()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]

    def write_soon(
        self,
        operation: Operation[Item, Result],
        item: Item,
        heard: Heard[Result],
        *,
        alone: bool = False,
        patience: float = 0.0,
    ) -> None:
        """The same for a caller that cannot wait, such as an event loop: returns at once.

        Args:
            operation: as in `write`.
            item: as in `write`.
            heard: called in the committing thread, once the write is committed or failed; it must not wait.
            alone: as in `write`.
            patience: as in `write`.

        Raises:
            DatabaseClosed: after `close`.
        """
        self._hand_over(_Job(operation, item, alone, _until(patience), heard))

    def _hand_over(self, job: _Job[Any, Any]) -> None:
        with self._wake:
            if self._closed:
                raise DatabaseClosed("the database is closed; start the service again to write to it")
            if self._thread is None:
                self._thread = threading.Thread(target=self._commit_forever, name="committer", daemon=True)
                self._thread.start()
            self._waiting.append(job)
            if len(self._waiting) >= self._wanted or (self._has_time and not job.until):
                self._wake.notify()

    def close(self) -> None:
        """Finish the writes that wait, stop the committing thread and close every connection."""
        with self._wake:
            self._closed = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
        if self._kept is not None:
            self._kept.close()
        self.engine.dispose()
        self._looking.dispose()

    def _commit_forever(self) -> None:
        expected = 1
        while jobs := self._gather(expected):
            self._run_or_fail(jobs)
            with self._wake:
                expected = len(jobs) + len(self._waiting)
            for job in jobs:
                job.tell()

    def _gather(self, expected: int) -> list[_Job[Any, Any]]:
        """The next batch; empty once the database is closed and nothing waits.

        Args:
            expected: how many callers there were around the last batch. They are about to come back: without
                waiting while they do, they split into halves, each paying for a commit.
        """
        with self._wake:
            self._wanted = 1
            while not self._waiting and not self._closed:
                self._wake.wait()
            self._wait_for_company()
            self._wanted = min(expected, BATCH_LIMIT)
            seen = 0
            while seen < len(self._waiting) < self._wanted and not self._closed:
                seen = len(self._waiting)
                self._wake.wait(GATHER_SECONDS)
            jobs, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
            return jobs

    def _wait_for_company(self) -> None:
        """Let more come, as long as everybody who waits has time."""
        self._wanted, self._has_time = BATCH_LIMIT, True
        while len(self._waiting) < BATCH_LIMIT and not self._closed:
            if (left := min(job.until for job in self._waiting) - time.monotonic()) <= 0:
                break
            self._wake.wait(left)
        self._has_time = False

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
        connection = self._take(alone=not self.is_sqlite and all(job.alone for job in jobs))
        try:
            # By the driver itself: SQLAlchemy takes as long for this as for a statement that does something.
            driver = Driver.below(connection)
            _or_lose_batch(driver.begin)
            for operation, members in groups.items():
                answers = operation(connection, [job.item for job in members])
                results.extend(zip(members, answers, strict=True))
            _or_lose_batch(driver.commit)
        except BaseException as error:
            if isinstance(error, _BatchLost):
                connection.invalidate()  # the database is away, or keeps a transaction open that it could not commit
            connection.close()  # which rolls back
            raise
        self._keep(connection)
        for job, result in results:
            job.result = result

    def _take(self, *, alone: bool) -> Connection:
        """The connection of the committing thread: on SQLite the same one as long as all is well."""
        kept, self._kept = self._kept, None
        if kept is not None:
            return kept
        try:
            return (self._looking if alone else self.engine).connect()
        except DBAPIError as error:
            raise _BatchLost(unavailable(error)) from error

    def _keep(self, connection: Connection) -> None:
        if not self.is_sqlite:
            connection.close()
            return
        if connection.in_transaction():
            connection.commit()  # an operation went by SQLAlchemy, which does not know that all is committed
        self._kept = connection


def _until(patience: float) -> float:
    return time.monotonic() + patience if patience else 0.0


def _or_lose_batch(step: Callable[[], None]) -> None:
    """Do what concerns the whole batch: a database may be away, or not say whether it committed."""
    try:
        step()
    except StoreUnavailable as error:
        raise _BatchLost(error) from error
