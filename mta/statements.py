"""Statements for the hot path: written once, for the driver itself, in the way that each database is fast.

A statement runs once for all rows. On PostgreSQL a batch of any size costs one round trip then, and on SQLite
one turn of the interpreter's lock, which other threads want as well. The rows come as one JSON text, which is
made far quicker than arrays, and may hold anything but bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql

from store.driver import Driver

_DIALECT: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]


class Statement(NamedTuple):
    """The same for both databases; `one_by_one` where SQLite runs it once a row."""

    on_sqlite: str
    on_postgresql: str
    one_by_one: bool = False

    def run(self, driver: Driver, rows: Sequence[tuple[Any, ...]]) -> None:
        """Do it for every row; the rows of one statement must not be about the same thing.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        if driver.is_sqlite and self.one_by_one:
            driver.change(self.on_sqlite, "", rows)
        elif rows:
            statement = self.on_sqlite if driver.is_sqlite else self.on_postgresql
            driver.rows(statement, [json.dumps(rows)])


def unpacked(columns: Sequence[str]) -> str:
    """Rows named `new` out of one JSON text, on SQLite."""
    values = ", ".join(
        f"json_extract(value, '$[{place}]') AS {column}" for place, column in enumerate(columns)
    )
    return f"(SELECT {values} FROM json_each(?)) AS new"  # noqa: S608 - our own code


def packed(table: Table, columns: Sequence[str]) -> str:
    """The same on PostgreSQL."""
    values = ", ".join(
        f"(row ->> {place})::{_type(table, column)} AS {column}" for place, column in enumerate(columns)
    )
    return f"(SELECT {values} FROM jsonb_array_elements(?::text::jsonb) AS row) AS new"  # noqa: S608 - our own code


def arrays(table: Table, columns: Sequence[str]) -> str:
    """Rows named `new` out of an array a column, as `Driver.change` gives them: for bytes."""
    each = ", ".join(f"?::{_type(table, column)}[]" for column in columns)
    return f"unnest({each}) AS new ({', '.join(columns)})"


def insertion(
    table: Table,
    given: Sequence[str],
    always: Mapping[str, str] | None = None,
    tail: str = "",
    source: Callable[[Table, Sequence[str]], str] = packed,
    *,
    one_by_one: bool = False,
) -> Statement:
    """Insert rows.

    Args:
        table: where.
        given: the columns whose values the rows have, in their order.
        always: the other columns, each with its value as SQL.
        tail: what follows, such as `ON CONFLICT DO NOTHING`.
        source: how the rows come to PostgreSQL.
        one_by_one: SQLite runs it once a row, which is quicker where no thread wants the interpreter meanwhile, and
            takes bytes.
    """
    constants = always or {}
    head = f"INSERT INTO {table.name} ({', '.join([*given, *constants])})"
    ones = ", ".join(["?" for _ in given] + list(constants.values()))
    many = ", ".join([*given, *constants.values()])
    return Statement(
        f"{head} VALUES ({ones}) {tail}"
        if one_by_one
        else f"{head} SELECT {many} FROM {unpacked(given)} {tail}",  # noqa: S608 - our own code
        f"{head} SELECT {many} FROM {source(table, given)} {tail}",  # noqa: S608 - our own code
        one_by_one,
    )


def change(
    table: Table, given: Sequence[str], keys: Sequence[str], always: Mapping[str, str] | None = None
) -> Statement:
    """Update rows that are found by their key.

    Args:
        table: where.
        given: the columns that get a new value, in the order of the rows; after them come the keys.
        keys: the columns that find a row.
        always: other columns, each with its new value as SQL.
    """
    constants = [f"{column} = {value}" for column, value in (always or {}).items()]
    values = ", ".join([f"{column} = new.{column}" for column in given] + constants)
    each = " AND ".join(f"{table.name}.{key} = new.{key}" for key in keys)
    columns = [*given, *keys]
    return Statement(
        f"UPDATE {table.name} SET {values} FROM {unpacked(columns)} WHERE {each}",  # noqa: S608 - our own code
        f"UPDATE {table.name} SET {values} FROM {packed(table, columns)} WHERE {each}",  # noqa: S608 - our own code
    )


def _type(table: Table, column: str) -> str:
    return table.c[column].type.compile(dialect=_DIALECT)
