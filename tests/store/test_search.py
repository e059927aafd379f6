"""The search index on both databases."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text

from store import (
    SEARCH_MIGRATIONS,
    SEARCH_VERSION_TABLE,
    Database,
    Document,
    Part,
    Query,
    SearchIndex,
    SqlStore,
    StoreError,
    Term,
    TextIndex,
    migrate,
)
from store.writer import _LOCK as STORE_LOCK
from tests.store.conftest import Served

LETTER = Document(
    1,
    "ada",
    100.0,
    author="Lise Meitner lise@example.com",
    readers="Ada Lovelace ada@example.org",
    title="Notes from the laboratory",
    body="Die Zahlen vom Dienstag über Café, 実験の結果です。",
    marks=("files",),
)


def find(index: TextIndex, *asked: str, owner: str = "ada", part: Part | None = None) -> list[int]:
    return index.find(owner, Query(tuple(Term(one, part) for one in asked)), limit=10)


@pytest.mark.parametrize(
    "asked",
    [
        "meitner",
        "LISE",
        "lise@example.com",
        "lab",
        "cafe",
        "Café",
        "dienstag über",
        "結果",
        "実験",
        "ada lov",
    ],
)
def test_find_when_a_text_has_the_words_then_it_is_found_whatever_their_case_and_accents(
    index: TextIndex, asked: str
) -> None:
    index.add([LETTER])
    assert find(index, asked) == [1]


@pytest.mark.parametrize("asked", ["ratory", "lise ada", "験実", "exampleorg"])
def test_find_when_no_text_has_the_words_together_then_nothing(index: TextIndex, asked: str) -> None:
    index.add([LETTER])
    assert find(index, asked) == []


def test_find_when_a_part_is_named_then_only_there(index: TextIndex) -> None:
    index.add([LETTER])
    assert find(index, "lise", part=Part.AUTHOR) == [1]
    assert find(index, "lise", part=Part.READERS) == []
    assert find(index, "lovelace", part=Part.READERS) == [1]
    assert find(index, "notes", part=Part.TITLE) == [1]
    assert find(index, "zahlen", part=Part.BODY) == [1]
    assert find(index, "zahlen", part=Part.TITLE) == []
    assert find(index, "lise", "zahlen") == [1]
    assert find(index, "lise", "absent") == []


def test_find_when_a_word_is_whole_then_its_beginning_is_not_enough(index: TextIndex) -> None:
    index.add([LETTER])
    assert index.find("ada", Query((Term("labor", whole=True),)), limit=10) == []
    assert index.find("ada", Query((Term("the laboratory", whole=True),)), limit=10) == [1]


def test_find_when_marks_or_a_time_are_asked_for_then_they_count(index: TextIndex) -> None:
    index.add([LETTER, Document(2, "ada", 200.0, title="notes")])
    notes = (Term("notes"),)
    assert index.find("ada", Query(notes, ("files",)), limit=10) == [1]
    assert index.find("ada", Query((), ("files",)), limit=10) == [1]
    assert index.find("ada", Query(notes, before=200.0), limit=10) == [1]
    assert index.find("ada", Query(), limit=10) == [2, 1]
    assert find(index, "files") == []


def test_find_when_the_words_are_somebody_elses_then_nothing(index: TextIndex) -> None:
    index.add([LETTER, Document(2, "eve ada", 1.0, body="notes"), Document(3, "ad", 1.0, body="notes")])
    assert find(index, "notes") == [1]
    assert find(index, "notes", owner="eve ada") == [2]
    assert find(index, "u", owner="eve") == []


def test_find_when_there_are_pages_then_newest_first_and_each_once(index: TextIndex) -> None:
    index.add([Document(id, "ada", float(id), body="word") for id in range(1, 8)])
    query = Query((Term("word"),))
    assert index.find("ada", query, limit=3) == [7, 6, 5]
    assert index.find("ada", query, limit=3, before=5) == [4, 3, 2]
    assert index.find("ada", query, limit=3, before=2) == [1]


def test_add_when_it_is_there_then_replaced_and_remove_takes_it_out(index: TextIndex) -> None:
    index.add([LETTER, LETTER])
    index.add([Document(1, "ada", 1.0, body="other")])
    assert find(index, "meitner") == []
    assert find(index, "other") == [1]
    index.remove([1, 99])
    assert find(index, "other") == []


@settings(
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20))
@pytest.mark.parametrize("whole", [True, False])
def test_find_when_anything_is_typed_then_no_error(index: TextIndex, whole: bool, typed: str) -> None:
    index.add([Document(1, "ada", 1.0, body=typed)])
    query = Query(
        (
            Term(typed, whole=whole),
            Term(f'" OR owner : {typed}', Part.TITLE, whole),
            Term("'x':A | !'y'", whole=whole),
        ),
        ('") OR (',),
    )
    assert index.find("ada", query, limit=5) == []


def test_find_when_there_are_many_then_only_what_fits_is_read(sql_database: Database) -> None:
    index = SearchIndex(sql_database)
    for start in range(1, 10_001, 2_000):
        index.add(
            [
                Document(
                    id, f"user{id % 10}", 1.0, body=f"common word {'rare' if id % 500 == 3 else 'usual'}"
                )
                for id in range(start, start + 2_000)
            ]
        )
    plans: list[str] = []
    with sql_database.transaction() as connection:
        if not sql_database.is_sqlite:
            connection.execute(text("ANALYZE store_search"))

    @event.listens_for(sql_database.engine, "before_cursor_execute")
    def explain(connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            asked = "EXPLAIN QUERY PLAN " if sql_database.is_sqlite else "EXPLAIN "
            cursor = connection.connection.cursor()
            cursor.execute(asked + statement, parameters)
            plans.append(" ".join(str(row) for row in cursor.fetchall()))

    for word, count in (("rare", 20), ("common", 50)):
        assert len(index.find("user3", Query((Term(word),)), limit=50)) == count
    event.remove(sql_database.engine, "before_cursor_execute", explain)
    assert len(plans) == 2
    for plan in plans:
        if sql_database.is_sqlite:
            assert "VIRTUAL TABLE INDEX" in plan
            assert "TEMP B-TREE" not in plan
        else:
            assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("drop", {}),
        ("add", {"documents": [{"id": "x"}]}),
        ("remove", {"ids": "all"}),
        ("find", {"owner": "ada"}),
        ("find", []),
    ],
)
def test_search_when_a_server_is_asked_what_is_no_question_then_refused(
    served: Served, verb: str, arguments: object
) -> None:
    with pytest.raises(StoreError, match="search"):
        served.server.ask("POST", f"/search/{verb}", body=lambda: json.dumps(arguments))


def test_add_when_two_processes_add_the_same_at_once_then_each_is_found_once(new_url: str) -> None:
    databases = [Database(new_url) for _ in range(4)]
    for database in databases:
        migrate(database)
        migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
    documents = [replace(LETTER, id=number) for number in range(1, 60)]
    orders = (documents, documents[::-1]) * 2

    def add(index: SearchIndex, order: list[Document]) -> None:
        for _ in range(5):
            index.add(order)

    try:
        with ThreadPoolExecutor(len(databases)) as pool:
            list(pool.map(add, map(SearchIndex, databases), orders))
        found = SearchIndex(databases[0]).find("ada", Query((Term("meitner", None),)), limit=100)
        assert found == [document.id for document in reversed(documents)]
    finally:
        for database in databases:
            database.close()


def test_add_when_another_host_holds_up_every_write_of_the_store_then_does_not_wait_for_it(
    postgres_database: Database,
) -> None:
    store, index = SqlStore(postgres_database), SearchIndex(postgres_database)
    store.count({})  # its groups are declared
    with ThreadPoolExecutor(1) as pool:
        with postgres_database.transaction() as elsewhere:
            elsewhere.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": STORE_LOCK})
            waiting = pool.submit(store.put_if_absent, {"kind": "held up"}, {"kind": "held up"})
            index.add([replace(LETTER, id=900, owner="judy")])
            assert find(index, "meitner", owner="judy") == [900]
            assert not waiting.done()
        assert waiting.result(30)
    index.remove([900])
