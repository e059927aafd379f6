"""Declared groups: keys that are indexed together, for every process on the database alike."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, insert, text

from store.database import Database
from store.driver import Driver
from store.entry import ANY
from store.lookup import find
from store.postings import index
from store.tables import groups
from store.terms import Group, group_term, terms_for

_PAGE = 10_000


def known_groups(driver: Driver) -> list[Group]:
    """The groups that the database keeps, ordered."""
    return sorted(tuple(json.loads(members)) for (members,) in driver.rows("SELECT members FROM store_group"))


def declare_groups(database: Database, declared: Collection[Group]) -> list[Group]:
    """See to it that the database keeps these groups, and return all that it keeps.

    A new one takes in the entries that are there, in one transaction.
    """
    known = database.look(known_groups)
    for group in sorted(set(declared) - set(known)):
        database.write(_add_groups, group)
    return sorted({*declared, *known})


def _add_groups(connection: Connection, batch: Sequence[Group]) -> list[None]:
    if connection.dialect.name == "postgresql":
        # A writer holds a weaker lock on this table from reading it, so none is half-way while entries are
        # taken in.
        connection.execute(text("LOCK TABLE store_group IN ACCESS EXCLUSIVE MODE"))
    driver = Driver.below(connection)
    for group in sorted(set(batch) - set(known_groups(driver))):
        connection.execute(insert(groups).values(members=json.dumps(group)))
        _index_entries(driver, group)
    return [None for _ in batch]


def _index_entries(driver: Driver, group: Group) -> None:
    some_key = terms_for({group[0]: ANY}, [])
    last = 0
    while page := find(driver, some_key, limit=_PAGE, before=last):
        last = page[-1][0]
        having = [(id, data) for id, text in page if set(group) <= (data := json.loads(text)).keys()]
        index(driver, [(group_term(group, data), id) for id, data in having])
