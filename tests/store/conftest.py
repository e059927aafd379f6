"""Stores to test: every implementation behind one fixture."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text
from starlette.types import ASGIApp

from store import (
    SEARCH_MIGRATIONS,
    SEARCH_VERSION_TABLE,
    Blobs,
    BlobStore,
    Database,
    JsonStore,
    MemoryStore,
    SearchIndex,
    SqlStore,
    TextIndex,
    migrate,
)
from store.proxy import ProxyBlobs, ProxyIndex, ProxyStore, StoreServer
from store.s3 import Bucket, S3Blobs
from store.server import make_server
from tests.migrated import SEARCH, STORE, migrated
from tests.store.postgres import private_postgres
from tests.store.s3 import BUCKET, s3_server

SECRET = SecretStr("the secret of these tests")


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The app on a real socket of this machine; gives its address."""
    # With the protocol named, since asyncio sends small answers at once only on such a socket.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def clear(database: Database) -> None:
    """Take everything out of a database, but the groups that were declared: they stay for good."""
    names = ("entry", "posting", "answer", "chunk", "blob", "search")
    with database.transaction() as connection:
        if database.is_sqlite:
            for name in names:
                connection.execute(text(f"DELETE FROM store_{name}"))
            connection.execute(text("DELETE FROM sqlite_sequence"))
        else:
            tables = ", ".join(f"store_{name}" for name in names)
            connection.execute(text(f"TRUNCATE {tables} RESTART IDENTITY"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


def wait_until_serving(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert any("Uvicorn running" in line for line in process.stderr)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database of its own."""
    database = Database(f"sqlite:///{migrated(tmp_path / 'test.db', STORE, SEARCH)}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of these tests' own."""
    with private_postgres("fsync=off", "max_connections=200") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each kind in turn that was never used."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new.db'}"
    url = make_url(request.getfixturevalue("postgres_url"))
    name = f"new_{uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def new_database(new_url: str) -> Iterator[Database]:
    """A migrated database of each kind in turn that was never used."""
    database = Database(new_url)
    migrate(database)
    yield database
    database.close()


@pytest.fixture(scope="session")
def sqlite_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'test.db'}")
    migrate(database)
    migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
    yield database
    database.close()


@pytest.fixture(scope="session")
def postgres_database(postgres_url: str) -> Iterator[Database]:
    database = Database(postgres_url)
    migrate(database)
    migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
    yield database
    database.close()


@dataclass(frozen=True)
class Served:
    """A database, and the way to the server that serves it."""

    database: Database
    url: str
    server: StoreServer


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('served') / 'test.db'}")
    migrate(database)
    migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
    with serving(make_server(SqlStore(database), Blobs(database), SearchIndex(database), SECRET)) as url:
        server = StoreServer(url, SECRET)
        yield Served(database, url, server)
        server.close()
    database.close()


@pytest.fixture
def served(_served: Served) -> Served:
    """An empty database and its server."""
    clear(_served.database)
    return _served


@pytest.fixture(params=["sqlite", "postgres"])
def sql_database(request: pytest.FixtureRequest) -> Database:
    """An empty database of each kind in turn."""
    database: Database = request.getfixturevalue(f"{request.param}_database")
    clear(database)
    return database


def make_store(kind: str, request: pytest.FixtureRequest) -> JsonStore:
    """An empty store of this kind."""
    if kind == "memory":
        return MemoryStore()
    if kind == "proxy":
        served: Served = request.getfixturevalue("_served")
        clear(served.database)
        return ProxyStore(served.server)
    database: Database = request.getfixturevalue(f"{kind}_database")
    clear(database)
    return SqlStore(database)


KINDS = ["memory", "sqlite", "postgres", "proxy"]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> JsonStore:
    """Each implementation in turn, empty."""
    return make_store(request.param, request)


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """The address of an S3 server of these tests' own."""
    with s3_server() as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres", "proxy", "s3"])
def blobs(request: pytest.FixtureRequest) -> BlobStore:
    """Each implementation of blobs in turn, empty."""
    if request.param == "s3":
        address = request.getfixturevalue("s3_address")
        database = request.getfixturevalue("postgres_database")
        clear(database)
        return S3Blobs(Bucket(f"s3://key:secret@{BUCKET}?endpoint={address}"), database)
    if request.param == "proxy":
        return ProxyBlobs(request.getfixturevalue("served").server)
    database = request.getfixturevalue(f"{request.param}_database")
    clear(database)
    return Blobs(database)


@pytest.fixture(params=["sqlite", "postgres", "proxy"])
def index(request: pytest.FixtureRequest) -> TextIndex:
    """Each implementation of the search index in turn, empty."""
    if request.param == "proxy":
        return ProxyIndex(request.getfixturevalue("served").server)
    database = request.getfixturevalue(f"{request.param}_database")
    clear(database)
    return SearchIndex(database)
