"""The stream of events to whoever follows them over HTTP, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
from collections import deque
from dataclasses import asdict

from starlette.types import Receive, Send

from mta.events import Event

LOG = logging.getLogger(__name__)

REMEMBERED = 1000
"""Events that a follower who was away may still read."""
BEHIND = 1000
"""Events that a follower may be behind before it is dropped."""
QUIET = 15.0
"""Seconds of silence after which a comment shows that the connection lives."""


class EventStream:
    """Passes events on to any number of followers. None of them ever holds up whoever tells the events."""

    def __init__(self, *, quiet: float = QUIET) -> None:
        """
        Args:
            quiet: seconds of silence after which a comment is sent.
        """
        self._loop: asyncio.AbstractEventLoop | None = None
        self._quiet = quiet
        self._run = secrets.token_hex(4)
        self._number = 0
        self._lock = threading.Lock()
        self._remembered: deque[tuple[int, Event]] = deque(maxlen=REMEMBERED)
        self._following = 0
        self._followers: set[_Follower] = set()

    def tell(self, event: Event) -> None:
        """Pass an event on; may be called from any thread, and returns at once."""
        with self._lock:
            self._number += 1
            self._remembered.append((self._number, event))
            if self._loop is not None and self._following:
                try:
                    self._loop.call_soon_threadsafe(self._pass_on, self._number, event)
                except RuntimeError:
                    LOG.debug("the loop is closed; nobody is left to tell")

    def close(self) -> None:
        """End every stream; called in the loop."""
        for follower in self._followers:
            follower.end()

    async def follow(self, last_id: str, receive: Receive, send: Send) -> None:
        """In the one loop that serves, answer a request with the events from now on, and those after the one named.

        Args:
            last_id: the last event that the follower has, or "". Of an earlier run, all that is remembered
                comes after it.
            receive, send: the request's, as in ASGI.
        """
        follower = _Follower()
        with self._lock:  # so that no event comes between what is remembered and what is passed on
            self._following += 1
            self._loop = asyncio.get_running_loop()
            for number, event in self._missed(last_id):
                follower.give(self._frame(number, event))
            self._loop.call_soon(self._followers.add, follower)
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        tasks = {
            asyncio.create_task(self._write(follower, headers, send)),
            asyncio.create_task(_disconnected(receive)),
            asyncio.create_task(follower.dropped.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            with self._lock:
                self._following -= 1
            self._followers.discard(follower)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _missed(self, last_id: str) -> list[tuple[int, Event]]:
        run, _, number = last_id.partition("-")
        if not run:
            return []
        after = int(number) if run == self._run and number.isdecimal() and len(number) < 19 else 0
        return [one for one in self._remembered if one[0] > after]

    def _pass_on(self, number: int, event: Event) -> None:
        frame = self._frame(number, event) if self._followers else b""
        for follower in self._followers:
            follower.give(frame)

    def _frame(self, number: int, event: Event) -> bytes:
        data = json.dumps(asdict(event), ensure_ascii=False)
        return f"id: {self._run}-{number}\nevent: {event.kind}\ndata: {data}\n\n".encode("utf-8", "replace")

    async def _write(self, follower: _Follower, headers: list[tuple[bytes, bytes]], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        while not follower.ended:
            try:
                async with asyncio.timeout(self._quiet):
                    frames = await follower.take()
            except TimeoutError:
                frames = b": still here\n\n"
            if frames:
                await send({"type": "http.response.body", "body": frames, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Follower:
    """One who follows, and what it has not been given yet."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._more = asyncio.Event()
        self.dropped = asyncio.Event()
        self.ended = False

    def give(self, frame: bytes) -> None:
        self._frames.append(frame)
        self._more.set()
        if len(self._frames) > BEHIND and not self.dropped.is_set():
            LOG.warning("a follower of the events is too slow, and is dropped")
            self.dropped.set()

    def end(self) -> None:
        self.ended = True
        self._more.set()

    async def take(self) -> bytes:
        await self._more.wait()
        self._more.clear()
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
