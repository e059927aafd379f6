"""Blobs: bytes under their SHA-256, once each, in the same database as the entries that name them."""

from __future__ import annotations

import hashlib
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import time
from typing import IO, Any

from sqlalchemy import ColumnElement, Connection, delete, literal, select

from store.database import Database
from store.driver import Driver
from store.entry import Match, checked_match
from store.errors import BlobRemoved
from store.lookup import find
from store.tables import blobs
from store.terms import terms_for

CHUNK = 256 * 1024
"""Bytes in one piece of a blob."""
KEPT_IN_MEMORY = 1024 * 1024
"""Bytes up to which an incoming blob waits in memory; a larger one waits in a temporary file."""
GRACE = 3600.0
"""Seconds after a put in which a blob is not removed: the entry that will name it may be on its way."""

_NAME = re.compile("[0-9a-f]{64}")


class Arriving:
    """Bytes on their way in, to be used in a `with`: never in memory as a whole, and may be read again."""

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self._digest = hashlib.sha256()
        self._file = tempfile.SpooledTemporaryFile(max_size=KEPT_IN_MEMORY)  # noqa: SIM115 - closed on exit
        self.size = 0
        for piece in pieces:
            self.write(piece)

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._digest.update(piece)
        self._file.write(piece)
        self.size += len(piece)

    @property
    def sha256(self) -> str:
        """The name of what has arrived so far."""
        return self._digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """What has arrived, from the start, in pieces of `CHUNK` bytes."""
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            yield chunk

    def file(self) -> IO[bytes]:
        """What has arrived, from the start, as a file; stays ours to close."""
        self._file.seek(0)
        return self._file

    def __enter__(self) -> Arriving:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class BlobStore(ABC):
    """Bytes by their SHA-256, the same bytes once. Each operation is atomic, and durable once it returned.

    Raises:
        StoreUnavailable: from each operation, when the database or the store server does not answer.
    """

    def put(self, content: bytes | Iterable[bytes]) -> str:
        """Keep the bytes and return their SHA-256 in hexadecimal.

        Args:
            content: the bytes, or an iterable of pieces of any size, which is never in memory as a whole.
        """
        with Arriving([content] if isinstance(content, bytes) else content) as blob:
            self.keep(blob)
            return blob.sha256

    def get(self, sha256: str) -> bytes | None:
        """The bytes, or None when there are none by that name."""
        found = self.open(sha256)
        return None if found is None else b"".join(found)

    @abstractmethod
    def keep(self, blob: Arriving) -> None:
        """Keep what has arrived."""

    @abstractmethod
    def open(self, sha256: str) -> Iterator[bytes] | None:
        """The bytes in pieces, each read when it is asked for; None when there are none by that name.

        Raises:
            BlobRemoved: while reading, when somebody removes them.
        """

    @abstractmethod
    def size(self, sha256: str) -> int | None:
        """How many bytes, or None when there are none by that name."""

    @abstractmethod
    def remove(self, sha256: str, *, unless: Sequence[Match]) -> bool:
        """Forget the bytes, unless something still names them.

        What was put within the last hour stays in any case, since the entry that names it may be on its way.

        Args:
            sha256: which.
            unless: how entries may name them, as `[{"raw": sha256}]`; while one does, they stay.

        Returns:
            Whether they were removed.
        """


