"""Schema changes that one can go back from, and those that one cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from store import Database, DatabaseNewer, MigrationFailed, migrate
from store.expansion import contracts
from tests.store.test_migration import version, write_migration

TABLE = 'op.create_table("thing", sa.Column("id", sa.Integer, primary_key=True))'
COLUMN = 'op.add_column("thing", sa.Column("more", sa.Integer))'
DROP = 'op.drop_table("thing")'


@pytest.mark.parametrize(
    ("statement", "takes_away"),
    [
        ("CREATE TABLE t (a INTEGER NOT NULL)", False),
        ("CREATE INDEX i ON t (a)", False),
        ("DROP INDEX i", False),
        ("ALTER TABLE t ADD COLUMN a INTEGER", False),
        ("ALTER TABLE t ADD COLUMN a INTEGER DEFAULT 0 NOT NULL", False),
        ("UPDATE t SET a = 1", False),
        ("\n DROP TABLE t", True),
        ("ALTER TABLE t DROP COLUMN a", True),
        ("ALTER TABLE t RENAME TO u", True),
        ("alter table t\nalter column a type bigint", True),
        ("ALTER TABLE t ADD COLUMN a INTEGER NOT NULL", True),
        ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", True),
        ("DELETE FROM t", True),
        ("TRUNCATE t", True),
    ],
)
def test_a_statement_when_the_release_before_cannot_live_with_it_then_contracts(
    statement: str, takes_away: bool
) -> None:
    assert contracts(statement) is takes_away


def releases(folder: Path, *bodies: str) -> list[Path]:
    """The folders of migrations of as many releases, each with one more than the one before."""
    made = []
    for number in range(1, len(bodies) + 1):
        release = folder / f"r{number}"
        release.mkdir()
        for step, body in enumerate(bodies[:number], 1):
            write_migration(release, step, body)
        made.append(release)
    return made


def test_a_release_when_a_later_one_only_added_then_runs_on_its_database(
    new_database: Database, tmp_path: Path
) -> None:
    first, second, third = releases(tmp_path, TABLE, COLUMN, COLUMN.replace("more", "yet_more"))
    for release in (first, second, third):
        migrate(new_database, release, "x_version", expand_only=True)
    migrate(new_database, first, "x_version")
    migrate(new_database, second, "x_version")
    assert version(new_database, "x_version") == "0003"


def test_a_migration_when_it_takes_away_then_a_deploy_refuses_it_and_nothing_is_changed(
    new_database: Database, tmp_path: Path
) -> None:
    first, second = releases(tmp_path, TABLE, DROP)
    migrate(new_database, first, "x_version", expand_only=True)
    with pytest.raises(MigrationFailed, match="takes away what the release before needs: DROP TABLE thing"):
        migrate(new_database, second, "x_version", expand_only=True)
    assert version(new_database, "x_version") == "0001"
    with new_database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM thing")) == 0


def test_a_release_when_a_later_one_took_something_away_then_refuses_the_database(
    new_database: Database, tmp_path: Path
) -> None:
    first, second, third = releases(tmp_path, TABLE, DROP, TABLE)
    for release in (first, second, third):
        migrate(new_database, release, "x_version")
    migrate(new_database, second, "x_version")
    with pytest.raises(DatabaseNewer):
        migrate(new_database, first, "x_version")
