"""The throttle: how often something may be tried, counted in the store, so that every web process counts alike."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from bitmail.errors import TooMany
from store import Entry, JsonStore

SWEEP = 64
"""Old counts looked at whenever a new one is begun, so that counts of strangers do not pile up."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of something is free, and how the wait grows beyond it.

    Attributes:
        free: tries that cost no wait.
        wait: seconds of the first wait; each further try doubles it.
        most: seconds that a wait has at most.
        memory: seconds after the last try in which everything is forgotten.
    """

    free: int
    wait: float = 1.0
    most: float = 900.0
    memory: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whose tries are counted together.

    Attributes:
        name: what is counted, and for whom; the same name is the same bucket in every process.
        allowance: how many are free.
    """

    name: str
    allowance: Allowance


class Throttle:
    """Counts tries. A try is counted before it is made, so that many at once cannot slip through together."""

    def __init__(self, store: JsonStore, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def take(self, bucket: Bucket) -> None:
        """Count one try.

        A try that is refused is not counted: who keeps knocking waits no longer than who waits quietly, and costs
        a lookup rather than a write.

        Raises:
            TooMany: with the seconds to wait.
        """
        allowance = bucket.allowance
        while True:
            now = self._clock()
            entry = self._find(bucket) or self._begun(bucket, now)
            count, at = int(entry.data["count"]), float(entry.data["at"])
            if not 0 <= now - at < allowance.memory:
                count = 0
            over = count - allowance.free
            if over >= 0:
                left = at + min(allowance.wait * 2.0 ** min(over, 40), allowance.most) - now
                if left > 0:
                    raise TooMany(left)
            changes = {"count": str(count + 1), "at": repr(now)}
            if self._store.update_by_id(entry.id, changes, expecting=_counts(entry)):
                return

    def give_back(self, bucket: Bucket) -> None:
        """Uncount one try: it was a good one."""
        while entry := self._find(bucket):
            count = max(0, int(entry.data["count"]) - 1)
            if self._store.update_by_id(entry.id, {"count": str(count)}, expecting=_counts(entry)):
                return

    def forget(self, bucket: Bucket) -> None:
        """Begin anew with this bucket."""
        entry = self._find(bucket)
        if entry is not None:
            self._store.remove(entry.id)

    def _find(self, bucket: Bucket) -> Entry | None:
        found = self._store.get({"kind": "throttle", "of": bucket.name}, limit=1)
        return found[0] if found else None

    def _begun(self, bucket: Bucket, now: float) -> Entry:
        data = {
            "kind": "throttle",
            "of": bucket.name,
            "count": "0",
            "at": repr(now),
            "memory": repr(bucket.allowance.memory),
        }
        id, created = self._store.put_if_absent({"kind": "throttle", "of": bucket.name}, data)
        if created:
            self._sweep(id, now)
        return self._store.get_by_id(id) or Entry(id, data)

    def _sweep(self, newest: int, now: float) -> None:
        # From anywhere, so that busy old counts do not stand in front of idle ones for ever.
        start = secrets.randbelow(newest)
        for entry in self._store.get({"kind": "throttle"}, limit=SWEEP, before=start):
            if now - float(entry.data["at"]) > float(entry.data["memory"]):
                self._store.remove(entry.id)


def _counts(entry: Entry) -> dict[str, str]:
    return {"count": entry.data["count"], "at": entry.data["at"]}
