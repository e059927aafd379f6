"""Many threads in many processes on one database, and processes killed while they write."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from store import ANY, Database, SqlStore
from tests.store.racing import THREADS

ROOT = Path(__file__).parents[2]
PROCESSES = 4


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.racing", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def test_writes_when_raced_by_threads_of_several_processes_then_none_is_lost_or_doubled(
    sql_database: Database,
) -> None:
    accounts, steps = 20, 3
    store = SqlStore(sql_database)
    counter = store.put({"counter": "0"})
    words = ("race", url_of(sql_database), str(accounts), str(steps))
    with process(*words) as one, process(*words) as two, process(*words) as three, process(*words) as four:
        racers = (one, two, three, four)
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        answers = []
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        for racer in racers:
            assert racer.stdout is not None
            answers.append(int(racer.stdout.readline()))
    assert sum(answers) == accounts
    assert store.count({"account": ANY}) == accounts
    for account in range(accounts):
        assert store.count({"account": str(account)}) == 1
    entry = store.get_by_id(counter)
    assert entry is not None
    assert entry.data == {"counter": str(len(answers) * THREADS * steps)}


def check_nothing_is_half(database: Database) -> None:
    """Every entry is found by exactly what it holds, and nothing is found that is not there."""
    with database.read() as connection:
        postings = connection.execute(
            text("SELECT entry, count(*) FROM store_posting GROUP BY entry ORDER BY entry")
        ).all()
    sizes = dict(tuple(row) for row in postings)
    entries = SqlStore(database).get({})
    assert sizes == {entry.id: 2 * len(entry.data) for entry in entries}
    halves = defaultdict(list)
    for entry in entries:
        halves[entry.data["pair"]].append(entry.data["half"])
    assert all(sorted(half) in (["1", "2"], ["2", "one"]) for half in halves.values())


def start_writer(database: Database) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.racing", "write", url_of(database)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed_after(writer: subprocess.Popen[str], name: str, lines: int) -> list[str]:
    """Let the writer go, kill it when it has acknowledged so many, and return all that it acknowledged."""
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(f"{name}\n")
    writer.stdin.flush()
    acknowledged = [writer.stdout.readline() for _ in range(lines)]
    assert all(acknowledged), "the writer died of itself"
    writer.kill()
    acknowledged += writer.stdout.readlines()
    writer.communicate()
    return [line.strip() for line in acknowledged]


@pytest.mark.parametrize("kills", [50])
def test_writes_when_process_is_killed_then_all_acknowledged_are_there_and_nothing_is_half(
    sql_database: Database, kills: int
) -> None:
    store = SqlStore(sql_database)
    acknowledged = []
    # The next ones start meanwhile, because starting takes longer than what is looked at here.
    waiting = [start_writer(sql_database) for _ in range(2)]
    try:
        for kill in range(kills):
            writer = waiting.pop(0)
            if kill + 1 + len(waiting) < kills:
                waiting.append(start_writer(sql_database))
            acknowledged += killed_after(writer, f"kill{kill}", lines=1 + kill % 25)
    finally:
        for writer in waiting:
            writer.kill()
            writer.communicate()
    assert len(acknowledged) > kills
    for pair in acknowledged:
        found = store.get({"pair": pair})
        assert [entry.data for entry in found] == [
            {"pair": pair, "half": "one", "more": pair},
            {"pair": pair, "half": "2"},
        ]
    check_nothing_is_half(sql_database)
