"""Blobs in an S3-compatible store: what the suite for all blobs does not see."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from store import BlobRemoved, Blobs, Database, StoreSettings, StoreUnavailable, open_blobs
from store.blobs import GRACE
from store.s3 import Bucket, S3Blobs
from tests.store.conftest import serving
from tests.store.s3 import BUCKET, client
from tests.store.test_blobs import Clock


def objects(address: str) -> list[str]:
    return [found["Key"] for found in client(address).list_objects_v2(Bucket=BUCKET).get("Contents", [])]


@pytest.fixture
def address(s3_address: str) -> str:
    """The address of an empty bucket's server."""
    for key in objects(s3_address):
        client(s3_address).delete_object(Bucket=BUCKET, Key=key)
    return s3_address


def url(address: str) -> str:
    return f"s3://key:secret@{BUCKET}/mail?endpoint={address}"


def test_settings_when_they_name_a_bucket_then_the_bytes_are_there_and_not_in_the_database(
    database: Database, address: str
) -> None:
    blobs = open_blobs(StoreSettings(blobs_url=url(address)), database)
    sha256 = blobs.put(b"abc")
    assert objects(address) == [f"mail/{sha256}"]
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM store_chunk")) == 0
    assert type(open_blobs(StoreSettings(), database)) is Blobs


def test_settings_when_the_bucket_is_none_then_refused_without_a_word_of_the_secret() -> None:
    with pytest.raises(ValidationError, match="no address of a bucket"):
        StoreSettings(blobs_url="https://example.com/bucket")
    assert "abracadabra" not in repr(StoreSettings(blobs_url="s3://key:abracadabra@bucket"))


def test_remove_when_nothing_names_it_then_the_object_is_gone(database: Database, address: str) -> None:
    clock = Clock()
    blobs = S3Blobs(Bucket(url(address)), database, clock=clock)
    sha256 = blobs.put(b"abc")
    found = blobs.open(sha256)
    assert found is not None
    clock.now += 2 * GRACE
    assert blobs.remove(sha256, unless=[])
    assert objects(address) == []
    assert blobs.get(sha256) is None
    with pytest.raises(BlobRemoved, match=sha256):
        next(found)


class Interrupted(Bucket):
    """A bucket in which somebody removes what is put, between that and its being written down."""

    removed = False

    def put(self, name: str, content) -> None:  # type: ignore[no-untyped-def]
        super().put(name, content)
        if not self.removed:
            self.removed = True
            super().remove(name)


def test_put_when_somebody_removes_the_object_meanwhile_then_it_is_put_again(
    database: Database, address: str
) -> None:
    blobs = S3Blobs(Interrupted(url(address)), database)
    sha256 = blobs.put(b"abc")
    assert objects(address) == [f"mail/{sha256}"]
    assert blobs.get(sha256) == b"abc"


def test_put_when_the_bucket_does_not_answer_then_unavailable_and_nothing_claims_to_be_kept(
    database: Database,
) -> None:
    async def refuse(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with serving(refuse) as refusing:
        blobs = S3Blobs(Bucket(url(refusing)), database)
        with pytest.raises(StoreUnavailable, match="BITMAIL_BLOBS_URL"):
            blobs.put(b"abc")
    assert blobs.size(hashlib.sha256(b"abc").hexdigest()) is None
    with pytest.raises(StoreUnavailable):
        blobs.put(b"abc")
