"""What fakes of services share: a port, a thread for each connection, and an end that waits for all of them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self


class Listener:
    """Takes connections while in a `with`; a subclass says what it does with one."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self, sock: socket.socket) -> None:
        """Have a conversation on a new connection, and close it."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self.close()
        self.break_connections()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def listen(self) -> None:
        """Take connections from now on."""
        self._start(self._accept, self._listener)

    def close(self) -> None:
        """Take no connection any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def break_connections(self) -> None:
        """End those that there are."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _start(self, run: Callable[..., None], *given: Any) -> None:
        thread = threading.Thread(target=run, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                self._sockets.append(sock)
                self._start(self.serve, sock)
