"""Full-text search: which documents of one owner have these words, newest first.

SQLite's FTS5 and PostgreSQL's text search behind the same few operations. Words are made here and not by the
databases, so that both find the same; each begins with what stands for its owner, so that a search costs what its owner
has and not what everyone has, and finds nobody else's.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, TextClause, text

from store.database import Database
from store.entry import MAX_ID

SEARCH_MIGRATIONS = Path(__file__).parent / "migrations" / "search"
"""Where the migrations of this table are, for `store.migrate`."""
SEARCH_VERSION_TABLE = "search_version"

TEXT_CHARACTERS = 200_000
"""Characters of one text that are indexed."""
WORD_CHARACTERS = 64
WORDS_ASKED = 30
SHORTEST_BEGINNING = 3
"""Characters from which on a word stands for all that begin with it; below, there would be too many."""
_ALL = "all"
"""The mark of everything."""

# Written without blanks between words, so each character is a word here, and a word of several a phrase.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_MARK = re.compile("[a-z]{2,20}")
_EARLIEST_YEAR = 1970
_LATEST = datetime(2099, 12, 31, tzinfo=UTC).timestamp()
"""Times beyond are taken for this one where only their month counts."""


class Part(StrEnum):
    """The texts of a document, each of which can be asked for alone."""

    AUTHOR = "author"
    READERS = "readers"
    TITLE = "title"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be found.

    Attributes:
        id: the entry that it stands for; later ones are newer.
        owner: who alone may find it.
        at: its time, in seconds since the epoch.
        author, readers, title, body: its texts.
        marks: what else can be asked for: words of 2 to 20 of a to z.
    """

    id: int
    owner: str
    at: float
    author: str = ""
    readers: str = ""
    title: str = ""
    body: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand together somewhere.

    Attributes:
        text: the words; case and accents do not matter.
        part: where; None for anywhere.
        whole: the last word is whole; otherwise it is the beginning of one, if it has three characters.
    """

    text: str
    part: Part | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What a document must have: all of it.

    Attributes:
        terms: words.
        marks: marks.
        before: its time is before this, in seconds since the epoch.
    """

    terms: tuple[Term, ...] = ()
    marks: tuple[str, ...] = ()
    before: float | None = None


def words(text: str) -> list[str]:
    """The words of a text as they are compared: without case and accents."""
    plain = unicodedata.normalize("NFKD", text[:TEXT_CHARACTERS])
    plain = unicodedata.normalize("NFC", _ACCENT.sub("", plain)).casefold()
    return [word[:WORD_CHARACTERS] for word in _WORD.findall(plain)]


class TextIndex(ABC):
    """Finds entries by their words, wherever the index is kept.

    Raises:
        StoreUnavailable: from each operation, when the database or the store server does not answer.
    """

    @abstractmethod
    def add(self, documents: Sequence[Document]) -> None:
        """Let these be found, durably; one that is there already is replaced."""

    @abstractmethod
    def remove(self, ids: Sequence[int]) -> None:
        """Let these no longer be found."""

    @abstractmethod
    def find(self, owner: str, query: Query, *, limit: int, before: int | None = None) -> list[int]:
        """The ids of one owner's documents that have all that is asked for, newest first.

        Args:
            owner: whose.
            query: what; nothing that was typed into it can break it.
            limit: at most so many.
            before: the id that ended the page before this one.
        """


