"""Postings: which entries have which term."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert

from store.tables import postings

_INSERT = insert(postings)
_DELETE = delete(postings).where(postings.c.term == bindparam("with"), postings.c.entry == bindparam("of"))


def index(connection: Connection, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry be found by the term beside it; none of the pairs may be there yet."""
    # In the order of the index: neighbours share pages, and two hosts cannot wait for each other.
    if rows := [{"term": term, "entry": id} for term, id in sorted(pairs)]:
        connection.execute(_INSERT, rows)


def forget(connection: Connection, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry no longer be found by the term beside it."""
    if rows := [{"with": term, "of": id} for term, id in sorted(pairs)]:
        connection.execute(_DELETE, rows)
