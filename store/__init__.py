"""The storage tier: a JSON-subset store, blobs, and the database below them. It knows no mail."""

from store.blobs import Blobs, BlobStore
from store.database import Database
from store.entry import ANY, Entry, Match
from store.errors import (
    BlobRemoved,
    DatabaseClosed,
    DatabaseNewer,
    InvalidEntry,
    MalformedRequest,
    MigrationFailed,
    StoreError,
    StoreUnavailable,
    TooLarge,
    UnknownOperation,
    WrongSecret,
)
from store.interface import JsonStore
from store.memory import MemoryStore
from store.migration import migrate
from store.opening import Storage, open_blobs, open_storage
from store.search import (
    SEARCH_MIGRATIONS,
    SEARCH_VERSION_TABLE,
    Document,
    Part,
    Query,
    SearchIndex,
    Term,
    TextIndex,
)
from store.settings import StoreSettings
from store.sql import SqlStore

__all__ = [
    "ANY",
    "SEARCH_MIGRATIONS",
    "SEARCH_VERSION_TABLE",
    "BlobRemoved",
    "BlobStore",
    "Blobs",
    "Database",
    "DatabaseClosed",
    "DatabaseNewer",
    "Document",
    "Entry",
    "InvalidEntry",
    "JsonStore",
    "MalformedRequest",
    "Match",
    "MemoryStore",
    "MigrationFailed",
    "Part",
    "Query",
    "SearchIndex",
    "SqlStore",
    "Storage",
    "StoreError",
    "StoreSettings",
    "StoreUnavailable",
    "Term",
    "TextIndex",
    "TooLarge",
    "UnknownOperation",
    "WrongSecret",
    "migrate",
    "open_blobs",
    "open_storage",
]
