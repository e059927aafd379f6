"""Senders whose remote images a person wants to see without being asked."""

from __future__ import annotations

from store import JsonStore


class TrustedSenders:
    """Of every person; each call names whose."""

    def __init__(self, store: JsonStore) -> None:
        self._store = store

    def trust(self, user: str, sender: str) -> None:
        """Show remote images of this sender from now on."""
        entry = _entry(user, sender)
        self._store.put_if_absent(entry, entry)

    def forget(self, user: str, sender: str) -> None:
        """Ask again."""
        for entry in self._store.get(_entry(user, sender)):
            self._store.remove(entry.id)

    def is_trusted(self, user: str, sender: str) -> bool:
        """Whether remote images of this sender are shown."""
        return bool(sender) and bool(self._store.get(_entry(user, sender), limit=1))

    def of(self, user: str) -> list[str]:
        """The senders, in the order they were trusted."""
        return [
            entry.data["sender"] for entry in self._store.get({"kind": "images", "user": user}, limit=1000)
        ]


def _entry(user: str, sender: str) -> dict[str, str]:
    return {"kind": "images", "user": user, "sender": sender.casefold()}
