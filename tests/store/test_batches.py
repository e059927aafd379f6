"""Writes that share a transaction do what they do one after the other, and so does a look by a guess."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.store import statements_of
from store import ANY, Database, Match, MemoryStore
from store.driver import Driver
from store.lookup import Guesses, find
from store.operations import PutIfAbsent, PutMany, Remove, Update, UpdateAll, UpdateById, Write
from store.terms import terms_for, terms_of
from store.writer import Writer

GROUPS = [("a", "b")]
THERE = 6
"""Entries before the batch."""

keys, values = st.sampled_from("abc"), st.sampled_from("xy")
maps = st.dictionaries(keys, values, max_size=3)
matches = st.dictionaries(keys, values | st.just(ANY), max_size=3)
ids = st.integers(0, THERE)
often = st.sampled_from("xxxyz")
operations = st.one_of(
    st.builds(PutMany, st.lists(maps, max_size=3)),
    st.builds(PutIfAbsent, matches, maps),
    st.builds(Update, matches, maps),
    st.builds(UpdateById, ids, maps, matches),
    st.builds(UpdateAll, matches, maps),
    st.builds(Remove, ids),
)


@contextmanager
def undone(database: Database) -> Iterator[Driver]:
    """A transaction that is not kept."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        yield Driver.below(connection)
        transaction.rollback()


@pytest.mark.parametrize("few", [64, 2])
@given(there=st.lists(maps, min_size=THERE, max_size=THERE), batch=st.lists(operations, max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_writes_when_in_one_batch_then_do_what_they_do_alone(
    sql_database: Database, few: int, there: list[dict[str, str]], batch: list[Write[Any]]
) -> None:
    model = MemoryStore()
    first = model.put_many(there)
    with undone(sql_database) as driver, pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.writer.FEW", few)
        known = write(driver, [PutMany(there)])[0]
        named = dict(zip(first, known, strict=True))
        expected = [model.perform(one) for one in batch]
        answers = write(driver, [to_ids(one, named) for one in batch])
        for one, wanted, answer in zip(batch, expected, answers, strict=True):
            learn(named, one, wanted, answer)
            assert answer == renamed(one, wanted, named)
        entries = [(named[entry.id], entry.data) for entry in model.get({})]
        assert found(driver, {}) == entries
        postings = {(bytes(term), id) for term, id in driver.rows("SELECT term, entry FROM store_posting")}
        assert postings == {(term, id) for id, data in entries for term in terms_of(data, GROUPS)}


@given(
    there=st.lists(st.fixed_dictionaries({"a": often, "c": often}), max_size=30),
    asked=st.lists(
        st.tuples(st.fixed_dictionaries({"a": often, "c": often}), st.integers(0, 3), ids), max_size=8
    ),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_look_when_by_a_guess_then_finds_what_there_is(
    sql_database: Database,
    there: list[dict[str, str]],
    asked: list[tuple[Match, int, int]],
) -> None:
    model = MemoryStore()
    guesses = Guesses()
    with undone(sql_database) as driver, pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.lookup.PROBE", 3)  # so that a term is soon too long to be followed to its end
        named = dict(zip(model.put_many(there), write(driver, [PutMany(there)])[0], strict=True))
        for matching, limit, before in asked:
            for newest_first in (False, True):
                window = {"newest_first": newest_first, "limit": limit or None}
                wanted = model.get(matching, before=before or None, **window)  # type: ignore[arg-type]
                beyond = named.get(before, max(named.values(), default=0) + 1) if before else None
                rows = find(
                    driver,
                    terms_for(matching, GROUPS),
                    keys=matching,
                    guesses=guesses,
                    before=beyond,
                    **window,  # type: ignore[arg-type]
                )
                assert [id for id, _ in rows] == [named[entry.id] for entry in wanted]


def test_look_when_like_one_before_then_takes_one_statement(sql_database: Database) -> None:
    guesses = Guesses()
    with undone(sql_database) as driver:
        write(driver, [PutMany([{"user": "ada", "key": str(n)} for n in range(300)])])
        for number, statements in (("1", 2), ("2", 1), ("none", 1)):
            matching = {"user": "ada", "key": number}
            rows: list[tuple[int, str]] = []
            asked = statements_of(
                lambda matching=matching, rows=rows: rows.extend(
                    find(driver, terms_for(matching, []), keys=matching, guesses=guesses)
                )
            )
            assert [data for _, data in rows] == (
                [f'{{"user": "ada", "key": "{number}"}}'] if number.isdigit() else []
            )
            assert len(asked) == statements


def write(driver: Driver, batch: Sequence[Write[Any]]) -> list[Any]:
    writer = Writer(driver, GROUPS, Guesses())
    writer.prepare(batch)
    answers = [writer.write(one) for one in batch]
    writer.flush()
    return answers


def found(driver: Driver, matching: Match) -> list[tuple[int, Any]]:
    return [(id, json.loads(data)) for id, data in find(driver, terms_for(matching, GROUPS))]


def to_ids(one: Write[Any], named: dict[int, int]) -> Write[Any]:
    """The same operation on the same entry, whose id is another in the database."""
    unknown = 10**9
    match one:
        case UpdateById(id, changes, expecting):
            return UpdateById(named.get(id, unknown), changes, expecting)
        case Remove(id):
            return Remove(named.get(id, unknown))
    return one


def learn(named: dict[int, int], one: Write[Any], wanted: Any, answer: Any) -> None:
    """Ids of new entries go up in both."""
    if isinstance(one, PutMany):
        named.update(zip(wanted, answer, strict=True))
    elif isinstance(one, PutIfAbsent) and wanted[1]:
        named[wanted[0]] = answer[0]


def renamed(one: Write[Any], wanted: Any, named: dict[int, int]) -> Any:
    match one:
        case PutMany():
            return [named[id] for id in wanted]
        case PutIfAbsent():
            return (named[wanted[0]], wanted[1])
        case Update():
            return None if wanted is None else named[wanted]
    return wanted
