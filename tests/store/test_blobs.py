"""Blobs."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from store import ANY, BlobRemoved, Blobs, BlobStore, Database, SqlStore
from store.blobs import GRACE
from store.proxy import ProxyBlobs, ProxyStore
from store.tables import answers
from tests.store.conftest import Served


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_put_when_of_any_size_then_the_same_bytes_come_back(blobs: BlobStore, size: int) -> None:
    content = hashlib.shake_128(b"seed").digest(size)
    sha256 = blobs.put(content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert blobs.get(sha256) == content
    assert blobs.size(sha256) == size


def test_put_when_given_in_pieces_then_kept_as_one(blobs: BlobStore) -> None:
    sha256 = blobs.put(piece for piece in (b"ab", b"", b"c"))
    assert sha256 == hashlib.sha256(b"abc").hexdigest()
    assert blobs.get(sha256) == b"abc"


def test_get_when_unknown_then_none(blobs: BlobStore) -> None:
    unknown = hashlib.sha256(b"unknown").hexdigest()
    assert blobs.get(unknown) is None
    assert blobs.open(unknown) is None
    assert blobs.size(unknown) is None


def test_put_when_kept_already_then_kept_once(database: Database) -> None:
    blobs = Blobs(database)
    content = bytes(1_000_000)
    assert blobs.put(content) == blobs.put(content)
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM store_blob")) == 1
        assert connection.scalar(text("SELECT sum(length(content)) FROM store_chunk")) == len(content)


def test_put_when_blob_is_large_then_memory_stays_small(blobs: BlobStore) -> None:
    size, piece = 25 * 1024 * 1024, bytes(range(256)) * 256
    tracemalloc.start()
    sha256 = blobs.put(piece for _ in range(size // len(piece)))
    found = blobs.open(sha256)
    assert found is not None
    digest = hashlib.sha256()
    for part in found:
        digest.update(part)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert digest.hexdigest() == sha256 == hashlib.sha256(piece * (size // len(piece))).hexdigest()
    assert peak < 8 * 1024 * 1024


def test_put_when_content_fails_half_way_then_nothing_is_kept(blobs: BlobStore) -> None:
    def failing() -> Iterator[bytes]:
        yield b"half"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        blobs.put(failing())
    assert blobs.get(hashlib.sha256(b"half").hexdigest()) is None


@pytest.mark.parametrize("name", ["", "x", "0" * 63, "../" * 21 + "x", "0" * 63 + "\0", "ä" * 64])
def test_get_when_name_is_no_sha256_then_nothing(database: Database, name: str) -> None:
    blobs = Blobs(database)
    assert blobs.get(name) is None
    assert not blobs.remove(name, unless=[])


def test_put_when_raced_then_kept_once(blobs: BlobStore) -> None:
    content = bytes(700_000)
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(blobs.put, [content] * 16))
    assert len(names) == 1
    assert blobs.get(names.pop()) == content


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_remove_when_something_names_it_then_kept_until_nothing_does(sql_database: Database) -> None:
    clock = Clock()
    blobs, store = Blobs(sql_database, clock=clock), SqlStore(sql_database)
    sha256 = blobs.put(b"abc")
    one, two = (
        store.put({"raw": sha256}),
        store.put({"attachment": sha256, "mailbox": "Sent", "user": "anna"}),
    )
    clock.now += 2 * GRACE
    names = [{"raw": sha256}, {"attachment": sha256}]
    assert not blobs.remove(sha256, unless=names)
    store.remove(one)
    assert not blobs.remove(sha256, unless=names)
    store.remove(two)
    assert blobs.remove(sha256, unless=names)
    assert blobs.get(sha256) is None
    assert not blobs.remove(sha256, unless=names)
    with sql_database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM store_chunk")) == 0


def test_remove_when_another_table_names_it_then_kept(sql_database: Database) -> None:
    clock = Clock()
    # Any column will do; that of the answers stands for a table of another tier.
    blobs = Blobs(sql_database, named_by=[answers.c.answer], clock=clock)
    sha256 = blobs.put(b"abc")
    clock.now += 2 * GRACE
    with sql_database.transaction() as connection:
        connection.execute(answers.insert().values(request="r", answer=sha256, at=0.0))
    assert not blobs.remove(sha256, unless=[])
    with sql_database.transaction() as connection:
        connection.execute(answers.delete())
    assert blobs.remove(sha256, unless=[])


def test_remove_when_put_again_within_the_hour_then_kept(sql_database: Database) -> None:
    clock = Clock()
    blobs = Blobs(sql_database, clock=clock)
    sha256 = blobs.put(b"abc")
    clock.now += 2 * GRACE
    blobs.put(b"abc")
    clock.now += GRACE / 3
    blobs.put(b"abc")
    assert not blobs.remove(sha256, unless=[])
    clock.now += GRACE
    assert blobs.remove(sha256, unless=[])


def test_remove_when_by_proxy_then_as_locally(served: Served) -> None:
    blobs, store = ProxyBlobs(served.server), ProxyStore(served.server)
    sha256 = blobs.put(b"abc")
    with served.database.transaction() as connection:
        connection.execute(text("UPDATE store_blob SET put_at = 0"))
    id = store.put({"raw": sha256})
    assert not blobs.remove(sha256, unless=[{"raw": sha256}])
    assert not blobs.remove(sha256, unless=[{"other": "1"}, {"raw": ANY}])
    store.remove(id)
    assert blobs.remove(sha256, unless=[{"raw": sha256}])
    assert blobs.size(sha256) is None


def test_open_when_removed_meanwhile_then_reading_says_so(sql_database: Database) -> None:
    clock = Clock()
    blobs = Blobs(sql_database, clock=clock)
    sha256 = blobs.put(bytes(1_000_000))
    found = blobs.open(sha256)
    assert found is not None
    next(found)
    clock.now += 2 * GRACE
    assert blobs.remove(sha256, unless=[])
    with pytest.raises(BlobRemoved, match=sha256):
        next(found)
