"""The bulletin: tells events and status changes to whoever listens, and writes events to the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from mta.events import Event, EventKind, StatusChange

LOG = logging.getLogger("bitmail.mta")

Told = TypeVar("Told", Event, StatusChange)

_LEVELS = {
    EventKind.OK: logging.DEBUG,
    EventKind.BEAT: logging.DEBUG,
    EventKind.INFORM_USER: logging.DEBUG,
    EventKind.RESUBMIT: logging.INFO,
    EventKind.DOWN_TEMPORARILY: logging.WARNING,
    EventKind.TIMEOUT: logging.WARNING,
    EventKind.WARNING: logging.WARNING,
    EventKind.CRITICAL: logging.CRITICAL,
    EventKind.FATAL: logging.ERROR,
    EventKind.GOOD_BYE: logging.CRITICAL,
}


class Bulletin:
    """Listeners and watchers may come and go at any time, in any thread; one that raises harms nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[Event], None], ...] = ()
        self._watchers: tuple[Callable[[StatusChange], None], ...] = ()

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event from now on, until the function returned is called."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def leave() -> None:
            with self._lock:
                self._listeners = _without(self._listeners, listener)

        return leave

    def watch(self, watcher: Callable[[StatusChange], None]) -> Callable[[], None]:
        """Call `watcher` for each status change from now on, until the function returned is called."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)

        def leave() -> None:
            with self._lock:
                self._watchers = _without(self._watchers, watcher)

        return leave

    def tell(self, event: Event) -> None:
        """Log an event and pass it to every listener."""
        LOG.log(_LEVELS[event.kind], "%s: %s", event.kind, event.text)
        _pass_on(event, self._listeners)

    def tell_change(self, change: StatusChange) -> None:
        """Pass a status change to every watcher."""
        _pass_on(change, self._watchers)


def _pass_on(told: Told, callbacks: tuple[Callable[[Told], None], ...]) -> None:
    for callback in callbacks:
        try:
            callback(told)
        except Exception:  # a listener is anybody's code, and the mail goes on without it
            LOG.exception("a listener failed; it goes on being told")


def _without(
    callbacks: tuple[Callable[[Told], None], ...], leaving: Callable[[Told], None]
) -> tuple[Callable[[Told], None], ...]:
    kept = list(callbacks)
    if leaving in kept:
        kept.remove(leaving)
    return tuple(kept)
