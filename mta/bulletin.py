"""The bulletin: tells events and changes to whoever listens, and writes events to the log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from mta.events import Event, EventKind, OwnerChange, ProviderOrder, StatusChange, SteeringChange, Told

LOG = logging.getLogger("bitmail.mta")

Kind = TypeVar("Kind")

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
    """Listeners, watchers and followers may come and go at any time, in any thread; one that raises harms
    nobody.
    """

    def __init__(self) -> None:
        self._listeners: _Audience[Event] = _Audience()
        self._watchers: _Audience[StatusChange] = _Audience()
        self._followers: _Audience[OwnerChange] = _Audience()
        self._obedient: _Audience[ProviderOrder] = _Audience()
        self._steered: _Audience[SteeringChange] = _Audience()

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event from now on, until the function returned is called."""
        return self._listeners.join(listener)

    def watch(self, watcher: Callable[[StatusChange], None]) -> Callable[[], None]:
        """Call `watcher` for each status change from now on, until the function returned is called."""
        return self._watchers.join(watcher)

    def follow(self, follower: Callable[[OwnerChange], None]) -> Callable[[], None]:
        """Call `follower` for each other change from now on, until the function returned is called."""
        return self._followers.join(follower)

    def obey(self, servant: Callable[[ProviderOrder], None]) -> Callable[[], None]:
        """Call `servant` for each order from now on, until the function returned is called."""
        return self._obedient.join(servant)

    def steer(self, servant: Callable[[SteeringChange], None]) -> Callable[[], None]:
        """Call `servant` whenever the schedule is steered from now on, until the function returned is called."""
        return self._steered.join(servant)

    def tell(self, told: Told) -> None:
        """Tell what happened in this process; an event is logged as well."""
        if isinstance(told, Event):
            level = _LEVELS[told.kind]
            if LOG.isEnabledFor(level):
                LOG.log(level, "%s", told.text, extra=_fields(told))
        self.pass_on(told)

    def pass_on(self, told: Told) -> None:
        """Tell what happened in another process, which has it in its own log."""
        match told:
            case Event():
                self._listeners.tell(told)
            case StatusChange():
                self._watchers.tell(told)
            case OwnerChange():
                self._followers.tell(told)
            case ProviderOrder():
                self._obedient.tell(told)
            case SteeringChange():
                self._steered.tell(told)


def _fields(event: Event) -> dict[str, str]:
    return {
        "event": event.kind,
        "account": event.owner,
        "submission": event.submission_id,
        "delivery": event.delivery_id,
        "provider": event.provider,
        "status": event.status or "",
    }


class _Audience(Generic[Kind]):
    """Who is told one kind of thing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callbacks: tuple[Callable[[Kind], None], ...] = ()

    def join(self, callback: Callable[[Kind], None]) -> Callable[[], None]:
        with self._lock:
            self._callbacks = (*self._callbacks, callback)

        def leave() -> None:
            with self._lock:
                kept = list(self._callbacks)
                if callback in kept:
                    kept.remove(callback)
                self._callbacks = tuple(kept)

        return leave

    def tell(self, told: Kind) -> None:
        for callback in self._callbacks:
            try:
                callback(told)
            except Exception:  # a listener is anybody's code, and the mail goes on without it
                LOG.exception("a listener failed; it goes on being told")
