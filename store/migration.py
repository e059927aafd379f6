"""Schema changes: each tier's numbered Alembic migrations, applied at start."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from store.database import Database
from store.errors import DatabaseNewer, MigrationFailed

STORE_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
STORE_VERSION_TABLE = "store_version"

_ENVIRONMENT = Path(__file__).parent / "migrations"
_NUMBERED = re.compile(r"(\d{4})_\w+\.py")
_LOCK = 0x6D696772  # "migr": the number of the advisory lock on PostgreSQL


def migrate(
    database: Database, folder: Path = STORE_MIGRATIONS, version_table: str = STORE_VERSION_TABLE
) -> None:
    """Bring the tables of one tier up to date; quick when they are.

    Of several processes that start at once, one migrates and the others wait for it. All of it is one
    transaction, so that a failure leaves the database as it was.

    Args:
        database: where.
        folder: the tier's migrations: Alembic files named `NNNN_words.py` with `revision = "NNNN"`, each
            revising the number before it.
        version_table: where the tier's number is kept, a table of its own for each tier.

    Raises:
        DatabaseNewer: the database has a number that is not in the folder.
        MigrationFailed: a migration raised.
    """
    numbers = sorted(found[1] for path in folder.iterdir() if (found := _NUMBERED.fullmatch(path.name)))
    with database.read() as connection:
        current = _version(connection, version_table)
    if current == numbers[-1]:
        return
    if current is not None and current not in numbers:
        raise DatabaseNewer(
            f"the database {database.url.render_as_string(hide_password=True)} is at version {current} of "
            f"{version_table}, and this release knows versions up to {numbers[-1]}; start that release, or "
            "restore the database from before its upgrade"
        )
    _upgrade(database, folder, version_table)


def _version(connection: Connection, version_table: str) -> str | None:
    if not inspect(connection).has_table(version_table):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {version_table}"))  # noqa: S608
    return version


def _upgrade(database: Database, folder: Path, version_table: str) -> None:
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
            command.upgrade(config, "head")
        except Exception as error:
            raise MigrationFailed(
                f"a migration in {folder} failed and the database is as it was before: {error}"
            ) from error
