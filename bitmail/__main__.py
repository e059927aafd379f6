"""`python -m bitmail`: reads the settings, builds the front end if its sources changed, and serves."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import socket
import sys
from contextlib import closing

from pydantic_settings import SettingsError
from sqlalchemy.exc import SQLAlchemyError

from bitmail import command, frontend, server
from bitmail.current import serving
from bitmail.server import ServerError
from bitmail.service import Service
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus, Shutdown, is_disk_full
from mta.configuration import ConfigurationError, read_settings
from mta.errors import UnknownScheduler
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, Database, StoreError, migrate


def serve(settings: Settings) -> ExitStatus:
    """Serve page, websocket and API on one port until stopped.

    Returns:
        The status to exit with.

    Raises:
        BuildError, ServerError: with a sentence for the person.
    """
    with _listening(settings) as reserved:
        shutdown = Shutdown()
        service = Service(settings, when_nobody_left=lambda: shutdown.request(ExitStatus.UNAVAILABLE))
        frontend.build()
        os.environ.update(frontend.SERVING | frontend.sharing(settings.redis_url))
        root = importlib.import_module("bitmail.bitmail")
        address = server.address_of(reserved)

        def announce() -> None:
            command.say(f"BitMail is at {address} (Ctrl+C stops it)")

        with serving(service):
            return server.serve(root.app(), reserved, shutdown, announce)


def bring_up(settings: Settings) -> ExitStatus:
    """Bring the database up to this release, by nothing that the release before could not live with.

    Raises:
        StoreError: it cannot be done, and the database is as it was.
    """
    with closing(Database(settings.resolved_database_url())) as database:
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE, expand_only=True)
        if not settings.store_url:
            migrate(database, expand_only=True)
            migrate(database, SEARCH_MIGRATIONS, SEARCH_VERSION_TABLE, expand_only=True)
    command.say("The database is that of this release.")
    return ExitStatus.OK


def _listening(settings: Settings) -> socket.socket:
    if settings.socket is not None:
        return server.adopt(settings.socket)
    return server.reserve(settings.host, settings.port)


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name; `serve` when they name none.

    Returns:
        The exit status, one of `ExitStatus` or 130 after Ctrl+C before the server was up.
    """
    parser = argparse.ArgumentParser(prog="python -m bitmail", description="BitMail, the mail service.")
    parser.add_argument(
        "command",
        nargs="?",
        choices=["serve", "migrate"],
        default="serve",
        help="serve: the web server (default); migrate: bring the database up to this release, and end",
    )
    wanted = parser.parse_args(arguments).command

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("uvicorn", "alembic", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "Application startup failed" not in record.getMessage()
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = read_settings(Settings)
        return bring_up(settings) if wanted == "migrate" else serve(settings)
    except (ConfigurationError, UnknownScheduler, SettingsError) as error:
        return _refuse(f"BitMail cannot start with these settings: {error}", status=ExitStatus.CONFIGURATION)
    except (StoreError, OSError, SQLAlchemyError) as error:
        if is_disk_full(error):
            return _refuse(server.DISK_FULL, status=ExitStatus.NO_ROOM)
        return _refuse(f"BitMail cannot use its database: {error}", status=ExitStatus.UNAVAILABLE)
    except frontend.BuildError as error:
        return _refuse(str(error), status=ExitStatus.SOFTWARE)
    except ServerError as error:
        return _refuse(str(error), status=error.status)
    except KeyboardInterrupt:
        return 130


def _refuse(*lines: str, status: ExitStatus) -> ExitStatus:
    sys.stderr.write("\n  ".join(lines) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
