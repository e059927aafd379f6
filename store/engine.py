"""SQLAlchemy's engines, set up for durable commits."""

from __future__ import annotations

import select
import sqlite3
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, OperationalError

BUSY_TIMEOUT = 30.0
"""Seconds that SQLite waits for a writer in another process."""

CHECKPOINT_PAGES = 8000
"""Pages (32 MB) that SQLite's log may have before they are copied into the database. With few, the pages that
every write changes are copied again and again; with many, a reader has more of the log to look through."""

CACHE_KIB = 8000
"""What each connection keeps of the database in memory, at most. The inner pages of the postings of a million
entries, which every write passes through, are 3 MB; with SQLite's own 2 MB they are read again and again."""

SQLITE_PRAGMAS = (
    "synchronous=FULL",
    "foreign_keys=ON",
    f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    f"cache_size=-{CACHE_KIB}",
)

SILENCE = 5.0
"""Seconds for which PostgreSQL waits for a client within a transaction. A host that was cut off, or lost its power,
says nothing any more, and must not hold for hours what the others wait for, such as the lock of the store's writes."""

_DEAD = "tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""How PostgreSQL finds out that a client is gone which asked for nothing, and gives its place to others."""


def _psycopg(url: str) -> dict[str, Any]:
    """How to connect to PostgreSQL, as far as the URL does not say."""
    wanted = {
        "connect_timeout": 5,
        # The same on our side: a server that lost its power is noticed within half a minute.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": f"-c idle_in_transaction_session_timeout={SILENCE * 1000:.0f} -c {_DEAD}",
    }
    said = make_url(url).query
    # psycopg would prepare each statement after five uses, and the generic plans are bad for the store.
    return {"prepare_threshold": None} | {name: value for name, value in wanted.items() if name not in said}


def make_looking_engine(engine: Engine, url: str) -> Engine:
    """The engine for statements that each stand alone: that of SQLite itself, another one for PostgreSQL."""
    if engine.dialect.name == "sqlite":
        return engine
    # Connections of their own, because to turn one between the two uses costs as much as a lookup.
    looking = create_engine(
        url, connect_args=_psycopg(url), isolation_level="AUTOCOMMIT", pool_reset_on_return=None, pool_size=8
    )
    event.listen(looking, "checkout", _leave_if_cut)
    return looking


def make_engine(url: str) -> Engine:
    """The engine for reading and writing, configured so that what is committed is durable."""
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, connect_args=_psycopg(url), pool_size=8)
        event.listen(engine, "checkout", _leave_if_cut)
        return engine
    path = make_url(url).database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
        pool_size=16,
        pool_use_lifo=True,  # the connection used last has in its cache what is looked for next
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
        _use_write_ahead_log(connection)
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        if driver.in_transaction:
            return  # one that writes is begun already
        try:
            driver.execute("BEGIN")  # by SQLAlchemy it takes as long as a statement that does something
        except sqlite3.OperationalError as error:
            raise OperationalError("BEGIN", None, error) from error

    return engine


def _leave_if_cut(connection: Any, _record: object, _proxy: object) -> None:
    """Have another connection opened in place of one that the server closed meanwhile.

    An idle connection has something to read only then. Asking the system costs nothing, a question to the
    server as much as a statement.
    """
    poll = select.poll()
    if not connection.closed:
        poll.register(connection.fileno(), select.POLLIN)
    if connection.closed or poll.poll(0):
        raise DisconnectionError("the server closed the connection")


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
