"""Postings: which entries have which term."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

# In the driver's own words, because most of a write is this, and Core's care for each parameter doubled its
# cost.
_SQLITE = {
    "index": "INSERT INTO store_posting (term, entry) VALUES (?, ?)",
    "forget": "DELETE FROM store_posting WHERE term = ? AND entry = ?",
}
_POSTGRESQL = {
    "index": "INSERT INTO store_posting (term, entry) SELECT * FROM unnest(%b::bytea[], %b::bigint[])",
    "forget": "DELETE FROM store_posting "
    "WHERE (term, entry) IN (SELECT * FROM unnest(%b::bytea[], %b::bigint[]))",
}


def index(connection: Connection, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry be found by the term beside it; none of the pairs may be there yet."""
    _execute(connection, "index", pairs)


def forget(connection: Connection, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry no longer be found by the term beside it."""
    _execute(connection, "forget", pairs)


def _execute(connection: Connection, what: str, pairs: Iterable[tuple[bytes, int]]) -> None:
    # In the order of the index: neighbours share pages, and two hosts cannot wait for each other.
    ordered = sorted(pairs)
    if not ordered:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE[what], ordered)
    else:
        terms, ids = zip(*ordered, strict=True)
        connection.exec_driver_sql(_POSTGRESQL[what], (list(terms), list(ids)))
