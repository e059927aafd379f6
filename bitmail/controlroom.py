"""The control room: what an operator sees of the sending at one moment, and what happened lately.

The events it remembers it heard while this process ran; containers and the spool say the rest.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mta.desk import Desk
from mta.events import Event, EventKind, StatusChange
from mta.health import ContainerReport
from mta.spool import Backlog
from mta.steering import Plan
from mta.tallies import Tally

EVENTS = 500
"""Events kept."""
QUIET = (EventKind.BEAT, EventKind.INFORM_USER)
"""Kinds that come too often to be looked at."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in its place; `number` is greater than that of each before it."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything is.

    Attributes:
        at: seconds since the epoch.
        containers: what they say of themselves.
        plan: what operators set of the schedule.
        backlog: what waits.
        hour: the last hour by the minute, oldest first.
        day: the last day by the half hour.
    """

    at: float
    containers: tuple[ContainerReport, ...]
    plan: Plan
    backlog: Backlog
    hour: tuple[Tally, ...]
    day: tuple[Tally, ...]


class ControlRoom:
    """Listens to the containers of one spool; any thread may ask it."""

    def __init__(self, desk: Desk, clock: Callable[[], float] = time.time) -> None:
        """
        Args:
            desk: of the spool.
            clock: the time in seconds since the epoch.
        """
        self._desk = desk
        self._clock = clock
        self._lock = threading.Lock()
        self._events: deque[Happened] = deque(maxlen=EVENTS)
        self._number = 0
        self._told = -1
        desk.listen(self._heard)
        desk.watch(self._changed)

    def overview(self) -> Overview:
        """How everything is now; asks the spool.

        Raises:
            StoreUnavailable: it does not answer.
        """
        now = self._clock()
        return Overview(
            now,
            tuple(self._desk.containers()),
            self._desk.steering.plan(),
            self._desk.backlog(),
            *self._desk.tallies.lately(now),
        )

    def events(
        self, kinds: Iterable[EventKind] = (), provider: str = "", words: str = "", limit: int = 100
    ) -> list[Happened]:
        """The newest events, newest first.

        Args:
            kinds: of these; of all but the `QUIET` ones when there are none.
            provider: about this one; about any when "".
            words: what stands in its text or in the ids of what it is about, in any case.
            limit: how many.
        """
        wanted, looked_for = frozenset(kinds) or frozenset(EventKind) - frozenset(QUIET), words.casefold()
        with self._lock:
            found = [
                one
                for one in reversed(self._events)
                if one.event.kind in wanted
                and (not provider or one.event.provider == provider)
                and looked_for in _said(one.event)
            ]
        return found[:limit]

    def has_news(self) -> bool:
        """Whether something happened since this was asked last."""
        with self._lock:
            told, self._told = self._told, self._number
            return told != self._number

    def _heard(self, event: Event) -> None:
        with self._lock:
            self._number += 1
            if event.kind not in QUIET and not (event.kind is EventKind.OK and event.submission_id):
                self._events.append(Happened(self._number, event))

    def _changed(self, _: StatusChange) -> None:
        with self._lock:
            self._number += 1


def _said(event: Event) -> str:
    return f"{event.text}\n{event.provider}\n{event.submission_id}\n{event.delivery_id}".casefold()
