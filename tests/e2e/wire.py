"""The websocket of a page as a stranger uses it: Engine.IO and Socket.IO, spoken by hand and not always well."""

from __future__ import annotations

import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from simple_websocket import Client, ConnectionClosed, ConnectionError

BEGIN = "reflex___state____state.hydrate"
"""What a page says first."""


class Wire:
    """One connection."""

    def __init__(self, url: str, session: str = "", token: str = "", origin: str = "") -> None:
        self.token = token or secrets.token_hex(16)
        address = f"ws://{urlsplit(url).netloc}/_event/?EIO=4&transport=websocket&token={self.token}"
        headers = {"Cookie": f"bitmail_session={session}"} if session else {}
        self._socket = Client(
            address, headers=headers | ({"Origin": origin} if origin else {}), max_message_size=None
        )
        # Without waiting for the server's first words, which the client's library may hold back until the next ones.
        self._socket.send("40/_event,")
        while not (text := str(self._receive(10))).startswith("40/_event"):
            assert text.startswith("0"), text

    def raw(self, text: str) -> None:
        """Send anything."""
        self._socket.send(text)

    def send(self, name: str, payload: Any = None, path: str = "/inbox", **query: str) -> None:
        """Send an event."""
        router = {"pathname": path, "asPath": path, "query": query}
        event = {"name": name, "payload": payload or {}, "router_data": router, "token": self.token}
        self.raw("42/_event," + json.dumps(["event", event]))

    def begin(self) -> Wire:
        """Begin as a page does that has connected."""
        self.send(BEGIN)
        assert self.answer() is not None
        return self

    def answer(self, timeout: float = 10.0) -> Any:
        """The next update, or None when none comes in time."""
        while (text := self._receive(timeout)) is not None:
            if text.startswith("42/_event,"):
                _, update = json.loads(text.removeprefix("42/_event,"))
                return update
        return None

    def is_open(self) -> bool:
        return bool(self._socket.connected)

    def close(self) -> None:
        if self._socket.connected:
            self._socket.close()

    def _receive(self, timeout: float) -> Any:
        text = self._socket.receive(timeout=timeout)
        if text == "2":
            self._socket.send("3")
            return self._receive(timeout)
        return text


__all__ = ["ConnectionClosed", "ConnectionError", "Wire"]
