"""Providers that do as a test tells them, a clock that it moves, and a station that hears a container."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from mta.container import Container
from mta.events import Event, EventKind, StatusChange
from mta.outcomes import Answer, Outcome, Status
from mta.providers.base import Outgoing, Provider, ProviderOptions
from mta.submission import Delivery, NewSubmission, Submission

PATIENCE = 60.0
"""Seconds after which a test gives up waiting."""

Line = Answer | Outcome | Callable[[Outgoing], Answer]


class Clock:
    """Seconds since the epoch, as the test wants them."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


class Scripted(Provider):
    """Gives the answers of its script in turn, from then on the last one; notes what it was given."""

    def __init__(self, name: str, *script: Line, **options: Any) -> None:
        super().__init__(name, ProviderOptions(**options))
        self._script = script or (Outcome.ACCEPTED,)
        self._lock = threading.Lock()
        self._gate = threading.Event()
        self._gate.set()
        self.called: list[Outgoing] = []
        self.running = 0
        self.most_running = 0
        self.closed = False

    def send(self, message: Outgoing) -> Answer:
        with self._lock:
            line = self._script[min(len(self.called), len(self._script) - 1)]
            self.called.append(message)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self._gate.wait(PATIENCE)
        with self._lock:
            self.running -= 1
        if isinstance(line, Outcome):
            return Answer(line, f"{self.name} says {line}.")
        return line if isinstance(line, Answer) else line(message)

    def close(self) -> None:
        self.closed = True

    def hold(self) -> None:
        """Answer nothing until `release`."""
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def leave_hanging(self) -> threading.Event:
        """Answer from now on, but nothing of what hangs: that goes on to hang until the event is set."""
        hanging, self._gate = self._gate, threading.Event()
        self.release()
        return hanging

    def wait_for_calls(self, count: int) -> None:
        wait_until(lambda: len(self.called) >= count)

    @property
    def recipients(self) -> list[str]:
        return [message.recipient for message in self.called]


class Windowed(Scripted):
    """A provider whose API has no envelope."""

    can_envelope = False


class Anew(Scripted):
    """A provider that puts mails together anew."""

    can_mime = False


class Harmless(Scripted):
    """A provider to which repeating does no harm."""

    idempotent = True


class Station:
    """A container, and all that it told."""

    class Lost:
        """Whether the container said that nobody is left."""

        def __init__(self) -> None:
            self.times = 0

        def happened(self) -> None:
            self.times += 1

    def __init__(self, container: Container, lost: Lost) -> None:
        self.container = container
        self.lost = lost
        self.left_behind = False
        """The test leaves something in flight when it stops the container."""
        self.events: list[Event] = []
        self.changes: list[StatusChange] = []
        container.listen(self.events.append)
        container.watch(self.changes.append)
        self._keys = itertools.count()

    def providers(self) -> list[Scripted]:
        return [one for one in self.container._providers if isinstance(one, Scripted)]

    def submit(self, *recipients: str, **more: Any) -> Submission:
        return self.container.submit(mail(*recipients, key=f"{id(self)}-{next(self._keys)}", **more))

    def now(self, submission: Submission) -> Submission:
        found = self.container.submission(submission.id)
        assert found is not None
        return found

    def delivery(self, submission: Submission) -> Delivery:
        (delivery,) = self.now(submission).deliveries
        return delivery

    def wait_for(self, submission: Submission, *statuses: Status) -> Delivery:
        """Wait until each delivery has one of these statuses, and return the first."""
        wait_until(
            lambda: all(one.status in statuses for one in self.now(submission).deliveries),
            lambda: self.now(submission),
        )
        return self.now(submission).deliveries[0]

    def wait_for_event(self, kind: EventKind, text: str = "") -> Event:
        def matching() -> list[Event]:
            return [one for one in list(self.events) if one.kind is kind and text in one.text]

        wait_until(lambda: bool(matching()), lambda: self.events)
        return matching()[0]

    def kinds(self) -> list[EventKind]:
        return [one.kind for one in list(self.events)]

    def statuses(self, submission: Submission) -> list[Status]:
        return [one.status for one in list(self.changes) if one.submission_id == submission.id]


def mail(*recipients: str, key: str = "key", **more: Any) -> NewSubmission:
    given = {
        "owner": "ann",
        "sender": "ann@example.com",
        "subject": "Hello",
        "raw": b"Subject: Hello\r\n\r\nHi\r\n",
    }
    return NewSubmission(key=key, recipients=recipients or ("bob@example.com",), **{**given, **more})


def wait_until(condition: Callable[[], bool], explain: Callable[[], object] = lambda: "") -> None:
    """Look again and again until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain; {explain()}"
        pause.wait(0.002)
