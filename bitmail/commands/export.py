"""`export`: all mail of an account in one file."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

from bitmail.commands.base import Command, CommandFailed, Output, opened
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus


def export(arguments: Namespace, settings: Settings, out: Output) -> ExitStatus:
    """Write the account's mail as mbox, for its owner or the person's new host."""
    with opened(settings) as service:
        name = service.model.accounts.canonical(arguments.name)
        if not service.model.accounts.exists(name):
            raise CommandFailed(f"There is no account “{name}” here.", ExitStatus.NO_USER)
        mails = service.model.departure.mbox(name)
        if arguments.output is None:
            count, octets = _write(mails, sys.stdout.buffer.write)
            sys.stdout.buffer.flush()
            return ExitStatus.OK
        count, octets = _keep(mails, arguments.output)
    out.value(
        {"name": name, "mails": count, "bytes": octets, "file": str(arguments.output)},
        f"{count} mails, {octets:,} bytes, are in {arguments.output}.",
    )
    return ExitStatus.OK


def _keep(mails: Iterable[bytes], path: Path) -> tuple[int, int]:
    """Into a new file that nobody else may read; a half one is removed."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandFailed(
            f"{path} is there already. Name another file.", ExitStatus.CANNOT_CREATE
        ) from None
    except OSError as error:
        raise CommandFailed(f"{path} cannot be made: {error.strerror}.", ExitStatus.CANNOT_CREATE) from None
    try:
        with os.fdopen(file, "wb") as stream:
            return _write(mails, stream.write)
    except BaseException:
        path.unlink()
        raise


def _write(mails: Iterable[bytes], write: Callable[[bytes], object]) -> tuple[int, int]:
    count = octets = 0
    for mail in mails:
        write(mail)
        count, octets = count + 1, octets + len(mail)
    return count, octets


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the account")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a new file, instead of standard output")


COMMANDS = (Command("export", "all mail of an account as mbox", export, _arguments),)
