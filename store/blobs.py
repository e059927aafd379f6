"""Blobs: bytes under their SHA-256, once each, in the same database as the entries that name them."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import time
from typing import IO

from sqlalchemy import Connection, insert, select, update

from store.database import Database
from store.tables import blobs, chunks

CHUNK = 256 * 1024
"""Bytes in one piece of a blob."""
KEPT_IN_MEMORY = 1024 * 1024
"""Bytes up to which an incoming blob waits in memory; a larger one waits in a temporary file."""
GRACE = 3600.0
"""Seconds after a put in which a blob is not removed: the entry that will name it may be on its way."""


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A blob that is wholly here, and may be read more than once."""

    sha256: str
    size: int
    content: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        self.content.seek(0)
        while chunk := self.content.read(CHUNK):
            yield chunk


class Blobs:
    """Bytes by their SHA-256, the same bytes once. Each operation is atomic, and durable once it returned."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time) -> None:
        """
        Args:
            database: migrated by `store.migrate`; stays the caller's to close.
            clock: the time in seconds.
        """
        self._database = database
        self._clock = clock

    def put(self, content: bytes | Iterable[bytes]) -> str:
        """Keep the bytes and return their SHA-256 in hexadecimal.

        Args:
            content: the bytes, or an iterable of pieces of any size, which is never held in memory as a
                whole.

        Raises:
            StoreUnavailable: the database does not answer; the blob may have been kept.
        """
        with _arrived(content) as blob:
            # Within half the grace it is safe from removal, and need not be written down as put again.
            if not self._put_after(blob.sha256, self._clock() - GRACE / 2):
                self._database.write(self._write, blob)
            return blob.sha256

    def get(self, sha256: str) -> bytes | None:
        """The bytes, or None when there are none by that name."""
        found = self.open(sha256)
        return None if found is None else b"".join(found)

    def open(self, sha256: str) -> Iterator[bytes] | None:
        """The bytes in pieces, each read when it is asked for; None when there are none by that name."""
        if self.size(sha256) is None:
            return None
        return self._read(sha256)

    def size(self, sha256: str) -> int | None:
        """How many bytes, or None when there are none by that name."""
        with self._database.read() as connection:
            return connection.scalar(select(blobs.c.size).where(blobs.c.sha256 == sha256))

    def _put_after(self, sha256: str, moment: float) -> bool:
        with self._database.read() as connection:
            put_at = connection.scalar(select(blobs.c.put_at).where(blobs.c.sha256 == sha256))
        return put_at is not None and put_at > moment

    def _read(self, sha256: str) -> Iterator[bytes]:
        number = 0
        piece = select(chunks.c.content).where(chunks.c.sha256 == sha256)
        while True:
            with self._database.read() as connection:
                content = connection.scalar(piece.where(chunks.c.number == number))
            if content is None:
                return
            yield content
            number += 1

    def _write(self, connection: Connection, batch: Sequence[_Arrived]) -> list[None]:
        # In the order of their names, so that two hosts that put the same ones cannot wait for each other.
        for blob in sorted(batch, key=lambda blob: blob.sha256):
            now = self._clock()
            again = update(blobs).where(blobs.c.sha256 == blob.sha256).values(put_at=now)
            if connection.execute(again).rowcount:
                continue
            connection.execute(insert(blobs).values(sha256=blob.sha256, size=blob.size, put_at=now))
            for number, chunk in enumerate(blob.chunks()):
                connection.execute(insert(chunks).values(sha256=blob.sha256, number=number, content=chunk))
        return [None for _ in batch]


@contextmanager
def _arrived(content: bytes | Iterable[bytes]) -> Iterator[_Arrived]:
    pieces = [content] if isinstance(content, bytes) else content
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=KEPT_IN_MEMORY) as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        yield _Arrived(digest.hexdigest(), file.tell(), file)
