"""`serve`: the web server."""

from __future__ import annotations

import gc
import importlib
import os
import socket
from argparse import Namespace

from bitmail import command, frontend, server
from bitmail.commands.base import Command, Output
from bitmail.current import serving
from bitmail.service import Service
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus, Shutdown


def serve(_: Namespace, settings: Settings, __: Output) -> ExitStatus:
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
            gc.freeze()  # what is there now stays, and need not be looked through while people wait
            gc.enable()
            command.say(f"BitMail is at {address} (Ctrl+C stops it)")

        with serving(service):
            return server.serve(root.app(), reserved, shutdown, announce)


def _listening(settings: Settings) -> socket.socket:
    if settings.socket is not None:
        return server.adopt(settings.socket)
    return server.reserve(settings.host, settings.port)


COMMANDS = (Command("serve", "the web server; also what is done without a command", serve, serves=True),)
