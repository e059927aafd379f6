"""How fast clients may call: a page that sends more than a person can do is slowed down, and it slows down nobody else.

Nothing is thrown away: what waits, waits in the client's own connection.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Message, Receive

PER_SECOND = 40.0
"""Messages of one websocket in a second, for long."""
AT_ONCE = 400.0
"""Messages of one websocket that cost no wait, after some quiet."""
BYTES = 25_000
"""Bytes that count as one message more."""
STUBBORN = 5.0
"""Seconds for which a page may go on sending too fast; then it is cut off, and may connect anew."""
SOCKETS_PER_SESSION = 50
"""Pages that one session may have open."""
SOCKETS_OF_STRANGERS = 200
"""Pages that may be open without a session, all together: log-in pages."""
BODY_PATIENCE = 30.0
"""Seconds that a body may take, beside those for its bytes."""
BODY_SPEED = 10_000
"""Bytes of a body that are expected in a second at least."""


class TooSlow(Exception):
    """A body does not come."""


class Pace:
    """How much one connection may send: so much at once, and so much a second."""

    def __init__(
        self, clock: Callable[[], float], *, per_second: float = PER_SECOND, at_once: float = AT_ONCE
    ) -> None:
        self._clock = clock
        self._per_second = per_second
        self._at_once = at_once
        self._left = at_once
        self._at = clock()

    def wait_for(self, cost: float) -> float:
        """Take `cost`, and return the seconds to wait before it may be used."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        self._left -= cost
        return max(0.0, -self._left / self._per_second)


class Paces:
    """The paces of many who call at any time, each under its own name."""

    def __init__(self, clock: Callable[[], float], *, most: int = 10_000) -> None:
        """
        Args:
            clock: in seconds.
            most: names that are remembered; who was away longest is forgotten first.
        """
        self._clock = clock
        self._most = most
        self._known: OrderedDict[str, Pace] = OrderedDict()

    def wait_for(self, name: str, *, at_most: float) -> float:
        """Take one call, and return the seconds to wait before it; one that had to wait longer is not taken."""
        pace = self._known.setdefault(name, Pace(self._clock))
        self._known.move_to_end(name)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        wait = pace.wait_for(1)
        if wait > at_most:
            pace.wait_for(-1)
        return wait


def paced(receive: Receive, clock: Callable[[], float], is_wanted: Callable[[str], bool]) -> Receive:
    """The messages of a websocket that are wanted, no faster than its pace; what is not taken yet stays in the
    connection.
    """
    pace = Pace(clock)
    too_fast_since: float | None = None

    async def received() -> Message:
        nonlocal too_fast_since
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            size = len(message.get("bytes") or b"") + len(message.get("text") or "")
            wait = pace.wait_for(1 + size / BYTES)
            if not wait:
                too_fast_since = None
            else:
                too_fast_since = clock() if too_fast_since is None else too_fast_since
                if clock() - too_fast_since > STUBBORN:
                    return {"type": "websocket.disconnect", "code": 1008}
                await asyncio.sleep(wait)
            if is_wanted(message.get("text") or ""):
                return message

    return received


def hurried(receive: Receive, clock: Callable[[], float]) -> Receive:
    """The same body of a request, as long as it comes fast enough.

    Raises:
        TooSlow: it does not.
    """
    start, size, is_over = clock(), 0, False

    async def received() -> Message:
        nonlocal size, is_over
        if is_over:
            return await receive()
        left = start + BODY_PATIENCE + size / BODY_SPEED - clock()
        if left <= 0:
            raise TooSlow
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        size += len(message.get("body", b""))
        is_over = not message.get("more_body", False)
        return message

    return received


class Room:
    """How many pages are open, by session."""

    def __init__(self) -> None:
        self._open: Counter[int] = Counter()

    @contextmanager
    def entered(self, session: int) -> Iterator[bool]:
        """Count a page while it is open; yields whether there is room for it.

        Args:
            session: the id of its session, or 0 for none.
        """
        most = SOCKETS_PER_SESSION if session else SOCKETS_OF_STRANGERS
        if self._open[session] >= most:
            yield False
            return
        self._open[session] += 1
        try:
            yield True
        finally:
            self._open[session] -= 1
            if not self._open[session]:
                del self._open[session]
