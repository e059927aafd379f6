"""`python -m bitmail`: reads the settings, builds the front end if its sources changed, and serves."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys

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
from store import StoreError, logs


def serve(settings: Settings) -> ExitStatus:
    """Serve page, websocket and API on one port until stopped.

    Returns:
        The status to exit with.

    Raises:
        BuildError, ServerError: with a sentence for the person.
    """
    with server.reserve(settings.host, settings.port) as reserved:
        shutdown = Shutdown()
        service = Service(settings, when_nobody_left=lambda: shutdown.request(ExitStatus.UNAVAILABLE))
        frontend.build()
        os.environ.update(frontend.SERVING)
        root = importlib.import_module("bitmail.bitmail")
        address = server.address_of(reserved)

        def announce() -> None:
            command.say(f"BitMail is at {address} (Ctrl+C stops it)")

        with serving(service):
            return server.serve(root.app(), reserved, shutdown, announce)


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name; `serve` when they name none.

    Returns:
        The exit status, one of `ExitStatus` or 130 after Ctrl+C before the server was up.
    """
    parser = argparse.ArgumentParser(prog="python -m bitmail", description="BitMail, the mail service.")
    parser.add_argument(
        "command", nargs="?", choices=["serve"], default="serve", help="serve: the web server (default)"
    )
    parser.parse_args(arguments)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = read_settings(Settings)
        logs.set_up(settings.log, settings.log_level)
        return serve(settings)
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
