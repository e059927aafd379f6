"""The bench compares like with like."""

from __future__ import annotations

from sqlalchemy import text

from bench.store import mail, raw_connection, raw_put
from store import Database, SqlStore


def test_raw_put_when_beside_a_put_of_the_store_then_writes_the_same_rows(sql_database: Database) -> None:
    store = SqlStore(sql_database)
    one, other = store.put(mail(20)), 1_000_000
    with raw_connection(sql_database) as connection:
        raw_put(connection, sql_database, 20, other)
    with sql_database.read() as rows:
        terms = [
            set(rows.scalars(text("SELECT term FROM store_posting WHERE entry = :id"), {"id": id}))
            for id in (one, other)
        ]
    assert terms[0] == terms[1] != set()
    assert [entry.id for entry in store.get(mail(20))] == [one, other]
    assert store.count({}) == 2


def test_raw_connection_when_on_sqlite_then_as_durable_as_the_store(database: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "wal_autocheckpoint")
    with raw_connection(database) as raw, database.read() as connection:
        for pragma in pragmas:
            own = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            assert raw.execute(f"PRAGMA {pragma}").fetchone()[0] == own
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
