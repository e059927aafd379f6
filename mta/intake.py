"""The intake: hands the spool whatever mails have come in at one moment, together.

A thread for each request would cost two switches of threads a mail, which is more than all the rest of it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from mta.desk import Desk
from mta.errors import KeyConflict
from mta.submission import NewSubmission, Submission
from store import tracing

THREADS = 2
"""One reads what came in while the other waits for its commit."""
MOST_AT_ONCE = 64

Read = Callable[[], NewSubmission]
Taken = Submission | Exception

log = logging.getLogger(__name__)


class Intake:
    """Reads mails and submits them in threads of its own, for coroutines of one loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[tuple[Read, asyncio.Future[Submission]]] = []
        self._more = threading.Condition()
        self._closed = False
        for number in range(THREADS):
            threading.Thread(target=self._run, name=f"intake-{number}", daemon=True).start()

    async def submit(self, read: Read) -> Submission:
        """Accept a mail: on disk when this returns.

        Args:
            read: makes the submission of what came in; called in another thread.

        Raises:
            Exception: whatever `read` raises.
            KeyConflict: the key was used for another mail.
            StoreError: the spool cannot be written.
        """
        future: asyncio.Future[Submission] = asyncio.get_running_loop().create_future()
        with tracing.span("submit") as span:
            with self._more:
                self._waiting.append((_traced(read, tracing.context()), future))
                self._more.notify()
            submission = await future
            span.say(submission=submission.id)
            return submission

    def close(self) -> None:
        """Let the threads go home; nobody waits for an answer any more."""
        with self._more:
            self._closed = True
            self._more.notify_all()

    def _run(self) -> None:
        while batch := self._gather():
            taken = self._take([read for read, _ in batch])
            futures = [future for _, future in batch]
            try:
                futures[0].get_loop().call_soon_threadsafe(_answer, futures, taken)
            except RuntimeError:
                log.debug("the loop is closed; nobody waits for the answers")

    def _gather(self) -> list[tuple[Read, asyncio.Future[Submission]]]:
        """What has come in; empty once closed."""
        with self._more:
            self._more.wait_for(lambda: self._waiting or self._closed)
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            return batch

    def _take(self, reads: Sequence[Read]) -> list[Taken]:
        taken: list[Taken | NewSubmission] = []
        for read in reads:
            try:
                taken.append(read())
            except Exception as error:  # noqa: BLE001 - raised again where it was asked for
                taken.append(error)
        new = [one for one in taken if isinstance(one, NewSubmission)]
        answers: list[Submission | KeyConflict | Exception] = []
        try:
            answers += self._desk.submit_all(new)
        except Exception as error:  # noqa: BLE001 - as above
            answers += [error] * len(new)
        next_answer = iter(answers)
        return [next(next_answer) if isinstance(one, NewSubmission) else one for one in taken]


def _answer(futures: Sequence[asyncio.Future[Submission]], taken: Sequence[Taken]) -> None:
    for future, one in zip(futures, taken, strict=True):
        if future.cancelled():
            continue
        if isinstance(one, Exception):
            future.set_exception(one)
        else:
            future.set_result(one)


def _traced(read: Read, trace: str) -> Read:
    return (lambda: replace(read(), trace=trace)) if trace else read
