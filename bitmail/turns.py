"""Turns: of several processes on one store, one at a time does what need not be done twice."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from store import JsonStore

LASTS = 10.0
"""Seconds after which another one may go on, if this one was killed."""


class Turn:
    """One process's share in the turns of some work, which must bear to be done twice: it may outlast its turn."""

    def __init__(self, store: JsonStore, work: str, *, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            store: that all of them work on.
            work: what is done by turns.
            clock: seconds since the epoch; where hosts' clocks differ, so do the lengths of turns.
        """
        self._store = store
        self._about = {"kind": "turn", "work": work}
        self._me = secrets.token_hex(8)
        self._clock = clock
        self._held = ""
        self._until = 0.0

    def take(self) -> bool:
        """Whether it is this one's turn, for half of `LASTS` at least."""
        now = self._clock()
        if now < self._until - LASTS / 2:
            return True
        if not (found := self._store.get(self._about, limit=1)):
            self._store.put_if_absent(self._about, self._about | {"held": ""})
            found = self._store.get(self._about, limit=1)
        held = found[0].data["held"]
        holder, _, until = held.partition(" ")
        if holder not in ("", self._me) and now < float(until):
            return False
        mine = f"{self._me} {now + LASTS}"
        if self._store.update(self._about | {"held": held}, {"held": mine}) is None:
            return False  # another one was quicker
        self._held, self._until = mine, now + LASTS
        return True

    def pass_on(self) -> None:
        """Let another one have it."""
        if self._held:
            self._store.update(self._about | {"held": self._held}, {"held": ""})
            self._held, self._until = "", 0.0
