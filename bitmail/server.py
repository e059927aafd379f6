"""The server of page, websocket and API: one uvicorn process on one port."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from bitmail.shutdown import ExitStatus, Shutdown, is_disk_full

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRACE = 10
"""Seconds that open requests get when the server stops."""
HEARING = 1.0
"""Seconds for which those are heard that were let in and have not asked yet, when the server stops."""
BEING_LET_IN = 0.05
"""Seconds in which the loop has seen to a connection that it took."""
CONNECTIONS = 1000
"""Open connections, websockets among them; more get 503. Below the usual limit of 1024 open files."""

HOSTS = "Use 127.0.0.1 for this machine only, 0.0.0.0 for all its networks."

DISK_FULL = (
    "The disk is full: no mail would be safe, so BitMail does not start. Make room, or set BITMAIL_VAR to a "
    "folder on another disk."
)


class ServerError(Exception):
    """The server cannot serve; the message says what to do.

    Attributes:
        status: what the process exits with.
    """

    def __init__(self, message: str, status: ExitStatus) -> None:
        super().__init__(message)
        self.status = status


def reserve(host: str, port: int) -> socket.socket:
    """Take the address before anything long is begun; connections are refused until the server listens.

    Args:
        host: name or address of this machine.
        port: 0 for any that is free.

    Raises:
        ServerError: with a sentence that names the setting to change.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ServerError(
            f"BITMAIL_HOST={host} is no address of this machine: {error.strerror}. {HOSTS}",
            ExitStatus.CONFIGURATION,
        ) from error
    reserved = socket.socket(family, kind, protocol)
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(address)
    except OSError as error:
        reserved.close()
        raise _cannot_bind(error, host, port) from error
    return reserved


def adopt(descriptor: int) -> socket.socket:
    """Take the socket that a supervisor listens on; it goes on listening while we are away.

    Args:
        descriptor: its number in this process.

    Raises:
        ServerError: it is no such socket.
    """
    try:
        return socket.socket(fileno=descriptor)
    except OSError as error:
        raise ServerError(
            f"BITMAIL_SOCKET={descriptor} is no socket: {error.strerror}. Leave it out where no supervisor sets it.",
            ExitStatus.CONFIGURATION,
        ) from error


def address_of(reserved: socket.socket) -> str:
    """Return the URL under which a browser on this machine finds the socket."""
    host, port = reserved.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: ASGIApp, reserved: socket.socket, shutdown: Shutdown, on_ready: Callable[[], None]
) -> ExitStatus:
    """Serve until a signal, or the app by way of `shutdown`, ends it.

    Args:
        app: what answers; its lifespan opens and closes what it needs.
        reserved: the socket to listen on.
        shutdown: where the app asks for the end.
        on_ready: called once requests are answered.

    Returns:
        The status to exit with.

    Raises:
        ServerError: with a sentence why it did not start.
    """
    lifespan = _Lifespan(app)
    config = uvicorn.Config(
        lifespan,
        lifespan="on",
        ws="wsproto",
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config, on_ready)
    shutdown.bind(server.stop)
    try:
        server.run(sockets=[reserved])
    except KeyboardInterrupt:
        return shutdown.status
    except OSError as error:
        raise _cannot_bind(error, *reserved.getsockname()[:2]) from error
    except SystemExit as error:
        raise _cannot_start(lifespan.error) from (lifespan.error or error)
    return shutdown.status


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Whoever was let in may be about to ask, and a proxy repeats only what changes nothing: so let nobody in any
        # more (a supervisor's socket keeps them waiting), and hear those who are in.
        for server in self.servers:
            server.close()
        deadline = time.monotonic() + HEARING
        await asyncio.sleep(BEING_LET_IN)
        while time.monotonic() < deadline and any(map(_has_not_asked, self.server_state.connections)):  # noqa: ASYNC110
            await asyncio.sleep(BEING_LET_IN)
        await super().shutdown(sockets)

    def stop(self) -> None:
        self.should_exit = True


def _has_not_asked(connection: object) -> bool:
    return getattr(connection, "cycle", ...) is None


class _Lifespan:
    """Keeps the exception that kept the app from starting; uvicorn would print it and forget it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.error: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_without_traceback(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                message["message"] = ""
            await send(message)

        try:
            await self._app(scope, receive, send_without_traceback)
        except BaseException as error:
            self.error = error
            raise


def _cannot_bind(error: OSError, host: str, port: int) -> ServerError:
    if error.errno == errno.EADDRINUSE:
        return ServerError(
            f"Port {port} of {host} is taken, perhaps by another BitMail. Stop that, or set BITMAIL_PORT to "
            "another.",
            ExitStatus.PORT_TAKEN,
        )
    if error.errno == errno.EACCES:
        return ServerError(
            f"This account may not use port {port}. Set BITMAIL_PORT to one above 1023.",
            ExitStatus.CONFIGURATION,
        )
    return ServerError(
        f"BITMAIL_HOST={host} with BITMAIL_PORT={port} cannot be served: {error.strerror}. {HOSTS}",
        ExitStatus.CONFIGURATION,
    )


def _cannot_start(error: BaseException | None) -> ServerError:
    if is_disk_full(error):
        return ServerError(DISK_FULL, ExitStatus.NO_ROOM)
    if isinstance(error, ServerError):
        return error
    return ServerError(f"BitMail could not start: {error!r}", ExitStatus.SOFTWARE)
