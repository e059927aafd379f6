"""The control room: what an operator sees of the sending at one moment, and what happened lately.

What it remembers it heard while this process ran; containers and the spool say the rest.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mta.desk import Desk
from mta.events import Event, EventKind, StatusChange
from mta.health import ContainerReport
from mta.outcomes import Status
from mta.spool import Backlog
from mta.steering import Plan

EVENTS = 500
"""Events kept."""
MINUTES = 24 * 60
GOOD = (Status.SENT,)
BAD = (Status.FAILED, Status.BOUNCED, Status.COMPLAINED)
HELD = (Status.DEFERRED, Status.UNCERTAIN)
QUIET = (EventKind.BEAT, EventKind.INFORM_USER)
"""Kinds that come too often to be looked at."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in its place; `number` is greater than that of each before it."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Tally:
    """How many deliveries changed to such a status in one span of time.

    Attributes:
        at: when it began, in seconds since the epoch.
        sent: a provider took them.
        failed: they failed, came back or annoyed.
        held: they wait, or are uncertain.
    """

    at: float
    sent: int
    failed: int
    held: int


@dataclass(frozen=True, slots=True)
class Overview:
    """How everything is.

    Attributes:
        at: seconds since the epoch.
        since: when this process began to watch.
        containers: what they say of themselves.
        plan: what operators set of the schedule.
        backlog: what waits.
        hour: the last hour by the minute, oldest first.
        day: the last day by the half hour.
    """

    at: float
    since: float
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
        self._since = clock()
        self._lock = threading.Lock()
        self._events: deque[Happened] = deque(maxlen=EVENTS)
        self._minutes: dict[int, Counter[Status]] = {}
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
            self._since,
            tuple(self._desk.containers()),
            self._desk.steering.plan(),
            self._desk.backlog(),
            self._tallies(now, 60, 1),
            self._tallies(now, MINUTES, 30),
        )

    def events(self, kinds: Iterable[EventKind] = (), limit: int = 100) -> list[Happened]:
        """The newest events, newest first; of these kinds, or of all but the `QUIET` ones."""
        wanted = frozenset(kinds) or frozenset(EventKind) - frozenset(QUIET)
        with self._lock:
            found = [one for one in reversed(self._events) if one.event.kind in wanted]
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

    def _changed(self, change: StatusChange) -> None:
        with self._lock:
            self._number += 1
            minute = int(self._clock() // 60)
            if minute not in self._minutes:
                self._minutes[minute] = Counter()
                for old in [one for one in self._minutes if one <= minute - MINUTES]:
                    del self._minutes[old]
            self._minutes[minute][change.status] += 1

    def _tallies(self, now: float, minutes: int, step: int) -> tuple[Tally, ...]:
        last = int(now // 60)
        with self._lock:
            known = {minute: Counter(counts) for minute, counts in self._minutes.items()}
        tallies = []
        for begin in range(last - minutes + 1, last + 1, step):
            counts: Counter[Status] = Counter()
            for minute in range(begin, begin + step):
                counts += known.get(minute, Counter())
            sums = (sum(counts[status] for status in kinds) for kinds in (GOOD, BAD, HELD))
            tallies.append(Tally(begin * 60.0, *sums))
        return tuple(tallies)
