"""What every command stands on: its arguments, what it shows, and the service behind it, without the sending."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from bitmail.service import Service
from bitmail.settings import Settings
from bitmail.shutdown import ExitStatus


class CommandFailed(Exception):
    """A command cannot do what it was asked for; the message is a sentence for the person.

    Attributes:
        status: what the process exits with.
    """

    def __init__(self, message: str, status: ExitStatus) -> None:
        super().__init__(message)
        self.status = status


class Output:
    """Where a command shows what it found: words for people, or one JSON value for programs."""

    def __init__(self, *, as_json: bool, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self._stream = stream or sys.stdout

    def value(self, value: Any, *lines: str) -> None:
        """Show one thing: `value` in JSON, `lines` in words."""
        if self.as_json:
            self._stream.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
        else:
            self._stream.writelines(f"{line}\n" for line in lines)

    def table(self, rows: Sequence[dict[str, Any]], columns: Sequence[str], nothing: str) -> None:
        """Show several things: all of each in JSON, and these columns of them in words."""
        if self.as_json:
            self.value(list(rows))
            return
        if not rows:
            self.value(None, nothing)
            return
        cells = [list(columns), *([printable(row[column]) for column in columns] for row in rows)]
        widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
        for line in cells:
            text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._stream.write(text.rstrip() + "\n")


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: as it is typed.
        help: one sentence.
        run: does it; gives the exit status.
        add: declares its arguments.
        serves: it is the server itself, so its log is the server's.
    """

    name: str
    help: str
    run: Callable[[Namespace, Settings, Output], ExitStatus]
    add: Callable[[ArgumentParser], None] = lambda parser: None
    serves: bool = False


@contextmanager
def opened(settings: Settings) -> Iterator[Service]:
    """The service of these settings, which sends nothing: the servers on the same database do.

    Raises:
        ConfigurationError, StoreError: it cannot be opened.
    """
    alone = {"container": "beside", "smtp_listen": "", "submission_listen": "", "local_delivery": False}
    service = Service(settings.model_copy(update=alone))
    try:
        yield service
    finally:
        service.stop()


def moment(at: float | None) -> str:
    """A time for people, or ""."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def printable(value: object) -> str:
    """A value on one line of a terminal, whatever a stranger wrote into it."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)
