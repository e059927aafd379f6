"""How the server ends: why, and with which exit status."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable
from enum import IntEnum


class ExitStatus(IntEnum):
    """Exit statuses of `python -m bitmail`, numbered as in sysexits.h, for supervisors to tell them apart."""

    OK = 0
    """Stopped by a signal, or by an operator."""
    USAGE = 64
    """EX_USAGE: a command was typed wrongly."""
    DATA = 65
    """EX_DATAERR: what a command was given cannot be used."""
    NO_INPUT = 66
    """EX_NOINPUT: what it was asked for is not there."""
    NO_USER = 67
    """EX_NOUSER: there is no such account."""
    UNAVAILABLE = 69
    """EX_UNAVAILABLE: no provider is left; start again later."""
    SOFTWARE = 70
    """EX_SOFTWARE: the front end cannot be built, or the server failed to start."""
    CANNOT_CREATE = 73
    """EX_CANTCREAT: a file cannot be made."""
    NO_ROOM = 74
    """EX_IOERR: the disk is full."""
    PORT_TAKEN = 75
    """EX_TEMPFAIL: the address is in use; start again later."""
    CONFIGURATION = 78
    """EX_CONFIG: a setting cannot work; starting again will not help."""


class Shutdown:
    """Lets any part of the service ask the server to stop, and keeps the exit status it asked for.

    The composition root makes one and exposes it as `shutdown`; the server binds to it.
    """

    def __init__(self) -> None:
        self.status = ExitStatus.OK
        self.requested = False
        self._stop: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def bind(self, stop: Callable[[], None]) -> None:
        """Name what stops the server; called at once if that was asked for before.

        Args:
            stop: stops the server gracefully; may be called from any thread.
        """
        with self._lock:
            self._stop = stop
            requested = self.requested
        if requested:
            stop()

    def request(self, status: ExitStatus) -> None:
        """Ask the server to stop; returns at once. The first to ask names the status; any thread may.

        Args:
            status: what the process exits with.
        """
        with self._lock:
            if not self.requested:
                self.requested, self.status = True, status
            stop = self._stop
        if stop is not None:
            stop()


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk, or a spent quota, is what an exception comes down to."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return True
        if (
            isinstance(error, sqlite3.Error)
            and getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        ):
            return True
        if isinstance(error, BaseExceptionGroup) and any(map(is_disk_full, error.exceptions)):
            return True
        error = error.__cause__ or error.__context__
    return False
