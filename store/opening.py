"""Opening the storage that the settings name: a database of one's own, or a store server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store.blobs import Blobs, BlobStore
from store.database import Database
from store.interface import JsonStore
from store.migration import migrate
from store.search import SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, SearchIndex, TextIndex
from store.settings import StoreSettings
from store.sql import SqlStore


@dataclass(frozen=True, slots=True)
class Storage:
    """What a tier stores by.

    Attributes:
        store: entries.
        blobs: bytes.
        index: finds entries by their words.
        close: gives back connections; the last thing to call.
    """

    store: JsonStore
    blobs: BlobStore
    index: TextIndex
    close: Callable[[], None]


def open_storage(settings: StoreSettings) -> Storage:
    """The storage of the settings, migrated and ready.

    Raises:
        StoreError: it cannot be used; the message says what to do.
    """
    if settings.store_url:
        from store.proxy import (  # here, since most do not need its imports
            ProxyBlobs,
            ProxyIndex,
            ProxyStore,
            StoreServer,
        )

        server = StoreServer(settings.store_url, settings.store_secret, ca=settings.store_ca)
        return Storage(ProxyStore(server), ProxyBlobs(server), ProxyIndex(server), server.close)
    database = Database(settings.resolved_database_url())
    migrate(database)
    migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE)
    return Storage(SqlStore(database), open_blobs(settings, database), SearchIndex(database), database.close)


def open_blobs(settings: StoreSettings, database: Database) -> Blobs:
    """Blobs beside a migrated database: in it, or in the bucket that the settings name."""
    if not settings.blobs_url:
        return Blobs(database)
    from store.s3 import Bucket, S3Blobs  # here, since most do not need its imports

    return S3Blobs(Bucket(settings.blobs_url), database)
