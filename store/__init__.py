"""The storage tier: a JSON-subset store, blobs, and the database below them. It knows no mail."""

from store.blobs import Blobs
from store.database import Database
from store.entry import ANY, Entry, Match
from store.errors import (
    DatabaseClosed,
    DatabaseNewer,
    InvalidEntry,
    MigrationFailed,
    StoreError,
    StoreUnavailable,
)
from store.interface import JsonStore
from store.memory import MemoryStore
from store.migration import migrate
from store.settings import StoreSettings
from store.sql import SqlStore

__all__ = [
    "ANY",
    "Blobs",
    "Database",
    "DatabaseClosed",
    "DatabaseNewer",
    "Entry",
    "InvalidEntry",
    "JsonStore",
    "Match",
    "MemoryStore",
    "MigrationFailed",
    "SqlStore",
    "StoreError",
    "StoreSettings",
    "StoreUnavailable",
    "migrate",
]
