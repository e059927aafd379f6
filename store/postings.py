"""Postings: which entries have which term."""

from __future__ import annotations

from collections.abc import Iterable

from store.driver import Driver


def index(driver: Driver, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry be found by the term beside it; none of the pairs may be there yet."""
    # In the order of the index: neighbours share pages, and two hosts cannot wait for each other.
    driver.change(
        "INSERT INTO store_posting (term, entry) VALUES (?, ?)",
        "INSERT INTO store_posting (term, entry) SELECT * FROM unnest(?::bytea[], ?::bigint[])",
        sorted(pairs),
    )


def forget(driver: Driver, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry no longer be found by the term beside it."""
    driver.change(
        "DELETE FROM store_posting WHERE term = ? AND entry = ?",
        "DELETE FROM store_posting WHERE (term, entry) IN (SELECT * FROM unnest(?::bytea[], ?::bigint[]))",
        sorted(pairs),
    )
