"""Blobs in an S3-compatible store: the bytes are objects there, and the database knows which there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import Connection

from store.blobs import CHUNK, Arriving, Blobs
from store.driver import Driver
from store.entry import Match
from store.errors import BlobRemoved, StoreUnavailable

CONNECT_TIMEOUT = 5
READ_TIMEOUT = 30
"""Seconds without a byte."""
CONNECTIONS = 32
MISSING = frozenset(("404", "NoSuchKey", "NotFound"))


class Bucket:
    """Objects under a prefix of one bucket."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: `s3://KEY:SECRET@BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION`. Without key and secret the
                conventional `AWS_…` variables are used; without an endpoint, Amazon.
        """
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self._name = parts.hostname or ""
        self._prefix = f"{parts.path.strip('/')}/".lstrip("/")
        self._client = boto3.session.Session().client(
            "s3",
            endpoint_url=query.get("endpoint"),
            region_name=query.get("region", "us-east-1"),
            aws_access_key_id=unquote(parts.username) if parts.username else None,
            aws_secret_access_key=unquote(parts.password) if parts.password else None,
            config=Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                # Each call here can be repeated without harm, unlike those of a provider.
                retries={"total_max_attempts": 5, "mode": "standard"},
                max_pool_connections=CONNECTIONS,
                s3={"addressing_style": "path"} if "endpoint" in query else None,
                # Not every compatible store knows the newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def has(self, name: str) -> bool:
        """Whether there is such an object."""
        with _answering():
            try:
                self._client.head_object(Bucket=self._name, Key=self._prefix + name)
            except ClientError as error:
                if error.response["Error"]["Code"] in MISSING:
                    return False
                raise
            return True

    def put(self, name: str, content: IO[bytes]) -> None:
        """Make an object, or make it again; durable once this returns."""
        with _answering():
            self._client.put_object(Bucket=self._name, Key=self._prefix + name, Body=content)

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of an object in pieces.

        Raises:
            BlobRemoved: there is none.
        """
        with _answering():
            try:
                body = self._client.get_object(Bucket=self._name, Key=self._prefix + name)["Body"]
            except ClientError as error:
                if error.response["Error"]["Code"] in MISSING:
                    raise BlobRemoved(f"blob {name} was removed; put it again if it is needed") from None
                raise
            with body:
                yield from body.iter_chunks(CHUNK)

    def remove(self, name: str) -> None:
        """Take an object away, if there is one."""
        with _answering():
            self._client.delete_object(Bucket=self._name, Key=self._prefix + name)


class S3Blobs(Blobs):
    """The `BlobStore` in a bucket, with a migrated `Database` beside it."""

    def __init__(self, bucket: Bucket, *arguments: Any, **named: Any) -> None:
        """
        Args:
            bucket: where the bytes are.
            arguments, named: as for `Blobs`.
        """
        super().__init__(*arguments, **named)
        self._bucket = bucket

    def keep(self, blob: Arriving) -> None:
        """As in `BlobStore`."""
        if self._is_fresh(blob.sha256):
            return
        if not self._bucket.has(blob.sha256):
            self._bucket.put(blob.sha256, blob.file())
        super().keep(blob)
        # Somebody may have removed it in between; now that it is written down as put again, nobody does.
        if not self._bucket.has(blob.sha256):
            self._bucket.put(blob.sha256, blob.file())

    def _write_contents(self, driver: Driver, new: Sequence[Arriving]) -> None:
        """The bytes are in the bucket already."""

    def _read(self, sha256: str, size: int, content: bytes | None) -> Iterator[bytes]:
        return self._bucket.read(sha256)

    def _remove_one(self, connection: Connection, sha256: str, unless: Sequence[Match]) -> bool:
        if not super()._remove_one(connection, sha256, unless):
            return False
        # Before the commit, so that whoever puts it again meanwhile waits for it to be gone.
        self._bucket.remove(sha256)
        return True


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise StoreUnavailable(
            f"the store of BITMAIL_BLOBS_URL does not do what it is asked: {error}"
        ) from error
