"""The start-up passphrase: from a prompt, a descriptor or a file that nobody else can read, and from nowhere else.

Never from the command line or a variable: both are seen by others on the machine.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path

from mta.sealing import SealError

LIMIT = 4096
"""Bytes of a passphrase."""


def read_passphrase(
    descriptor: int | None, file: Path | None, *, prompt: Callable[[str], str] | None = None
) -> str:
    """The passphrase.

    Args:
        descriptor: an open file descriptor to read it from, to its end; a supervisor gives it so.
        file: a file to read it from, mode 0600.
        prompt: asks a person; the terminal when None, where there is one.

    Raises:
        SealError: there is no way to get it, with a sentence.
    """
    if descriptor is not None:
        try:
            with os.fdopen(descriptor, "rb") as source:
                return _line(source.read(LIMIT))
        except OSError as error:
            raise SealError(
                f"BITMAIL_PASSPHRASE_FD={descriptor} cannot be read: {error.strerror}."
            ) from error
    if file is not None:
        return _from_file(file)
    if prompt is None and not sys.stdin.isatty():
        raise SealError(
            "The keys are sealed and nobody is there to be asked. Set BITMAIL_PASSPHRASE_FILE to a file of mode 0600, "
            "or BITMAIL_PASSPHRASE_FD to an open descriptor."
        )
    return (prompt or getpass)("Passphrase of the sealed keys: ")


def _from_file(file: Path) -> str:
    try:
        with file.open("rb") as source:
            mode = os.fstat(source.fileno()).st_mode
            if stat.S_IMODE(mode) & 0o077:
                raise SealError(f"Others can read {file}. Run: chmod 600 {file}")
            return _line(source.read(LIMIT))
    except OSError as error:
        raise SealError(f"BITMAIL_PASSPHRASE_FILE={file} cannot be read: {error.strerror}.") from error


def _line(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape").rstrip("\r\n")
