"""The post room: one thread that looks after whatever comes back, while the service runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two looks for what other processes wrote down."""


class PostRoom:
    """Calls its errands in turn, at the start, when woken, and from time to time.

    What an errand works on is written down before, and stays written down until it is done. So whatever a crash
    interrupts is done after the next start, and several processes may do the same work.
    """

    def __init__(self, *errands: Callable[[], None], poll: float = POLL) -> None:
        """
        Args:
            errands: each does all there is to do, and may be called again at any time.
            poll: seconds between two rounds when nobody wakes it.
        """
        self._errands = errands
        self._poll = poll
        self._bell = threading.Event()
        self._closing = False
        self._failing: set[Callable[[], None]] = set()
        self._thread = threading.Thread(target=self._run, name="post room", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier process left."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do; returns at once."""
        self._bell.set()

    def stop(self, timeout: float) -> None:
        """Finish the errand in hand, within `timeout` seconds."""
        self._closing = True
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def round(self) -> None:
        """Do every errand once; one that fails keeps no other from being done."""
        for errand in self._errands:
            if self._closing:
                return
            try:
                errand()
            except Exception:
                # In full once, and then no more until it goes well: it is tried again every second.
                if errand not in self._failing:
                    log.exception("an errand failed and is tried again")
                self._failing.add(errand)
            else:
                self._failing.discard(errand)

    def _run(self) -> None:
        while not self._closing:
            self._bell.clear()
            self.round()
            self._bell.wait(self._poll)


def every(seconds: float, errand: Callable[[], None]) -> Callable[[], None]:
    """The errand, done at most once in so many seconds."""
    next_time = 0.0

    def now_and_then() -> None:
        nonlocal next_time
        if time.monotonic() >= next_time:
            errand()
            next_time = time.monotonic() + seconds

    return now_and_then
