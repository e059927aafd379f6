"""`python -m bitmail`: reads the settings, builds the front end if its sources changed, and serves."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import signal
import sys

from pydantic import ValidationError
from pydantic_settings import SettingsError

from bitmail import command, frontend, server
from bitmail.server import ServerError
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus


def serve(settings: Settings) -> ExitStatus:
    """Serve page, websocket and API on one port until stopped.

    Returns:
        The status to exit with.

    Raises:
        BuildError, ServerError: with a sentence for the person.
    """
    with server.reserve(settings.host, settings.port) as reserved:
        frontend.build()
        os.environ.update(frontend.SERVING)
        root = importlib.import_module("bitmail.bitmail")
        address = server.address_of(reserved)

        def announce() -> None:
            command.say(f"BitMail is at {address} (Ctrl+C stops it)")

        return server.serve(root.app(), reserved, root.shutdown, announce)


def sentences(error: ValidationError) -> list[str]:
    """Return a sentence for each setting that cannot work.

    It names the variable and never repeats the value, which may be a secret.
    """
    prefix = str(Settings.model_config.get("env_prefix", ""))
    lines = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        message = problem["msg"].removeprefix("Value error, ")
        field = str(problem["loc"][0]) if problem["loc"] else ""
        name = (prefix + field).upper() if field in Settings.model_fields else field
        lines.append(f"{name}: {message}" if name else message)
    return lines


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

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("uvicorn", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: "Application startup failed" not in record.getMessage()
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return serve(Settings())
    except ValidationError as error:
        return _refuse(
            "BitMail cannot start with these settings:", *sentences(error), status=ExitStatus.CONFIGURATION
        )
    except SettingsError as error:
        return _refuse(f"BitMail cannot start with these settings: {error}", status=ExitStatus.CONFIGURATION)
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
