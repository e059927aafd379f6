"""Backups while the database is written to: what is saved is of one moment, and it can be put elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from deploy.dump import count, database_url, load, save
from store import Blobs, Database, SqlStore, migrate
from tests.store.postgres import private_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two databases of one kind; the second is empty."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'one.db'}", f"sqlite:///{tmp_path / 'other.db'}"
        return
    with private_postgres("fsync=off") as url:
        database = Database(url)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CREATE DATABASE other"))
        database.close()
        yield url, url.replace("/postgres?", "/other?")


@contextmanager
def writing(database: Database) -> Iterator[threading.Event]:
    """Rows are added all the while, one to each of two tables in a transaction; gives what says that it has begun."""
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE a (n INTEGER)"))
        connection.execute(text("CREATE TABLE b (n INTEGER)"))
    begun, stopped = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            with database.transaction() as connection:
                connection.execute(text("INSERT INTO a VALUES (:n)"), {"n": number})
                connection.execute(text("INSERT INTO b VALUES (:n)"), {"n": number})
            if number == 20:
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield begun
    finally:
        stopped.set()
        thread.join()


def test_a_backup_when_taken_while_it_is_written_to_then_is_of_one_moment_and_whole_elsewhere(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    url, elsewhere = urls
    database = Database(url)
    migrate(database)
    store, blobs = SqlStore(database), Blobs(database)
    for number in range(50):
        store.put({"kind": "mail", "number": str(number)})
    name = blobs.put(b"x" * 1_000_000)
    before = count(url)
    file = tmp_path / "saved"
    with writing(database) as begun:
        assert begun.wait(30)
        save(url, file)
    after = count(url)
    store.close()
    database.close()

    load(elsewhere, file)
    found = count(elsewhere)
    assert found["a"] == found["b"]
    assert 20 <= found["a"] <= after["a"]
    assert {table: rows for table, rows in found.items() if table not in "ab"} == before
    restored = Database(elsewhere)
    migrate(restored)
    again = SqlStore(restored)
    assert again.count({"kind": "mail"}) == 50
    assert Blobs(restored).get(name) == b"x" * 1_000_000
    again.close()
    restored.close()


def test_a_backup_when_loaded_over_another_then_nothing_of_that_is_left(
    urls: tuple[str, str], tmp_path: Path
) -> None:
    url, elsewhere = urls
    for place, number in ((url, 3), (elsewhere, 5)):
        database = Database(place)
        migrate(database)
        store = SqlStore(database)
        for _ in range(number):
            store.put({"kind": place})
        store.close()
        database.close()
    save(url, tmp_path / "saved")
    load(elsewhere, tmp_path / "saved")
    assert count(elsewhere) == count(url)


def test_the_database_when_settings_name_one_then_that_is_saved_else_the_embedded_one(tmp_path: Path) -> None:
    settings = tmp_path / "env"
    assert database_url(settings, tmp_path) == f"sqlite:///{tmp_path}/bitmail.db"
    settings.write_text("BITMAIL_DOMAIN=example.com\nBITMAIL_DATABASE_URL='postgresql+psycopg://a:b@c/d'\n")
    assert database_url(settings, tmp_path) == "postgresql+psycopg://a:b@c/d"
