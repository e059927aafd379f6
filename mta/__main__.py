"""`python -m mta`: sends what is in the spool of the settings, and takes mail from other programs."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported stays, and looking through it again and again takes a fifth of the start

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
import uvloop
from pydantic_settings import SettingsError
from sqlalchemy.exc import SQLAlchemyError

from mta.configuration import ConfigurationError, MtaSettings, read_settings
from mta.errors import UnknownScheduler
from mta.eventstream import EventStream
from mta.incoming import IncomingTray
from mta.intake import Intake
from mta.metrics import Metrics
from mta.opening import make_container
from mta.providers.catalogue import make_providers
from mta.server import ContainerServer
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, StoreError, logs, migrate, tracing

GRACE = 10
"""Seconds that open requests get when the server stops."""
FINISH = 30.0
"""Seconds that attempts in flight get after that."""
CONNECTIONS = 512

log = logging.getLogger("mta")


class _Server(uvicorn.Server):
    """Says when it serves, and ends the streams of events before it waits for those who are being answered."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_end: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_end = on_end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_end()
        await super().shutdown(sockets)


async def serve(settings: MtaSettings, listening: socket.socket) -> int:
    """Send and serve until stopped.

    Args:
        settings: what the operator set.
        listening: where to serve.

    Returns:
        The exit status: 0, or 69 when no provider is left.

    Raises:
        ConfigurationError, UnknownScheduler: naming the setting that cannot work.
        StoreError: the database cannot be used.
    """
    database = Database(settings.resolved_database_url())
    status = os.EX_OK

    def leave() -> None:
        nonlocal status
        status = os.EX_UNAVAILABLE
        server.should_exit = True

    try:
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        metrics = Metrics()
        providers = make_providers(settings, IncomingTray(database).put)
        container = make_container(
            settings, database, providers, when_nobody_left=leave, measure=metrics.attempted
        )
        metrics.watch(container)
        events, intake = EventStream(), Intake(container)
        container.listen(events.tell)
        routes = ContainerServer(container, intake, metrics, events, settings.container_secret)
        server = _Server(_config(settings, routes), lambda: _announce(settings, listening), events.close)
        gc.freeze()  # what is there now stays, and need not be looked through again and again
        gc.enable()
        container.start()
        try:
            await server.serve(sockets=[listening])
        finally:
            if not container.stop(FINISH):
                log.warning("stopped with attempts in flight; whether they were accepted is not known")
            routes.close()
    finally:
        database.close()
    return status


def _config(settings: MtaSettings, routes: ContainerServer) -> uvicorn.Config:
    return uvicorn.Config(
        routes,
        lifespan="off",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # nobody asks where a request came from
        ssl_certfile=settings.container_certificate,
        ssl_keyfile=settings.container_key,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
        limit_concurrency=CONNECTIONS,
    )


def _announce(settings: MtaSettings, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    scheme = "https" if settings.container_certificate else "http"
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    sys.stdout.write(f"The MTA container is at {scheme}://{place} (Ctrl+C stops it)\n")
    if not settings.container_secret.get_secret_value():
        sys.stdout.write(
            "BITMAIL_CONTAINER_SECRET is not set: it takes no mail over HTTP, only from the spool.\n"
        )
    sys.stdout.flush()


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # With its protocol: asyncio goes by that when it lets answers go out undelayed.
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


def main() -> int:
    """Serve until stopped; the exit status, numbered as in sysexits.h."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = read_settings(MtaSettings)
        logs.set_up(settings.log, settings.log_level)
        tracing.set_up("bitmail-mta", settings)
        with _listen(settings.container_host, settings.container_port) as listening:
            return uvloop.run(serve(settings, listening))
    except (ConfigurationError, UnknownScheduler, SettingsError) as error:
        return _refuse(f"the MTA container cannot start with these settings: {error}", os.EX_CONFIG)
    except (StoreError, SQLAlchemyError) as error:
        return _refuse(f"the MTA container cannot use its database: {error}", os.EX_UNAVAILABLE)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        return _refuse(
            f"BITMAIL_CONTAINER_HOST with BITMAIL_CONTAINER_PORT cannot be served: {error}",
            os.EX_TEMPFAIL if taken else os.EX_CONFIG,
        )
    except KeyboardInterrupt:
        return os.EX_OK


def _refuse(line: str, status: int) -> int:
    sys.stderr.write(f"{line}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
