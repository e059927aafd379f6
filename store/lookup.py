"""Looking: entries are found from the rarest of their terms, so that time goes with what is found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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

    @property
    def form(self) -> tuple[bool, bool, bool]:
        """What the text of a statement goes by: newest first, limited, paged."""
        return self.newest_first, self.limit is not None, self.before is not None

    @property
    def start(self) -> list[int]:
        """The parameters for where it begins."""
        return [] if self.before is None else [self.before]

    @property
    def most(self) -> list[int]:
        """The parameters for where it ends."""
        return [] if self.limit is None else [self.limit]


class Guesses:
    """Which term was the rarest, for each kind of match that was looked for.

    Matches of the same keys are alike: a key of one's own is rare whoever's it is. So one look from the term that was
    rarest last time nearly always finds what took two, and says itself when it may have missed something.
    """

    MOST = 1000

    def __init__(self) -> None:
        self._rarest: dict[tuple[str, ...], int | None] = {}

    def of(self, keys: tuple[str, ...]) -> int | None:
        """The place among its terms; None when there is none to be trusted."""
        return self._rarest.get(keys)

    def learn(self, keys: tuple[str, ...], place: int | None) -> None:
        """Keep it for the next of its kind."""
        if len(self._rarest) >= self.MOST:
            self._rarest.clear()
        self._rarest[keys] = place


def find(
    driver: Driver,
    terms: Sequence[bytes],
    *,
    newest_first: bool = False,
    limit: int | None = None,
    before: int | None = None,
    keys: Iterable[str] = (),
    guesses: Guesses | None = None,
) -> list[tuple[int, str]]:
    """Id and JSON text of the entries that have all of `terms`, by id; of all entries for no terms.

    Args:
        driver: of a connection.
        terms: what they have.
        newest_first: as in `JsonStore.get`.
        limit: as in `JsonStore.get`.
        before: as in `JsonStore.get`.
        keys: of the match that the terms stand for.
        guesses: what is known of such matches, and is added to.
    """
    window = _Window(newest_first, limit, before)
    if guesses is None or len(terms) < 2:
        return _find_from(driver, _rarest_first(driver, terms, window)[0], window)
    kind = tuple(keys)
    place = guesses.of(kind)
    if place is not None and place < len(terms):
        found = _find_near(driver, [terms[place], *terms[:place], *terms[place + 1 :]], window)
        if found is not None:
            return found
    ordered, is_short = _rarest_first(driver, terms, window)
    guesses.learn(kind, terms.index(ordered[0]) if is_short else None)
    return _find_from(driver, ordered, window)


def find_by_id(driver: Driver, id: int) -> str | None:
    """JSON text of the entry of an id."""
    rows = driver.rows("SELECT data FROM store_entry WHERE id = ?", [id])
    return rows[0][0] if rows else None


def find_by_ids(driver: Driver, ids: Sequence[int]) -> list[tuple[int, str]]:
    """Id and JSON text of the entries of these ids, in no order."""
    if driver.is_sqlite:
        rows = driver.rows(
            "SELECT id, data FROM store_entry WHERE id IN (SELECT value FROM json_each(?))", [json.dumps(ids)]
        )
    else:
        rows = driver.rows("SELECT id, data FROM store_entry WHERE id = ANY(?::bigint[])", [list(ids)])
    return [(row[0], row[1]) for row in rows]


def count(driver: Driver, terms: Sequence[bytes]) -> int:
    """How many entries have all of `terms`; of all entries for no terms."""
    rows = driver.rows(_counting(len(terms)), _rarest_first(driver, terms, _Window())[0])
    number: int = rows[0][0]
    return number


def _find_from(driver: Driver, terms: Sequence[bytes], window: _Window) -> list[tuple[int, str]]:
    """What has all terms, looked for along the postings of the first."""
    rows = driver.rows(_finding(len(terms), *window.form), [*terms, *window.start, *window.most])
    return [(row[0], row[1]) for row in rows]


def _find_near(driver: Driver, terms: Sequence[bytes], window: _Window) -> list[tuple[int, str]] | None:
    """The same among the first postings of the first term; None when there may be more beyond them."""
    last = [terms[0], *window.start, PROBE - 1]
    parameters = [*terms, *window.start, *last, *window.most, *last]
    rows = driver.rows(_finding_near(len(terms), *window.form), parameters)
    found = sorted((row[0], row[1]) for row in rows if row[0] is not None)
    goes_on = any(row[0] is None and row[1] is not None for row in rows)
    if goes_on and len(found) != window.limit:
        return None
    return found[::-1] if window.newest_first else found


def _rarest_first(driver: Driver, terms: Sequence[bytes], window: _Window) -> tuple[Sequence[bytes], bool]:
    """The terms from the rarest on, and whether the postings of that one end soon."""
    if len(terms) < 2:
        return terms, False
    statement = _probing(len(terms), window.newest_first, window.before is not None)
    probe = PROBE
    while True:
        parameters = [parameter for term in terms for parameter in (term, *window.start, probe)]
        rows = driver.rows(statement, parameters)
        # A page may end long before its terms do, so it does not pay to follow them to their ends.
        if window.limit is not None or min(row[1] for row in rows) < probe:
            break
        probe *= PROBE_GROWTH
    # Of terms that are all longer, the one whose postings go furthest is the sparsest on the way.
    direction = 1 if window.newest_first else -1
    ordered = sorted(rows, key=lambda row: (row[1], direction * (row[2] or 0)))
    return [terms[row[0]] for row in ordered], ordered[0][1] < PROBE


@lru_cache
def _finding(terms: int, newest_first: bool, limited: bool, paged: bool, last: str = "") -> str:
    id = "entry" if terms else "id"
    conditions = [*_having(terms), *_paging(id, newest_first, paged)]
    if last:
        conditions.append(
            f"{id} >= COALESCE(({last}), 0)" if newest_first else f"{id} <= COALESCE(({last}), {MAX_ID})"
        )
    return " ".join(
        [
            _ENTRY_OF_POSTING if terms else "SELECT id, data FROM store_entry",
            _where(conditions),
            _order(id, newest_first),
            "LIMIT ?" if limited else "",
        ]
    )


@lru_cache
def _finding_near(terms: int, newest_first: bool, limited: bool, paged: bool) -> str:
    last = _postings(newest_first, paged, "LIMIT 1 OFFSET ?")
    found = _finding(terms, newest_first, limited, paged, last)
    return f"SELECT * FROM ({found}) found UNION ALL SELECT NULL, CAST(({last}) AS TEXT)"  # noqa: S608


@lru_cache
def _counting(terms: int) -> str:
    table = "store_posting p" if terms else "store_entry"
    return f"SELECT count(*) FROM {table} {_where(_having(terms))}"  # noqa: S608 - our own words


@lru_cache
def _probing(terms: int, newest_first: bool, paged: bool) -> str:
    furthest, some = "min" if newest_first else "max", _postings(newest_first, paged, "LIMIT ?")
    return " UNION ALL ".join(
        f"SELECT {number}, count(*), {furthest}(entry) FROM ({some}) probed"  # noqa: S608
        for number in range(terms)
    )


def _postings(newest_first: bool, paged: bool, limit: str) -> str:
    """The postings of a term, from where the window begins."""
    where = _where(["term = ?", *_paging("entry", newest_first, paged)])
    return f"SELECT entry FROM store_posting {where} {_order('entry', newest_first)} {limit}"  # noqa: S608


def _order(id: str, newest_first: bool) -> str:
    return f"ORDER BY {id} DESC" if newest_first else f"ORDER BY {id}"


def _paging(id: str, newest_first: bool, paged: bool) -> list[str]:
    return [f"{id} < ?" if newest_first else f"{id} > ?"] if paged else []


def _having(terms: int) -> list[str]:
    return ["term = ?", *[_HAS_TERM] * (terms - 1)] if terms else []


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
