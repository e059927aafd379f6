"""Sessions: who is calling, proved by a secret of which only the hash is kept."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from bitmail.digests import digest_of
from store import Entry, JsonStore

IDLE = 7 * 86400.0
"""Seconds without a visit after which a session ends."""
LONGEST = 30 * 86400.0
"""Seconds after which a session ends in any case."""
SHOWN = 100
"""Sessions shown to their owner."""
LABEL = 200
"""Characters kept of what a browser calls itself."""
TOUCH = 300.0
"""Seconds between two records of a visit, so that looking does not mean writing."""


@dataclass(frozen=True, slots=True)
class Session:
    """One person's log-in in one browser.

    Attributes:
        id: the store's id of it.
        user: the account's name.
        zone: the IANA time zone of the browser, as far as it said one.
        language: the tag of the language that the person chose, or "" for the browser's.
    """

    id: int
    user: str
    zone: str = "UTC"
    language: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A session as its owner sees it among their others.

    Attributes:
        id: the store's id of it.
        begun, seen: seconds since the epoch; `seen` is as old as `TOUCH` at most.
        address: the network address that it was begun from.
        agent: what the browser called itself then.
    """

    id: int
    begun: float
    seen: float
    address: str
    agent: str


class Sessions:
    """All sessions, found by their secret."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def open(self, user: str, *, address: str = "", agent: str = "", zone: str = "") -> str:
        """Begin a session and return its secret: 256 random bits, to be given to the browser and kept nowhere else.

        Args:
            user: whose.
            address: the network address it is begun from.
            agent: what the browser calls itself.
            zone: the IANA time zone of the browser, or "" when unknown.
        """
        secret = secrets.token_urlsafe(32)
        now = repr(self._clock())
        self._store.put(
            {
                "kind": "session",
                "hash": digest_of(secret),
                "user": user,
                "created": now,
                "seen": now,
                "address": address,
                "agent": "".join(letter for letter in agent if letter.isprintable())[:LABEL],
            }
            | ({"zone": zone} if zone else {})
        )
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of a secret, unless there is none or it has expired."""
        if not secret or len(secret) > 128:
            return None
        found = self._store.get({"kind": "session", "hash": digest_of(secret)}, limit=1)
        if not found:
            return None
        entry, now = found[0], self._clock()
        if self._is_over(entry):
            self._store.remove(entry.id)
            return None
        if now - float(entry.data["seen"]) > TOUCH:
            self._store.update_by_id(entry.id, {"seen": repr(now)})
        return Session(
            entry.id, entry.data["user"], entry.data.get("zone", "UTC"), entry.data.get("language", "")
        )

    def set_zone(self, session: Session, zone: str) -> None:
        """Remember the time zone of the browser; the caller has checked that it is one."""
        self._store.update_by_id(session.id, {"zone": zone}, expecting={"kind": "session"})

    def set_language(self, session: Session, language: str) -> None:
        """Remember the language that the person chose, or "", so that finding the session says it."""
        self._store.update_by_id(session.id, {"language": language}, expecting={"kind": "session"})

    def of(self, user: str) -> list[Visit]:
        """The sessions of a person, newest first."""
        return [
            Visit(
                entry.id,
                float(entry.data["created"]),
                float(entry.data["seen"]),
                entry.data.get("address", ""),
                entry.data.get("agent", ""),
            )
            for entry in self._store.get({"kind": "session", "user": user}, newest_first=True, limit=SHOWN)
            if not self._is_over(entry)
        ]

    def end(self, user: str, id: int) -> bool:
        """End one session of this person; whether there was one."""
        entry = self._store.get_by_id(id)
        if entry is None or entry.data.get("kind") != "session" or entry.data.get("user") != user:
            return False
        return self._store.remove(id)

    def end_all(self, user: str, *, but: int = 0) -> int:
        """End every session of this person, except the one with the id `but`; how many that were."""
        ended = 0
        for entry in self._store.get({"kind": "session", "user": user}):
            ended += entry.id != but and self._store.remove(entry.id)
        return ended

    def close(self, secret: str) -> None:
        """End a session; from now on its secret opens nothing."""
        for entry in self._store.get({"kind": "session", "hash": digest_of(secret)}):
            self._store.remove(entry.id)

    def _is_over(self, entry: Entry) -> bool:
        now = self._clock()
        return now - float(entry.data["created"]) > LONGEST or now - float(entry.data["seen"]) > IDLE
