"""Presence: each web server says now and then that it is there, so that operators see every host and what it runs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from bitmail.version import version
from store import JsonStore

BEAT = 10.0
"""Seconds between two times that a web server says so."""
GONE = 3 * BEAT
"""Seconds of silence after which it counts as gone."""
_KIND = {"kind": "web server"}


@dataclass(frozen=True, slots=True)
class WebServer:
    """A web server that is there.

    Attributes:
        place: its host and process.
        version: of its code.
        at: when it said so last, in seconds since the epoch.
    """

    place: str
    version: str
    at: float


class Presence:
    """The web servers on one store."""

    def __init__(self, store: JsonStore, place: str = "", *, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            store: that all of them use.
            place: this one's host and process; found out when "".
            clock: the time in seconds since the epoch.
        """
        self._store = store
        self._about = _KIND | {"place": place or f"{socket.gethostname()}:{os.getpid()}"}
        self._clock = clock

    def tell(self) -> None:
        """Say that this one is there, and forget those that are gone.

        Raises:
            StoreUnavailable: the store cannot be written.
        """
        now = self._clock()
        said = {"version": version(), "at": repr(now)}
        if self._store.update(self._about, said) is None:
            self._store.put_if_absent(self._about, self._about | said)
        for entry in self._store.get(_KIND):
            if float(entry.data["at"]) <= now - GONE:
                self._store.remove(entry.id)

    def all(self) -> list[WebServer]:
        """Those that are there, by their place.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        known = (entry.data for entry in self._store.get(_KIND))
        there = (WebServer(one["place"], one["version"], float(one["at"])) for one in known)
        since = self._clock() - GONE
        return sorted((one for one in there if one.at > since), key=lambda one: one.place)
