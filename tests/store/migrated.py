"""An SQLite file with every tier's tables: made once, since most tests begin with one."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, Database, migrate


def migrated(file: Path) -> Path:
    """Write a migrated database with nothing in it, unless the file is there; return its path."""
    if not file.exists():
        file.write_bytes(_empty())
    return file


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bitmail.db"
        database = Database(f"sqlite:///{file}")
        migrate(database)
        migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        database.close()
        return file.read_bytes()