class Blobs(BlobStore):
    """The `BlobStore` in a migrated `Database`."""

    def __init__(
        self,
        database: Database,
        *,
        named_by: Sequence[ColumnElement[Any]] = (),
        clock: Callable[[], float] = time,
    ) -> None:
        """
        Args:
            database: migrated by `store.migrate`; stays the caller's to close.
            named_by: columns of other tables that name blobs; a blob that stands in one is not removed.
            clock: the time in seconds.
        """
        self._database = database
        self._named_by = named_by
        self._clock = clock

    def keep(self, blob: Arriving) -> None:
        """As in `BlobStore`."""
        if not self._is_fresh(blob.sha256):
            self._database.write(self._write, blob)

    def open(self, sha256: str) -> Iterator[bytes] | None:
        """As in `BlobStore`."""
        if not _NAME.fullmatch(sha256):
            return None
        # With the first piece, which nearly always is the only one.
        found = self._rows(
            "SELECT b.size, c.content FROM store_blob b "
            "LEFT JOIN store_chunk c ON c.sha256 = b.sha256 AND c.number = 0 WHERE b.sha256 = ?",
            sha256,
        )
        return self._read(sha256, *found[0]) if found else None

    def size(self, sha256: str) -> int | None:
        """As in `BlobStore`."""
        if not _NAME.fullmatch(sha256):
            return None
        found = self._rows("SELECT size FROM store_blob WHERE sha256 = ?", sha256)
        return found[0][0] if found else None

    def remove(self, sha256: str, *, unless: Sequence[Match]) -> bool:
        """As in `BlobStore`."""
        if not _NAME.fullmatch(sha256):
            return False
        return self._database.write(self._remove, (sha256, [checked_match(match) for match in unless]))

    def _is_fresh(self, sha256: str) -> bool:
        """Whether it was put within half the grace: then it is safe, and need not be written down as put again."""
        found = self._rows("SELECT put_at FROM store_blob WHERE sha256 = ?", sha256)
        return bool(found) and found[0][0] >= self._clock() - GRACE / 2

    def _read(self, sha256: str, size: int, content: bytes | None) -> Iterator[bytes]:
        number = 0
        while size > 0:
            if content is None:
                raise BlobRemoved(
                    f"blob {sha256} was removed while it was read; put it again if it is needed"
                )
            yield content
            size -= len(content)
            number += 1
            if size > 0:
                found = self._rows(
                    "SELECT content FROM store_chunk WHERE sha256 = ? AND number = ?", sha256, number
                )
                content = found[0][0] if found else None

    def _rows(self, statement: str, *parameters: str | int) -> list[tuple[Any, ...]]:
        return self._database.look(lambda driver: driver.rows(statement, parameters))

    def _write(self, connection: Connection, batch: Sequence[Arriving]) -> list[None]:
        driver, now = Driver.below(connection), self._clock()
        # In the order of their names, so that two hosts that put the same ones cannot wait for each other.
        new = sorted({blob.sha256: blob for blob in batch}.items())
        driver.change(
            "INSERT INTO store_blob (sha256, size, put_at) VALUES (?, ?, ?) "
            "ON CONFLICT (sha256) DO UPDATE SET put_at = excluded.put_at",
            "INSERT INTO store_blob (sha256, size, put_at) SELECT * FROM unnest(?::text[], ?::bigint[], ?::float8[]) "
            "ON CONFLICT (sha256) DO UPDATE SET put_at = excluded.put_at",
            [(name, blob.size, now) for name, blob in new],
        )
        self._write_contents(driver, [blob for _, blob in new])
        return [None for _ in batch]

    def _write_contents(self, driver: Driver, new: Sequence[Arriving]) -> None:
        rows: list[tuple[str, int, bytes]] = []
        held = 0
        for blob in new:
            for number, content in enumerate(blob.chunks()):
                rows.append((blob.sha256, number, content))
                held += len(content)
                if held >= CHUNK:
                    _write_chunks(driver, rows)
                    rows, held = [], 0
        _write_chunks(driver, rows)

    def _remove(self, connection: Connection, batch: Sequence[tuple[str, Sequence[Match]]]) -> list[bool]:
        return [self._remove_one(connection, sha256, unless) for sha256, unless in batch]

    def _remove_one(self, connection: Connection, sha256: str, unless: Sequence[Match]) -> bool:
        put_at = connection.scalar(select(blobs.c.put_at).where(blobs.c.sha256 == sha256).with_for_update())
        if put_at is None or put_at > self._clock() - GRACE:
            return False
        if any(find(Driver.below(connection), terms_for(match, []), limit=1) for match in unless):
            return False
        if any(connection.scalar(select(literal(1)).where(column == sha256)) for column in self._named_by):
            return False
        connection.execute(delete(blobs).where(blobs.c.sha256 == sha256))
        return True


def _write_chunks(driver: Driver, rows: Sequence[tuple[str, int, bytes]]) -> None:
    # What is put again may be there.
    driver.change(
        "INSERT INTO store_chunk (sha256, number, content) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        "INSERT INTO store_chunk (sha256, number, content) "
        "SELECT * FROM unnest(?::text[], ?::integer[], ?::bytea[]) ON CONFLICT DO NOTHING",
        rows,
    )
