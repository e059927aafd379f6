"""`python -m bitmail`: reads the settings and runs a command; without one, serves."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # what is imported stays, and looking through it again and again takes a fifth of the start

import argparse
import os
import signal
import sys
from typing import NoReturn

from pydantic_settings import SettingsError
from sqlalchemy.exc import SQLAlchemyError

from bitmail import frontend, server
from bitmail.commands import COMMANDS
from bitmail.commands.base import CommandFailed, Output
from bitmail.errors import LogInRefused
from bitmail.server import ServerError
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus, is_disk_full
from mta.configuration import ConfigurationError, read_settings
from mta.errors import UnknownScheduler
from store import StoreError, logs, tracing


class _Parser(argparse.ArgumentParser):
    """Exits as sysexits.h says."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(ExitStatus.USAGE, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments name; `serve` when they name none.

    Returns:
        The exit status, one of `ExitStatus` or 130 after Ctrl+C before the server was up.
    """
    parser = _Parser(prog="python -m bitmail", description="BitMail, the mail service.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for one in COMMANDS:
        its = commands.add_parser(
            one.name, help=one.help, description=f"{one.help[:1].upper()}{one.help[1:]}."
        )
        its.add_argument("--json", action="store_true", help="say it as one JSON value")
        one.add(its)
    parsed = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    wanted = next(one for one in COMMANDS if one.name == (parsed.command or "serve"))

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not wanted.serves:
        gc.enable()
    try:
        settings = read_settings(Settings)
        if wanted.serves:
            logs.set_up(settings.log, settings.log_level)
        else:
            logs.set_up(settings.log or logs.Form.TEXT, logs.Level.ERROR)
        tracing.set_up("bitmail", settings)
        return wanted.run(parsed, settings, Output(as_json=getattr(parsed, "json", False)))
    except CommandFailed as error:
        return _refuse(str(error), status=error.status)
    except LogInRefused as error:
        return _refuse(str(error), status=ExitStatus.NO_USER)
    except BrokenPipeError:  # whoever read this has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitStatus.OK
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
