"""SQLite files with the tables of tiers: made once, since most tests begin with one."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, Database, migrate
from store.migration import STORE_MIGRATIONS, STORE_VERSION_TABLE

Tier = tuple[Path, str]
STORE: Tier = (STORE_MIGRATIONS, STORE_VERSION_TABLE)
SEARCH: Tier = (SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
SPOOL: Tier = (MTA_MIGRATIONS, MTA_VERSION_TABLE)


def migrated(file: Path, *tiers: Tier) -> Path:
    """Write a migrated database with nothing in it, unless the file is there; return its path."""
    if not file.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(_empty(tiers or (STORE, SEARCH, SPOOL)))
    return file


@cache
def _empty(tiers: tuple[Tier, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bitmail.db"
        database = Database(f"sqlite:///{file}")
        for tier in tiers:
            migrate(database, *tier)
        database.close()
        return file.read_bytes()
