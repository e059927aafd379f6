"""Runs: tasks on their way to a provider, from the choice of the provider to its answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from mta.claim import Claim, Result
from mta.outcomes import Status
from mta.providers.base import Conversing
from mta.schedule import Choice
from mta.service import Service
from store import tracing


@dataclass(slots=True, eq=False)
class Task:
    """A delivery that this container holds.

    Attributes:
        claim: the delivery as it is now.
        order: tasks of one priority are taken in this order.
        tried: the providers that had their chance in this round.
        unwritten: what the last attempt came to, while it may not be on disk yet.
    """

    claim: Claim
    order: int
    tried: set[str] = field(default_factory=set)
    unwritten: Result | None = None


@dataclass(slots=True, eq=False)
class Run:
    """A task on its way to a provider.

    Attributes:
        converses: it is made in steps, and needs no thread of its own.
        began: set once the attempt is written down.
    """

    task: Task
    service: Service
    trial: bool
    claim: Claim
    converses: bool = False
    began: float | None = None
    written_off: bool = False

    def start(self) -> None:
        """Note that the attempt is written down, and that the network comes next."""
        number, name = self.claim.attempt + 1, self.service.name
        self.claim = replace(self.claim, attempt=number, status=Status.SENDING, provider=name)
        self.task.claim = self.claim
        self.task.unwritten = None
        self.began = time.monotonic()

    def about(self) -> dict[str, str]:
        """What a line of the log says that it is about."""
        claim = self.claim
        return {
            "account": claim.owner,
            "submission": claim.submission_id,
            "delivery": claim.id,
            "provider": self.service.name,
        }

    def seconds(self) -> float:
        """How long the attempt has been running."""
        return 0.0 if self.began is None else time.monotonic() - self.began

    def seconds_left(self, overrun: float) -> float:
        """How long its provider may still take; `overrun` is what is granted beyond its own time-out."""
        if self.began is None:
            return float("inf")
        return self.service.provider.options.timeout + overrun - self.seconds()


class Runs:
    """The runs that wait for a thread, and those that a thread has; every caller holds the lock."""

    def __init__(self, lock: threading.RLock, overrun: float) -> None:
        self._there = threading.Condition(lock)
        self._overrun = overrun
        self._ready: deque[Run] = deque()
        self._conversing: deque[Run] = deque()
        self._running: set[Run] = set()
        self._has_conversed = False
        self._free_threads = 0
        self._hire: Callable[[], None] = _nothing
        self._call: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._ready) + len(self._conversing) + len(self._running)

    def start_with(self, hire: Callable[[], None], call: Callable[[], None]) -> None:
        """Use `hire` to start one more thread that takes runs, and `call` when one converses, or none will."""
        self._hire = hire
        self._call = call

    def send_off(self, task: Task, choice: Choice) -> None:
        """Have a task taken to a provider."""
        choice.service.take(trial=choice.trial)
        # What has to be read first, or is traced as a block of code, needs a thread of its own.
        is_able = isinstance(choice.service.provider, Conversing)
        converses = is_able and task.claim.raw is not None and not tracing.is_on()
        run = Run(task, choice.service, choice.trial, task.claim, converses)
        if converses:
            self._has_conversed = True
            self._conversing.append(run)
            self._call()
            return
        self._ready.append(run)
        if self._free_threads >= len(self._ready):
            self._there.notify()
        else:
            self._free_threads += 1
            self._hire()

    def take(self, seconds: float) -> Run | None:
        """Wait for a run; None when none came for so long, or `dismiss` was called."""
        if not self._ready:
            self._there.wait(seconds)
        self._free_threads -= 1
        if not self._ready:
            return None
        run = self._ready.popleft()
        self._running.add(run)
        return run

    def take_conversing(self) -> list[Run]:
        """Every run that is to be made in steps."""
        runs = list(self._conversing)
        self._conversing.clear()
        self._running.update(runs)
        return runs

    def ended(self, run: Run) -> None:
        """A run left its provider, unless it was written off before; its thread is free again."""
        if not run.converses:
            self._free_threads += 1
        if not run.written_off:
            self._running.discard(run)

    def pull_back(self, service: Service | None = None) -> Iterator[Task]:
        """The tasks of runs that nobody has taken, of one provider or of all; they are runs no more."""
        for untaken in (self._ready, self._conversing):
            for run in [run for run in untaken if service is None or run.service is service]:
                untaken.remove(run)
                run.service.give_back(trial=run.trial)
                yield run.task

    def overdue(self) -> list[Run]:
        """Runs whose provider takes longer than it may; they are written off, and their threads with them."""
        late = [run for run in self._running if run.seconds_left(self._overrun) <= 0]
        for run in late:
            run.written_off = True
            self._running.discard(run)
        return late

    def next_overdue(self) -> float:
        """Seconds until a run is overdue; infinity if none is running."""
        return min((run.seconds_left(self._overrun) for run in self._running), default=float("inf"))

    def dismiss(self) -> None:
        """Send everybody home who waits for a run."""
        self._there.notify_all()
        if self._has_conversed:
            self._call()


def _nothing() -> None:
    """Before anybody makes attempts."""
