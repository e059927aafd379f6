"""Looking: entries are found from the rarest of their terms, so that time goes with what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from store.driver import Driver
from store.entry import MAX_ID

PROBE = 200
"""How far the postings of each term are followed at first to see which is rarest."""
PROBE_GROWTH = 16

# The statements are text, made once for each form that a lookup has: building them from tables and columns
# anew took longer than the database took to answer. Scalar subqueries leave the planners of both databases no
# choice but this order: the rarest term's postings in order, for each a look whether the others are there,
# and the entry of what is left.
_ENTRY_OF_POSTING = "SELECT entry, (SELECT data FROM store_entry WHERE id = p.entry) FROM store_posting p"
_HAS_TERM = "(SELECT 1 FROM store_posting q WHERE q.term = ? AND q.entry = p.entry) IS NOT NULL"


@dataclass(frozen=True, slots=True)
class _Window:
    """Which part of what matches is wanted, as in `JsonStore.get`."""

    newest_first: bool = False
    limit: int | None = None
    before: int | None = None

    def __post_init__(self) -> None:
        for name in ("limit", "before"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else max(0, min(value, MAX_ID)))


def find(
    driver: Driver,
    terms: Sequence[bytes],
    *,
    newest_first: bool = False,
    limit: int | None = None,
    before: int | None = None,
) -> list[tuple[int, str]]:
    """Id and JSON text of the entries that have all of `terms`, by id; of all entries for no terms."""
    window = _Window(newest_first, limit, before)
    statement = _finding(len(terms), newest_first, limit is not None, before is not None)
    bounds = [bound for bound in (window.before, window.limit) if bound is not None]
    parameters = [*_rarest_first(driver, terms, window), *bounds]
    return [(row[0], row[1]) for row in driver.rows(statement, parameters)]


def find_by_id(driver: Driver, id: int) -> str | None:
    """JSON text of the entry of an id."""
    rows = driver.rows("SELECT data FROM store_entry WHERE id = ?", [id])
    return rows[0][0] if rows else None


def count(driver: Driver, terms: Sequence[bytes]) -> int:
    """How many entries have all of `terms`; of all entries for no terms."""
    rows = driver.rows(_counting(len(terms)), _rarest_first(driver, terms, _Window()))
    number: int = rows[0][0]
    return number


def _rarest_first(driver: Driver, terms: Sequence[bytes], window: _Window) -> Sequence[bytes]:
    if len(terms) < 2:
        return terms
    statement = _probing(len(terms), window.newest_first, window.before is not None)
    probe = PROBE
    while True:
        bounds = [probe] if window.before is None else [window.before, probe]
        parameters = [parameter for term in terms for parameter in (term, *bounds)]
        rows = driver.rows(statement, parameters)
        # A page may end long before its terms do, so it does not pay to follow them to their ends.
        if window.limit is not None or min(row[1] for row in rows) < probe:
            break
        probe *= PROBE_GROWTH
    # Of terms that are all longer, the one whose postings go furthest is the sparsest on the way.
    direction = 1 if window.newest_first else -1
    return [terms[row[0]] for row in sorted(rows, key=lambda row: (row[1], direction * (row[2] or 0)))]


@lru_cache
def _finding(terms: int, newest_first: bool, limited: bool, paged: bool) -> str:
    id = "entry" if terms else "id"
    return " ".join(
        [
            _ENTRY_OF_POSTING if terms else "SELECT id, data FROM store_entry",
            _where([*_having(terms), *_paging(id, newest_first, paged)]),
            f"ORDER BY {id} DESC" if newest_first else f"ORDER BY {id}",
            "LIMIT ?" if limited else "",
        ]
    )


@lru_cache
def _counting(terms: int) -> str:
    table = "store_posting p" if terms else "store_entry"
    return f"SELECT count(*) FROM {table} {_where(_having(terms))}"  # noqa: S608 - our own words


@lru_cache
def _probing(terms: int, newest_first: bool, paged: bool) -> str:
    order, furthest = ("DESC", "min") if newest_first else ("ASC", "max")
    where = _where(["term = ?", *_paging("entry", newest_first, paged)])
    some = f"SELECT entry FROM store_posting {where} ORDER BY entry {order} LIMIT ?"  # noqa: S608
    return " UNION ALL ".join(
        f"SELECT {number}, count(*), {furthest}(entry) FROM ({some}) probed"  # noqa: S608
        for number in range(terms)
    )


def _paging(id: str, newest_first: bool, paged: bool) -> list[str]:
    return [f"{id} < ?" if newest_first else f"{id} > ?"] if paged else []


def _having(terms: int) -> list[str]:
    return ["term = ?", *[_HAS_TERM] * (terms - 1)] if terms else []


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
