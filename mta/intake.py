"""The intake: hands the spool whatever mails have come in at one moment, together.

No thread waits for a mail: to switch threads costs more than all the rest of accepting one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat

from mta.desk import Desk
from mta.errors import KeyConflict
from mta.submission import NewSubmission
from store import tracing

QUICKLY_READ = 16 * 1024
"""Octets of a mail that is read within the loop, which takes less time than to ask another thread."""

Read = Callable[[], NewSubmission]
Answer = str | KeyConflict
Future = asyncio.Future[str]

log = logging.getLogger(__name__)


class Intake:
    """Submits mails for the coroutines of one loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[tuple[NewSubmission, Future]] = []
        self._helper = ThreadPoolExecutor(1, "intake")

    def submit(self, read: Read, octets: int) -> Awaitable[str]:
        """Accept a mail, on disk when this is there, and say its submission's id.

        Args:
            read: makes the submission of what came in; called in another thread where that takes time.
            octets: how much came in.

        Raises:
            Exception: whatever `read` raises.
            KeyConflict: the key was used for another mail.
            StoreError: the spool cannot be written.
        """
        return (self._submit_traced if tracing.is_on() else self._submit)(read, octets)

    async def _submit_traced(self, read: Read, octets: int) -> str:
        with tracing.span("submit") as span:
            trace = tracing.context()
            id = await self._submit(lambda: replace(read(), trace=trace), octets)
            span.say(submission=id)
            return id

    async def _submit(self, read: Read, octets: int) -> str:
        loop = asyncio.get_running_loop()
        new = read() if octets <= QUICKLY_READ else await loop.run_in_executor(self._helper, read)
        future: Future = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._hand_over, loop)  # after all else that came in at this moment
        self._waiting.append((new, future))
        return await future

    def close(self) -> None:
        """Let the thread go home; nobody waits for an answer any more."""
        self._helper.shutdown(wait=False)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        futures = [future for _, future in batch]

        def heard(answers: Sequence[Answer] | None, error: BaseException | None) -> None:
            try:
                loop.call_soon_threadsafe(_answer, futures, answers, error)
            except RuntimeError:
                log.debug("the loop is closed; nobody waits for the answers")

        try:
            self._desk.submit_soon([new for new, _ in batch], heard)
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            _answer(futures, None, error)


def _answer(futures: Sequence[Future], answers: Sequence[Answer] | None, error: BaseException | None) -> None:
    for future, answer in zip(futures, answers or repeat(error), strict=False):
        if future.cancelled():
            continue
        if isinstance(answer, str):
            future.set_result(answer)
        elif answer is not None:
            future.set_exception(answer)
