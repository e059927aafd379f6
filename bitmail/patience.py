"""How long a connection may take to say what it wants: who sends a head letter by letter holds no place for ever."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 10.0
"""For the head of a request, and before the first."""
HEAD_BYTES = 64 * 1024


class Patience(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """HTTP as uvicorn speaks it, and a connection is closed when no request comes of it."""

    _timer: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client connected."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came: of a head, of a body, or of several requests."""
        super().data_received(data)
        if self._is_asked():
            self._end()
            return
        self._head += len(data)
        if self._head > HEAD_BYTES:
            self._give_up()
        elif self._timer is None:
            self._begin()

    def _is_asked(self) -> bool:
        """Whether a request is being answered, or the connection is none of ours any more."""
        cycle: Any = self.cycle
        return (
            cycle is not None and not cycle.response_complete
        ) or self.transport.get_protocol() is not self

    def _begin(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _end(self) -> None:
        self._head = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if not self._is_asked() and not self.transport.is_closing():
            self.transport.abort()
