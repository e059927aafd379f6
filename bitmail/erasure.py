"""Erasing: an entry's words go at once, and the bytes it named when nobody else names them."""

from __future__ import annotations

from store import BlobStore, Entry, JsonStore, Match

GONE = "gone"
"""The mailbox of what waits for its bytes to be forgotten; the librarian looks there."""


def strip(store: JsonStore, entry: Entry, expecting: Match | None = None) -> bool:
    """Take every word out of an entry, and leave a note of the bytes that are to be forgotten.

    Args:
        store: where it is.
        entry: which.
        expecting: what it has to be still, as `JsonStore.update_by_id` takes it.

    Returns:
        Whether it was there.
    """
    left = dict.fromkeys(entry.data, "") | {"mailbox": GONE, "erased": entry.data.get("blob", "")}
    return store.update_by_id(entry.id, left, expecting=expecting)


def forget(store: JsonStore, blobs: BlobStore, id: int, blob: str) -> bool:
    """Forget the bytes that a stripped entry named, unless something else names them, and the entry itself.

    Returns:
        False when the bytes came within the hour: then both stay until the librarian looks again.
    """
    named = {"blob": blob}
    if blob and not blobs.remove(blob, unless=[named]):
        is_kept = blobs.size(blob) is not None
        if is_kept and not store.get(named, limit=1):
            return False
    return store.remove(id)


def erase(store: JsonStore, blobs: BlobStore, entry: Entry) -> bool:
    """Take an entry out of the store and its bytes with it, at once or when they are old enough; whether it was there.

    An interruption at any moment leaves nothing that the librarian does not find.
    """
    was_there = strip(store, entry)
    if was_there:
        forget(store, blobs, entry.id, entry.data.get("blob", ""))
    return was_there
