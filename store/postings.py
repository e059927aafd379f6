"""Postings: which entries have which term."""

from __future__ import annotations

import json
from collections.abc import Iterable

from store.driver import Driver


def index(driver: Driver, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry be found by the term beside it; none of the pairs may be there yet."""
    # In the order of the index: neighbours share pages, and two hosts cannot wait for each other.
    ordered = sorted(pairs)
    if driver.is_sqlite:
        # One statement for all, because most of a write is this, and it takes half the time of one a posting.
        driver.rows(
            "INSERT INTO store_posting (term, entry) "
            "SELECT substr(?, 16 * key + 1, 16), value FROM json_each(?)",
            [b"".join(term for term, _ in ordered), json.dumps([id for _, id in ordered])],
        )
    else:
        driver.rows(
            "INSERT INTO store_posting (term, entry) SELECT * FROM unnest(?::bytea[], ?::bigint[])",
            [[term for term, _ in ordered], [id for _, id in ordered]],
        )


def forget(driver: Driver, pairs: Iterable[tuple[bytes, int]]) -> None:
    """Let each entry no longer be found by the term beside it."""
    driver.change(
        "DELETE FROM store_posting WHERE term = ? AND entry = ?",
        "DELETE FROM store_posting WHERE (term, entry) IN (SELECT * FROM unnest(?::bytea[], ?::bigint[]))",
        sorted(pairs),
    )
