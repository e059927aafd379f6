"""Conversations: one thread that makes at once all attempts whose provider says in steps what it waits for.

To switch between threads costs as much as all that an attempt does between two waits.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from mta.outcomes import Answer
from mta.providers.base import Conversing, Outgoing
from mta.providers.conversation import Call, Steps, Wait
from mta.runs import Run
from mta.starts import Starts, failed_answer

LOG = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Talk:
    """One conversation.

    Attributes:
        run: the attempt.
        steps: what its provider does.
        socket: what it waits for, registered for `mask`; or None.
        call: what it waits for instead; or None.
        until: when it is told that the time is up, by `time.monotonic`.
    """

    run: Run
    steps: Steps[Answer]
    socket: socket.socket | None = None
    mask: int = 0
    call: Call | None = None
    until: float = float("inf")


class Conversations:
    """Those of one container. The thread is there from the first attempt on until the work ends."""

    def __init__(self, starts: Starts) -> None:
        self._starts = starts
        self._work = starts.work
        self._thread: threading.Thread | None = None
        self._selector: selectors.BaseSelector
        self._bell: socket.socket
        self._is_asleep = False
        self._is_called = False
        self._posted: deque[Callable[[], None]] = deque()
        self._in_hand = 0
        self._talks: set[_Talk] = set()
        self._next_end = float("inf")

    def call(self) -> None:
        """Look what is to be done; for any thread that holds the lock of the work."""
        self._is_called = True
        if self._thread is None:
            self._selector = selectors.DefaultSelector()
            self._bell, ear = socket.socketpair()
            self._bell.setblocking(False)
            self._selector.register(ear, selectors.EVENT_READ)
            self._thread = threading.Thread(target=self._run, args=[ear], name="conversations", daemon=True)
            self._thread.start()
        self._wake()

    def _post(self, task: Callable[[], None]) -> None:
        """Have the thread do something; for any thread."""
        self._posted.append(task)
        self._wake()

    def _wake(self) -> None:
        if self._is_asleep:
            self._is_asleep = False
            with suppress(BlockingIOError):  # it was rung often enough
                self._bell.send(b"\0")

    # The thread

    def _run(self, ear: socket.socket) -> None:
        with self._selector, self._bell, ear:
            while True:
                try:
                    self._begin()
                    if self._is_over():
                        return
                    self._listen(ear)
                    while self._posted:
                        self._posted.popleft()()
                    self._end_what_is_late()
                except Exception:
                    LOG.exception("a conversation failed in a way it should not; the others go on")

    def _is_over(self) -> bool:
        with self._work.lock:
            if self._is_called or self._in_hand or not self._work.is_ending():
                return False
            self._thread = None
            return True

    def _listen(self, ear: socket.socket) -> None:
        """Wait for something to happen, and go on with those it happened to."""
        self._is_asleep = True
        # In this order, so that whoever calls now either sees that it sleeps, or is seen here.
        at_once = self._is_called or self._posted
        ready = self._selector.select(0.0 if at_once else self._seconds_left())
        self._is_asleep = False
        for key, _ in ready:
            if key.fileobj is ear:
                ear.recv(4096)
            else:
                self._go_on(key.data)

    # Start

    def _begin(self) -> None:
        """Have the attempts written down that are to be made."""
        self._is_called = False
        runs = self._work.take_conversing()
        seconds = self._starts.patience() if runs else 0.0
        for run in runs:
            self._in_hand += 1
            self._write_down(run, seconds)

    def _write_down(self, run: Run, seconds: float) -> None:
        claim, at = run.claim, self._starts.clock()

        def heard(ours: bool | None, error: BaseException | None) -> None:
            self._post(partial(self._written_down, run, at, ours, error))

        try:
            self._starts.leases.start_soon(
                claim.id, claim.attempt, run.service.name, at, heard, run.task.unwritten, seconds
            )
        except Exception as error:  # noqa: BLE001 - as if it were heard
            self._written_down(run, at, None, error)

    def _written_down(self, run: Run, at: float, ours: bool | None, error: BaseException | None) -> None:
        if self._starts.goes_on(run, ours, error):
            self._starts.tell_sending(run.claim, at)
            self._go_on(_Talk(run, _attempt(run)))
        else:
            self._in_hand -= 1

    # Conversation

    def _go_on(self, talk: _Talk, value: Any = None, error: BaseException | None = None) -> None:
        try:
            wish = talk.steps.send(value) if error is None else talk.steps.throw(error)
            if isinstance(wish, Wait):
                self._wait(talk, wish)
            else:
                self._ask(talk, wish)
        except StopIteration as end:
            self._finish(talk, end.value)
        except Exception as fault:  # noqa: BLE001 - said there
            self._finish(talk, failed_answer(talk.run, fault))

    def _wait(self, talk: _Talk, wait: Wait) -> None:
        mask = selectors.EVENT_WRITE if wait.writes else selectors.EVENT_READ
        if talk.socket is not wait.socket:
            self._leave(talk)
            self._selector.register(wait.socket, mask, talk)
            self._talks.add(talk)
            talk.socket = wait.socket
        elif talk.mask != mask:
            self._selector.modify(wait.socket, mask, talk)
        talk.mask = mask
        self._end_at(talk, wait.until)

    def _ask(self, talk: _Talk, call: Call) -> None:
        self._leave(talk)
        self._talks.add(talk)
        talk.call = call
        self._end_at(talk, call.until)

        def ask() -> None:
            try:
                value = call.function()
            except Exception as error:  # noqa: BLE001 - the conversation is to know
                self._post(partial(self._asked, talk, call, None, error))
            else:
                self._post(partial(self._asked, talk, call, value, None))

        threading.Thread(target=ask, name="conversations: call", daemon=True).start()

    def _asked(self, talk: _Talk, call: Call, value: Any, error: BaseException | None) -> None:
        if talk.call is call:  # else its time was up before
            self._leave(talk)
            self._go_on(talk, value, error)

    def _leave(self, talk: _Talk) -> None:
        """Have it wait for nothing."""
        if talk.socket is not None:
            self._selector.unregister(talk.socket)
            talk.socket = None
        talk.call = None
        self._talks.discard(talk)

    def _finish(self, talk: _Talk, answer: Answer) -> None:
        self._leave(talk)
        self._in_hand -= 1
        self._work.finished(talk.run, answer)

    # Time

    def _seconds_left(self) -> float | None:
        return None if self._next_end == float("inf") else max(0.0, self._next_end - time.monotonic())

    def _end_at(self, talk: _Talk, until: float) -> None:
        talk.until = until
        self._next_end = min(self._next_end, until)

    def _end_what_is_late(self) -> None:
        """Tell those whose time is up. Most are done long before, so all are looked at only when one may be late."""
        now = time.monotonic()
        if now < self._next_end:
            return
        late = [talk for talk in self._talks if talk.until <= now]
        self._next_end = min((talk.until for talk in self._talks if talk.until > now), default=float("inf"))
        for talk in late:
            talk.call = None
            self._go_on(talk, error=TimeoutError("the time is up"))


def _attempt(run: Run) -> Steps[Answer]:
    claim, provider = run.claim, run.service.provider
    assert isinstance(provider, Conversing)
    assert claim.raw is not None, "a mail that is still to be read does not converse"
    return (yield from provider.converse(Outgoing(claim.id, claim.sender, claim.recipient, claim.raw)))
