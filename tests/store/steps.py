"""How much SQLite does for a lookup, counted instead of timed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from sqlalchemy import event

from store import Database

STEPS_COUNTED = 100
"""SQLite's own steps that count as one."""


def steps_of(database: Database, look: Callable[[], object]) -> int:
    """How many postings, entries and rows are read, as SQLite's own steps in hundreds.

    Args:
        database: whose steps; SQLite's.
        look: what is done with it.
    """
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    @event.listens_for(database.engine, "checkout")
    def watch(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(count, STEPS_COUNTED)

    @event.listens_for(database.engine, "checkin")
    def leave(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(None, 0)

    try:
        look()
    finally:
        event.remove(database.engine, "checkout", watch)
        event.remove(database.engine, "checkin", leave)
    return steps