class SearchIndex(TextIndex):
    """The index of a database that was migrated with `SEARCH_MIGRATIONS`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, documents: Sequence[Document]) -> None:
        """As in `TextIndex`."""
        if not documents:
            return
        if self._database.is_sqlite:
            self._database.write(_add, documents)
            return
        # Not among the writes that share a commit: those lock the whole store, and so much text takes its time.
        with self._database.transaction() as connection:
            _add(connection, [documents])

    def remove(self, ids: Sequence[int]) -> None:
        """As in `TextIndex`."""
        if ids:
            self._database.write(_remove, ids)

    def find(self, owner: str, query: Query, *, limit: int, before: int | None = None) -> list[int]:
        """As in `TextIndex`."""
        asked = _fts5(owner, query) if self._database.is_sqlite else _tsquery(owner, query)
        bounds = {
            "owner": owner,
            "asked": asked,
            "before": MAX_ID if before is None else max(0, min(before, MAX_ID)),
            "at": float("inf") if query.before is None else query.before,
            "limit": limit,
        }
        with self._database.read() as connection:
            statement = _FIND_SQLITE if self._database.is_sqlite else _FIND_POSTGRESQL
            return [id for (id,) in connection.execute(statement, bounds)]


_FIND_SQLITE = text(
    "SELECT rowid FROM store_search WHERE store_search MATCH :asked AND rowid < :before "
    "AND at < :at ORDER BY rowid DESC LIMIT :limit"
)
_FIND_POSTGRESQL = text(
    "SELECT id FROM store_search WHERE words @@ CAST(:asked AS tsquery) AND owner = :owner AND id < :before "
    "AND at < :at ORDER BY id DESC LIMIT :limit"
)
_ADD_SQLITE = text(
    "INSERT INTO store_search (rowid, at, marks, author, readers, title, body) "
    "VALUES (:id, :at, :marks, :author, :readers, :title, :body)"
)
_ADD_POSTGRESQL = text(
    "INSERT INTO store_search (id, owner, at, words) VALUES (:id, :owner, :at, "
    "setweight(to_tsvector('simple', :author), 'A') || setweight(to_tsvector('simple', :readers), 'B') || "
    "setweight(to_tsvector('simple', :title), 'C') || to_tsvector('simple', :body) || "
    "array_to_tsvector(CAST(:tags AS text[]))) "
    # Another process may add the same at the same moment.
    "ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, at = excluded.at, words = excluded.words"
)
_WEIGHTS = {Part.AUTHOR: "A", Part.READERS: "B", Part.TITLE: "C", Part.BODY: "D"}


def _add(connection: Connection, batch: Sequence[Sequence[Document]]) -> list[None]:
    latest = {document.id: document for documents in batch for document in documents}
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _delete(connection, list(latest))
    # In the order of their ids, so that two hosts that add the same ones cannot wait for each other.
    rows = [_row(latest[id]) for id in sorted(latest)]
    connection.execute(_ADD_SQLITE if sqlite else _ADD_POSTGRESQL, rows)
    return [None for _ in batch]


def _remove(connection: Connection, batch: Sequence[Sequence[int]]) -> list[None]:
    _delete(connection, sorted(id for ids in batch for id in ids))
    return [None for _ in batch]


def _delete(connection: Connection, ids: Sequence[int]) -> None:
    statement: TextClause = text(
        "DELETE FROM store_search WHERE rowid = :id"
        if connection.dialect.name == "sqlite"
        else "DELETE FROM store_search WHERE id = :id"
    )
    connection.execute(statement, [{"id": id} for id in ids])


def _row(document: Document) -> dict[str, Any]:
    owner = _owned(document.owner)
    moment = _month(document.at)
    marks = [owner + mark for mark in (*_known(document.marks), _ALL, f"y{moment[:4]}", f"m{moment}")]
    return {
        "id": document.id,
        "owner": document.owner,
        "at": document.at,
        "marks": " ".join(marks),
        # Words never have such a sign, so that none that is typed is taken for a mark.
        "tags": [f"#{mark}" for mark in marks],
        **{
            part.value: " ".join(owner + word for word in words(getattr(document, part.value)))
            for part in Part
        },
    }


def _owned(owner: str) -> str:
    """What every word of an owner's begins with: a letter and 60 bits, whatever the name is made of."""
    return "u" + blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()[1:]


def _month(at: float) -> str:
    """Year and month of a time, in UTC: 202611."""
    return datetime.fromtimestamp(min(max(at, 0.0), _LATEST), UTC).strftime("%Y%m")


def _before(at: float) -> list[str]:
    """Marks of which each document has one whose month is not after that of `at`."""
    moment = _month(at)
    year, month = int(moment[:4]), int(moment[4:])
    years = [f"y{earlier}" for earlier in range(_EARLIEST_YEAR, year)]
    return [*years, *(f"m{year}{earlier:02}" for earlier in range(1, month + 1))]


def _fts5(owner: str, query: Query) -> str:
    """The query in the language of FTS5."""
    tag = _owned(owner)
    asked = [f'marks : "{tag}{mark}"' for mark in (_known(query.marks) or (_ALL,))]
    if query.before is not None:
        times = " OR ".join(f'"{tag}{mark}"' for mark in _before(query.before))
        asked.append(f"marks : ({times})")
    for term, found in _terms(query):
        where = term.part.value if term.part else " ".join(Part)
        phrase = " ".join(tag + word for word in found)
        asked.append(f'{{{where}}} : "{phrase}"{" *" if _is_beginning(term, found) else ""}')
    return " AND ".join(asked)


def _tsquery(owner: str, query: Query) -> str:
    """The query in the language of PostgreSQL."""
    tag = _owned(owner)
    asked = [f"'#{tag}{mark}'" for mark in (_known(query.marks) or (_ALL,))]
    if query.before is not None:
        times = " | ".join(f"'#{tag}{mark}'" for mark in _before(query.before))
        asked.append(f"({times})")
    for term, found in _terms(query):
        weight = _WEIGHTS[term.part] if term.part else "ABCD"
        ends = [weight] * len(found)
        if _is_beginning(term, found):
            ends[-1] = f"*{weight}"
        lexemes = [f"'{tag}{word}':{end}" for word, end in zip(found, ends, strict=True)]
        asked.append(f"({' <-> '.join(lexemes)})")
    return " & ".join(asked)


def _is_beginning(term: Term, found: Sequence[str]) -> bool:
    return not term.whole and len(found[-1]) >= SHORTEST_BEGINNING


def _known(marks: Sequence[str]) -> tuple[str, ...]:
    return tuple(mark for mark in marks if _MARK.fullmatch(mark))


def _terms(query: Query) -> list[tuple[Term, list[str]]]:
    """The terms that have words, with their words."""
    found = ((term, words(term.text)[:WORDS_ASKED]) for term in query.terms[:WORDS_ASKED])
    return [(term, some) for term, some in found if some]
