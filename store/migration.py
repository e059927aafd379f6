"""Schema changes: each tier's numbered Alembic migrations, applied at start."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from store.database import Database
from store.errors import DatabaseNewer, MigrationFailed
from store.expansion import contractions

STORE_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
STORE_VERSION_TABLE = "store_version"

_ENVIRONMENT = Path(__file__).parent / "migrations"
_NUMBERED = re.compile(r"(\d{4})_\w+\.py")
_LOCK = 0x6D696772  # "migr": the number of the advisory lock on PostgreSQL


def migrate(
    database: Database,
    folder: Path = STORE_MIGRATIONS,
    version_table: str = STORE_VERSION_TABLE,
    *,
    expand_only: bool = False,
) -> None:
    """Bring the tables of one tier up to date; quick when they are.

    Of several processes that start at once, one migrates and the others wait for it. All of it is one
    transaction, so that a failure leaves the database as it was. A database that a later release only added to is
    used as it is, so that one can go back.

    Args:
        database: where.
        folder: the tier's migrations: Alembic files named `NNNN_words.py` with `revision = "NNNN"`, each
            revising the number before it.
        version_table: where the tier's number is kept, a table of its own for each tier.
        expand_only: refuse what the release before could not live with.

    Raises:
        DatabaseNewer: a later release has taken something away from the database.
        MigrationFailed: a migration raised, or was refused.
    """
    numbers = _numbers(folder)
    with database.read() as connection:
        current = _version(connection, version_table)
    if current == numbers[-1]:
        return
    if current is not None and current not in numbers:
        with database.read() as connection:
            if _floor(connection, version_table) in numbers:
                return
        raise DatabaseNewer(
            f"the database {database.url.render_as_string(hide_password=True)} is at version {current} of "
            f"{version_table}, and this release knows versions up to {numbers[-1]}; start that release, or "
            "restore the database from before its upgrade"
        )
    _upgrade(database, folder, version_table, current, expand_only=expand_only)


def _numbers(folder: Path) -> list[str]:
    return sorted(found[1] for path in folder.iterdir() if (found := _NUMBERED.fullmatch(path.name)))


def _floor(connection: Connection, version_table: str) -> str | None:
    """The number from which on a release can live with the database, or None where that was not kept yet."""
    if all(column["name"] != "floor" for column in inspect(connection).get_columns(version_table)):
        return None
    floor: str | None = connection.scalar(text(f"SELECT floor FROM {version_table}"))  # noqa: S608
    return floor


def _keep_floor(connection: Connection, version_table: str, floor: str) -> None:
    if all(column["name"] != "floor" for column in inspect(connection).get_columns(version_table)):
        connection.execute(text(f"ALTER TABLE {version_table} ADD COLUMN floor VARCHAR(32)"))
    connection.execute(text(f"UPDATE {version_table} SET floor = :floor"), {"floor": floor})  # noqa: S608


def _version(connection: Connection, version_table: str) -> str | None:
    if not inspect(connection).has_table(version_table):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {version_table}"))  # noqa: S608
    return version


def _upgrade(
    database: Database, folder: Path, version_table: str, before: str | None, *, expand_only: bool
) -> None:
    from alembic import command  # here, because a start with nothing to do should not pay for the import
    from alembic.config import Config

    with database.transaction() as connection:
        if not database.is_sqlite:  # on SQLite the transaction itself keeps other writers out
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        config = Config()
        config.set_main_option("script_location", str(_ENVIRONMENT).replace("%", "%%"))
        config.set_main_option("version_locations", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "newline")
        config.attributes.update(connection=connection, version_table=version_table)
        try:
            with contractions(connection) as contracting:
                command.upgrade(config, "head")
        except Exception as error:
            raise MigrationFailed(
                f"a migration in {folder} failed and the database is as it was before: {error}"
            ) from error
        if contracting and expand_only and before is not None:
            raise MigrationFailed(
                f"the database is as it was before, since a migration in {folder} takes away what the release before "
                f"needs: {contracting[0][:200]}. Deploy a release that does without it first"
            )
        now = _version(connection, version_table) or ""
        if contracting and before is not None:
            _keep_floor(connection, version_table, now)
        elif _floor(connection, version_table) is None:
            _keep_floor(connection, version_table, before or _numbers(folder)[0])
