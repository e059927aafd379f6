"""Stores to test: every implementation behind one fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Database, JsonStore, MemoryStore, SqlStore, migrate


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database of its own."""
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    migrate(database)
    yield database
    database.close()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[JsonStore]:
    """Each implementation in turn, empty."""
    if request.param == "memory":
        yield MemoryStore()
    else:
        yield SqlStore(request.getfixturevalue("database"))
