"""Looking: entries are found from the rarest of their terms, so that time goes with what is found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, literal_column, select, union_all

from store.tables import entries, postings

PROBE = 200
"""How far the postings of a term are counted to see which is rarest; beyond, any is as good."""

_BY_ID = select(entries.c.data).where(entries.c.id == bindparam("id"))


def find(
    connection: Connection,
    terms: Sequence[bytes],
    *,
    newest_first: bool = False,
    limit: int | None = None,
    before: int | None = None,
) -> list[tuple[int, str]]:
    """Id and JSON text of the entries that have all of `terms`, by id; of all entries for no terms."""
    statement = _finding(len(terms), newest_first, limit is not None, before is not None)
    rows = connection.execute(statement, _parameters(connection, terms, limit=limit, before=before))
    return [(row[0], row[1]) for row in rows]


def find_by_id(connection: Connection, id: int) -> str | None:
    """JSON text of the entry of an id."""
    data: str | None = connection.scalar(_BY_ID, {"id": id})
    return data


def count(connection: Connection, terms: Sequence[bytes]) -> int:
    """How many entries have all of `terms`."""
    number: int = connection.execute(_counting(len(terms)), _parameters(connection, terms)).scalar_one()
    return number


def _parameters(connection: Connection, terms: Sequence[bytes], **others: int | None) -> dict[str, Any]:
    given = {name: value for name, value in others.items() if value is not None}
    return {**_numbered(_rarest_first(connection, terms)), **given}


def _rarest_first(connection: Connection, terms: Sequence[bytes]) -> Sequence[bytes]:
    if len(terms) < 2:
        return terms
    rows = connection.execute(_probing(len(terms)), _numbered(terms))
    sizes: dict[int, int] = {row[0]: row[1] for row in rows}
    return [terms[number] for number in sorted(sizes, key=sizes.__getitem__)]


def _numbered(terms: Sequence[bytes]) -> dict[str, bytes]:
    return {f"term{number}": term for number, term in enumerate(terms)}


@lru_cache
def _probing(terms: int) -> Any:
    def probe(number: int) -> Any:
        some: Select[Any] = (
            select(literal_column("1")).where(postings.c.term == bindparam(f"term{number}")).limit(PROBE)
        )
        return select(literal_column(str(number)), func.count()).select_from(some.subquery())

    return union_all(*(probe(number) for number in range(terms)))


@lru_cache
def _finding(terms: int, newest_first: bool, limited: bool, paged: bool) -> Select[Any]:
    # Scalar subqueries leave the planners of both databases no choice but this order: the rarest term's
    # postings in order, for each a look whether the others are there, and the entry only of what is left.
    if terms:
        id = postings.c.entry
        data = select(entries.c.data).where(entries.c.id == id).scalar_subquery()
        statement = select(id, data).where(*_having(terms))
    else:
        id = entries.c.id
        statement = select(id, entries.c.data)
    if paged:
        statement = statement.where(id < bindparam("before") if newest_first else id > bindparam("before"))
    if limited:
        statement = statement.limit(bindparam("limit"))
    return statement.order_by(id.desc() if newest_first else id)


@lru_cache
def _counting(terms: int) -> Select[Any]:
    if not terms:
        return select(func.count()).select_from(entries)
    return select(func.count()).select_from(postings).where(*_having(terms))


def _having(terms: int) -> list[Any]:
    conditions: list[Any] = [postings.c.term == bindparam("term0")]
    for number in range(1, terms):
        other = postings.alias(f"other{number}")
        found: Select[Any] = select(literal_column("1")).where(
            other.c.term == bindparam(f"term{number}"), other.c.entry == postings.c.entry
        )
        conditions.append(found.correlate(postings).scalar_subquery().is_not(None))
    return conditions
