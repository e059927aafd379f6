"""The bench compares like with like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from bench.store import mail, raw_connection, raw_put
from store import Database, SqlStore

ROOT = Path(__file__).parents[2]


def test_raw_put_when_beside_a_put_of_the_store_then_writes_the_same_rows(sql_database: Database) -> None:
    store = SqlStore(sql_database)
    numbers = (1_000_000, 1_000_001)
    ours = [store.put(mail(number)) for number in numbers]
    with raw_connection(sql_database) as connection:
        raw_put(connection, sql_database, numbers[0], count=2)
    with sql_database.read() as rows:
        terms = [
            set(rows.scalars(text("SELECT term FROM store_posting WHERE entry = :id"), {"id": id}))
            for id in (*numbers, *ours)
        ]
    assert terms[:2] == terms[2:]
    assert all(terms)
    assert [{entry.id for entry in store.get(mail(number))} for number in numbers] == [
        {number, one} for number, one in zip(numbers, ours, strict=True)
    ]
    assert store.count({}) == 4


def test_raw_connection_when_on_sqlite_then_as_durable_as_the_store(database: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "wal_autocheckpoint", "cache_size")
    with raw_connection(database) as raw, database.read() as connection:
        for pragma in pragmas:
            own = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
            assert raw.execute(f"PRAGMA {pragma}").fetchone()[0] == own
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_bench_when_run_small_then_prints_a_table_and_a_line_of_json_a_figure() -> None:
    words = ["-m", "bench.store", "--sizes", "100", "200", "--seconds", "0.3", "--lookups", "5"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    lines = done.stdout.splitlines()
    figures = [json.loads(line) for line in lines if line.startswith("{")]
    assert len(lines) == 2 * len(figures)
    assert all(list(figure) == ["bench", "figure", "value", "unit", "versus", "ratio"] for figure in figures)
    names = {figure["figure"] for figure in figures if figure["versus"] == "raw driver"}
    for database in ("SQLite", "PostgreSQL"):
        assert f"{database}: puts, 16 threads, a put each" in names
        assert f"{database}, 200 entries: 20 by a common and a rare key" in names
