"""What is the SQL store's own: its index, its groups, its shared commits, and a database in trouble."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, event, select, text

from store import ANY, Database, DatabaseClosed, SqlStore, StoreUnavailable, engine
from store.driver import Driver
from store.tables import answers, chunks
from store.writer import _LOCK as STORE_LOCK
from tests.store.steps import steps_of


def postings(database: Database) -> dict[int, int]:
    with database.read() as connection:
        rows = connection.execute(text("SELECT entry, count(*) FROM store_posting GROUP BY entry"))
        return dict(tuple(row) for row in rows)


def test_postings_when_entries_change_then_are_those_of_what_is_there(sql_database: Database) -> None:
    store = SqlStore(sql_database)
    one = store.put({"user": "anna", "mailbox": "INBOX"})
    two = store.put({"a": "1"})
    assert postings(sql_database) == {one: 5, two: 2}
    store.update_by_id(one, {"mailbox": "Sent", "seen": "yes"})
    store.update_by_id(two, {"a": "2"})
    assert postings(sql_database) == {one: 7, two: 2}
    store.remove(one)
    assert postings(sql_database) == {two: 2}


def test_group_when_declared_later_then_takes_in_what_is_there(new_database: Database) -> None:
    plain = SqlStore(new_database, groups=[])
    ids = plain.put_many([{"a": str(n % 2), "b": str(n % 3), "c": "1"} for n in range(12)] + [{"a": "0"}])
    matching = {"a": "1", "b": "2"}
    found = [entry.id for entry in plain.get(matching)]
    grouped = SqlStore(new_database, groups=[("b", "a")])
    assert [entry.id for entry in grouped.get(matching)] == found != []
    # A store that knows nothing of the group keeps it up all the same.
    plain.update_by_id(ids[0], {"a": "1", "b": "2"})
    assert [entry.id for entry in grouped.get(matching)] == [ids[0], *found]
    plain.remove(ids[0])
    assert grouped.count(matching) == len(found)


def fill(store: SqlStore, entries: int) -> None:
    """Mails of one big account among many small ones."""
    store.put_many(
        [
            {
                "kind": "mail",
                "user": "big" if n % 10 == 0 else f"user{n % 1000}",
                "mailbox": "Sent" if n % 10 == 1 else "INBOX",
                "thread": f"thread{n // 20}",
            }
            for n in range(entries)
        ]
    )


@pytest.mark.parametrize(
    "matching",
    [
        {"thread": "thread7", "kind": "mail"},
        {"kind": "mail", "thread": "thread7"},
        {"kind": ANY, "mailbox": ANY, "thread": "thread7"},
        {"user": "big", "mailbox": "Sent"},
    ],
)
def test_get_when_store_grows_then_work_does_not(database: Database, matching: dict[str, str]) -> None:
    store = SqlStore(database)
    fill(store, 1000)
    few = steps_of(database, lambda: store.get(matching))
    fill(store, 20_000)
    found = store.get(matching)
    many = steps_of(database, lambda: store.get(matching))
    assert all(entry.matches(matching) for entry in found)
    assert many <= 3 * few + 40


def test_get_when_a_page_of_a_big_mailbox_then_work_is_that_of_the_page(database: Database) -> None:
    store = SqlStore(database)
    fill(store, 20_000)
    whole = {"user": "big", "mailbox": "INBOX"}
    for matching in (whole, {**whole, "kind": "mail"}, {"kind": "mail", "user": "big"}):
        page = steps_of(database, lambda m=matching: store.get(m, newest_first=True, limit=50))  # type: ignore[misc]
        everything = steps_of(database, lambda m=matching: store.get(m))  # type: ignore[misc]
        assert page * 5 < everything


def write_together(database: Database, operation: object, items: Sequence[int]) -> dict[int, object]:
    """Write the items in one batch; what each caller got, an error included."""
    held, go = threading.Event(), threading.Event()
    results: dict[int, object] = {}

    def hold(_: Connection, batch: Sequence[None]) -> Sequence[None]:
        held.set()
        assert go.wait(10)
        return batch

    def work(item: int) -> None:
        try:
            results[item] = database.write(operation, item)  # type: ignore[arg-type]
        except Exception as error:
            results[item] = error

    holder = threading.Thread(target=database.write, args=(hold, None))
    holder.start()
    assert held.wait(10)
    threads = [threading.Thread(target=work, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len(database._waiting) < len(items) and time.monotonic() < deadline:
        time.sleep(0.001)
    go.set()
    for thread in (holder, *threads):
        thread.join(10)
    return results


def test_write_when_many_wait_then_they_share_one_transaction(sql_database: Database) -> None:
    batches = []

    def operation(_: Connection, batch: Sequence[int]) -> Sequence[int]:
        batches.append(sorted(batch))
        return [item * 2 for item in batch]

    results = write_together(sql_database, operation, range(40))
    assert results == {item: item * 2 for item in range(40)}
    assert batches == [list(range(40))]


def test_write_when_it_has_time_then_it_shares_the_commit_of_one_that_has_none(
    sql_database: Database,
) -> None:
    batches = []

    def operation(_: Connection, batch: Sequence[int]) -> Sequence[int]:
        batches.append(sorted(batch))
        return batch

    words = {"patience": 30.0}
    patient = [threading.Thread(target=sql_database.write, args=(operation, n), kwargs=words) for n in (1, 2)]
    for thread in patient:
        thread.start()
    deadline = time.monotonic() + 10
    while len(sql_database._waiting) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    sql_database.write(operation, 3)
    for thread in patient:
        thread.join(10)
    assert batches == [[1, 2, 3]]


def test_write_when_it_has_time_and_nobody_comes_then_written_once_that_is_over(
    sql_database: Database,
) -> None:
    began = time.monotonic()
    assert sql_database.write(lambda _, batch: batch, 1, patience=0.1) == 1
    assert 0.1 <= time.monotonic() - began < 10


def test_write_when_one_of_a_batch_fails_then_only_its_caller_hears(sql_database: Database) -> None:
    store = SqlStore(sql_database)

    def operation(connection: Connection, batch: Sequence[int]) -> Sequence[int]:
        for item in batch:
            connection.execute(answers.insert().values(request=str(item), answer="", at=0.0))
            if item == 3:
                raise ValueError("three")
        return batch

    results = write_together(sql_database, operation, range(8))
    assert isinstance(results.pop(3), ValueError)
    assert results == {item: item for item in range(8) if item != 3}
    with sql_database.read() as connection:
        kept = sorted(connection.scalars(select(answers.c.request)))
    assert kept == [str(item) for item in range(8) if item != 3]
    assert store.count({}) == 0


def test_write_when_commit_fails_then_every_caller_hears_and_none_is_tried_again(
    sql_database: Database,
) -> None:
    calls = []

    def operation(connection: Connection, batch: Sequence[int]) -> Sequence[int]:
        calls.append(sorted(batch))
        if sql_database.is_sqlite:  # a blob's chunk without the blob, noticed at the commit
            connection.execute(text("PRAGMA defer_foreign_keys=ON"))
            connection.execute(chunks.insert().values(sha256="none", number=0, content=b""))
        else:
            own = connection.scalar(text("SELECT pg_backend_pid()"))
            with sql_database.read() as other:
                other.execute(text("SELECT pg_terminate_backend(:own, 5000)"), {"own": own})
        return batch

    results = write_together(sql_database, operation, [1, 2])
    assert [type(result) for result in results.values()] == [StoreUnavailable] * 2
    assert calls == [[1, 2]]
    assert sql_database.write(lambda _, batch: batch, 3) == 3


def test_database_when_another_process_holds_the_lock_too_long_then_unavailable(database: Database) -> None:
    store = SqlStore(database)
    store.count({})
    other = Database(database.url.render_as_string())

    @event.listens_for(other.engine, "connect")
    def impatient(connection: object, _: object) -> None:
        connection.execute("PRAGMA busy_timeout=50")  # type: ignore[attr-defined]

    with database.transaction(), pytest.raises(StoreUnavailable, match="locked"):
        SqlStore(other).put({"a": "1"})
    assert store.count({}) == 0
    assert SqlStore(other).put({"a": "1"}) == 1
    other.close()


def test_database_when_server_is_not_there_then_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        SqlStore(database).put({"a": "1"})
    database.close()


def test_postgres_when_connections_are_cut_then_next_operations_go_on(postgres_database: Database) -> None:
    store = SqlStore(postgres_database)
    before = store.count({})
    store.put({"a": "1"})
    with postgres_database.transaction() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    assert store.count({}) == before + 1
    store.put({"a": "1"})
    assert store.count({}) == before + 2


def test_postgres_when_a_connection_is_cut_while_one_looks_then_looked_again_and_only_once(
    postgres_database: Database,
) -> None:
    looks: list[int] = []

    def look(driver: Driver) -> list[tuple[int]]:
        looks.append(len(looks))
        if len(looks) != 2:
            driver.rows("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")
        return driver.rows("SELECT 1")

    assert postgres_database.look(look) == [(1,)]
    assert looks == [0, 1]

    def look_in_vain(driver: Driver) -> None:
        looks.append(len(looks))
        driver.rows("SELECT pg_terminate_backend(pg_backend_pid(), 5000)")

    with pytest.raises(StoreUnavailable):
        postgres_database.look(look_in_vain)
    assert looks == [0, 1, 2, 3]


def test_postgres_when_a_host_falls_silent_in_the_middle_of_a_write_then_the_others_do_not_wait_for_long(
    postgres_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "SILENCE", 0.5)
    silent = Database(postgres_database.url.render_as_string(hide_password=False))
    store = SqlStore(postgres_database)

    def fall_silent() -> None:
        with silent.transaction() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": STORE_LOCK})
            assert store.put_if_absent({"kind": "mail"}, {"kind": "mail"})[1]

    with pytest.raises(StoreUnavailable):
        fall_silent()
    assert SqlStore(silent).count({"kind": "mail"}) == 1  # once it speaks again
    silent.close()


def test_write_when_database_is_closed_then_refused(new_database: Database) -> None:
    store = SqlStore(new_database)
    store.put({"a": "1"})
    new_database.close()
    with pytest.raises(DatabaseClosed, match="start the service again"):
        store.put({"a": "1"})


def test_write_soon_when_committed_then_each_caller_is_told_its_own_whoever_fails(
    new_database: Database,
) -> None:
    told: queue.Queue[tuple[object, BaseException | None]] = queue.Queue()

    def double(_: Connection, items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise ValueError("13 is bad luck")
        return [2 * item for item in items]

    def fails(*_: object) -> None:
        raise RuntimeError("the caller has a fault")

    new_database.write_soon(double, 1, fails)
    for item in (2, 13, 3):
        new_database.write_soon(double, item, lambda *answer: told.put(answer))
    (two, none), (nothing, error), (three, _) = (told.get(timeout=30) for _ in range(3))
    assert (two, none, nothing, three) == (4, None, None, 6)
    assert str(error) == "13 is bad luck"
    assert new_database.write(double, 4) == 8
    new_database.write_soon(double, 5, lambda *answer: told.put(answer))
    new_database.close()
    assert told.get_nowait() == (10, None)
    with pytest.raises(DatabaseClosed):
        new_database.write_soon(double, 6, lambda *answer: told.put(answer))
    assert told.empty()
