"""Schema changes at start."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, inspect, text

from store import Database, DatabaseNewer, MigrationFailed, SqlStore, migrate
from store.tables import metadata

MIGRATION = """
import sqlalchemy as sa
from alembic import op
revision = "{number}"
down_revision = {before}
def upgrade():
    {body}
"""


def write_migration(folder: Path, number: int, body: str) -> None:
    before = f'"{number - 1:04}"' if number > 1 else None
    content = MIGRATION.format(number=f"{number:04}", before=before, body=body)
    (folder / f"{number:04}_test.py").write_text(content)


def version(database: Database, table: str) -> str:
    with database.read() as connection:
        return str(connection.scalar(text(f"SELECT version_num FROM {table}")))


def test_migrate_when_done_then_tables_are_those_of_the_code(new_database: Database) -> None:
    with new_database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "store_version"})
        assert compare_metadata(context, metadata) == []


def test_migrate_when_nothing_is_to_do_then_two_looks_and_no_lock(new_database: Database) -> None:
    said: list[str] = []

    @event.listens_for(new_database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    migrate(new_database)
    event.remove(new_database.engine, "before_cursor_execute", note)
    is_there, version = (one for one in said if one != "BEGIN")
    assert is_there.startswith(("PRAGMA main.table_info", "SELECT pg_catalog"))
    assert version == "SELECT version_num FROM store_version"


def test_migrate_when_two_tiers_share_a_database_then_each_has_its_own_version(
    new_database: Database, tmp_path: Path
) -> None:
    write_migration(tmp_path, 1, 'op.create_table("other", sa.Column("id", sa.Integer))')
    write_migration(tmp_path, 2, 'op.create_table("another", sa.Column("id", sa.Integer))')
    migrate(new_database, tmp_path, "other_version")
    assert version(new_database, "other_version") == "0002"
    assert version(new_database, "store_version") == "0001"
    with new_database.read() as connection:
        assert {"other", "another", "store_entry"} <= set(inspect(connection).get_table_names())


def test_migrate_when_release_brings_another_migration_then_only_that_is_applied(
    new_database: Database, tmp_path: Path
) -> None:
    write_migration(tmp_path, 1, 'op.create_table("other", sa.Column("id", sa.Integer))')
    migrate(new_database, tmp_path, "other_version")
    write_migration(tmp_path, 2, 'op.add_column("other", sa.Column("more", sa.Text))')
    migrate(new_database, tmp_path, "other_version")
    with new_database.read() as connection:
        assert [column["name"] for column in inspect(connection).get_columns("other")] == ["id", "more"]


def test_migrate_when_database_is_newer_then_refused_with_a_sentence(new_database: Database) -> None:
    with new_database.transaction() as connection:
        connection.execute(text("UPDATE store_version SET version_num = '9999', floor = '9999'"))
    with pytest.raises(DatabaseNewer, match=r"version 9999 of store_version.*start that release"):
        migrate(new_database)


def test_migrate_when_a_migration_fails_then_all_is_as_before(new_database: Database, tmp_path: Path) -> None:
    write_migration(tmp_path, 1, 'op.create_table("other", sa.Column("id", sa.Integer))')
    migrate(new_database, tmp_path, "other_version")
    write_migration(tmp_path, 2, 'op.create_table("another", sa.Column("id", sa.Integer))')
    write_migration(tmp_path, 3, 'op.execute("INSERT INTO other VALUES (1)"); raise RuntimeError("broken")')
    with pytest.raises(MigrationFailed, match="broken"):
        migrate(new_database, tmp_path, "other_version")
    assert version(new_database, "other_version") == "0001"
    with new_database.read() as connection:
        assert not inspect(connection).has_table("another")
        assert connection.scalar(text("SELECT count(*) FROM other")) == 0


def start(url: str, barrier: multiprocessing.synchronize.Barrier) -> None:
    database = Database(url)
    barrier.wait()
    migrate(database)
    SqlStore(database).put({"a": "1"})
    database.close()


def test_migrate_when_processes_start_at_once_then_all_go_on(new_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    processes = [context.Process(target=start, args=(new_url, barrier)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    database = Database(new_url)
    assert SqlStore(database).count({"a": "1"}) == 4
    database.close()
