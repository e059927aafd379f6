"""Blobs."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import text

from store import Blobs, Database


@pytest.fixture
def blobs(database: Database) -> Blobs:
    return Blobs(database)


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
def test_put_when_of_any_size_then_the_same_bytes_come_back(blobs: Blobs, size: int) -> None:
    content = hashlib.shake_128(b"seed").digest(size)
    sha256 = blobs.put(content)
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert blobs.get(sha256) == content
    assert blobs.size(sha256) == size


def test_put_when_given_in_pieces_then_kept_as_one(blobs: Blobs) -> None:
    sha256 = blobs.put(piece for piece in (b"ab", b"", b"c"))
    assert sha256 == hashlib.sha256(b"abc").hexdigest()
    assert blobs.get(sha256) == b"abc"


def test_get_when_unknown_then_none(blobs: Blobs) -> None:
    unknown = hashlib.sha256(b"unknown").hexdigest()
    assert blobs.get(unknown) is None
    assert blobs.open(unknown) is None
    assert blobs.size(unknown) is None


def test_put_when_kept_already_then_kept_once(blobs: Blobs, database: Database) -> None:
    content = bytes(1_000_000)
    assert blobs.put(content) == blobs.put(content)
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM store_blob")) == 1
        assert connection.scalar(text("SELECT sum(length(content)) FROM store_chunk")) == len(content)
