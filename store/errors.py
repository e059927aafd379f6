"""What can go wrong in the storage tier; each message says what to do."""

from __future__ import annotations


class StoreError(Exception):
    """Anything the storage tier refuses or cannot do."""


class InvalidEntry(StoreError):
    """A key or value is not text that every implementation can keep; nothing was changed.

    Attributes:
        key: the key at fault, as it was given.
    """

    def __init__(self, message: str, key: object) -> None:
        super().__init__(message)
        self.key = key


class DatabaseClosed(StoreError):
    """A write was asked for after the database was closed."""


class DatabaseNewer(StoreError):
    """The database was made by a newer release than the one that is running."""


class MigrationFailed(StoreError):
    """A schema change could not be made; the database is as it was before."""


class StoreUnavailable(StoreError):
    """The database or the store server does not answer. A write may or may not have been made."""


class WrongSecret(StoreError):
    """The store server and its caller do not share the same secret."""


class TooLarge(StoreError):
    """More bytes in one request than the store server takes."""


class UnknownOperation(StoreError):
    """The store server does not know what it was asked for."""


class MalformedRequest(StoreError):
    """What the store server was sent is not the wire form of an operation."""


class BlobRemoved(StoreError):
    """A blob went away while it was read."""
