"""`python -m deploy.keeper ROLE`: keeps one service of this release running, below any supervisor.

The socket stays open here while the service is away, so whoever asks meanwhile waits and is answered. The standard
library is all it needs.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

MODULES = {"web": "bitmail", "mta": "mta", "store": "store"}
UNAVAILABLE = 69
"""EX_UNAVAILABLE: nobody is left to send by, or the database is away; soon again helps no one."""
CONFIGURATION = 78
"""EX_CONFIG: starting again will not help."""
SLOW = 30.0
"""Seconds of rest after `UNAVAILABLE`."""
LONGEST = 60.0
"""Seconds of rest at most."""
GOOD_RUN = 60.0
"""Seconds after which a run was none of a series of failures."""
SYSTEMD_SOCKET = 3
"""The first socket that systemd passes on, by sd_listen_fds(3)."""
BACKLOG = 1024
"""Connections that wait while the service is away."""
PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Rest:
    """How long to rest between two runs: twice as long after each that failed early."""

    failures: int = 0

    def after(self, status: int, ran: float) -> float:
        """Seconds to rest.

        Args:
            status: what the service ended with.
            ran: seconds for which it ran.
        """
        self.failures = 1 if ran >= GOOD_RUN else self.failures + 1
        usual = min(0.5 * 2.0 ** (self.failures - 1), LONGEST)
        return max(usual, SLOW) if status == UNAVAILABLE else usual


class Keeper:
    """Runs a command again and again until it is told to stop, or to make place for the current release."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], keep_open: Sequence[int]) -> None:
        self._command = command
        self._environment = environment
        self._keep_open = keep_open
        self._running: subprocess.Popen[bytes] | None = None
        self._told: signal.Signals | None = None

    def keep(
        self, wait: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> int | None:
        """Keep it running.

        Args:
            wait: rests for so many seconds; a signal ends it sooner.
            clock: seconds.

        Returns:
            The exit status: 0 when told to stop, 78 when the settings cannot work; None to make place.
        """
        rest = Rest()
        while self._told is None:
            began = clock()
            # Dies with us, even if we are killed: no old worker serves on.
            self._running = subprocess.Popen(  # noqa: S603 - our own module
                self._command, env=self._environment, pass_fds=self._keep_open, preexec_fn=_die_with_parent
            )
            if self._told is not None:
                self._running.terminate()
            status = self._running.wait()
            if self._told is not None:
                break
            if status == CONFIGURATION:
                return status
            pause = rest.after(status, clock() - began)
            sys.stderr.write(f"it ended with {status}; started again in {pause:g} s\n")
            sys.stderr.flush()
            wait(pause)
        return None if self._told is signal.SIGHUP else 0

    def end(self, number: int, frame: FrameType | None = None) -> None:
        """End the service gracefully; by SIGHUP, to make place for the current release. A signal handler."""
        self._told = signal.Signals(number)
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def passed_socket() -> int | None:
    """The listening socket of the page: from the keeper before us, from systemd, or our own where there is neither."""
    if passed := os.environ.get("BITMAIL_SOCKET"):
        return int(passed)
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return SYSTEMD_SOCKET
    if place := os.environ.get("BITMAIL_LISTEN"):
        host, _, port = place.rpartition(":")
        return socket.create_server((host, int(port)), backlog=BACKLOG).detach()
    return None


def main(role: str) -> int:
    """Keep the service of a role running; the exit status."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LISTEN_")}
    keep_open = []
    if (passed := passed_socket()) is not None:
        os.set_inheritable(passed, True)
        keep_open = [passed]
        environment["BITMAIL_SOCKET"] = str(passed)
    keeper = Keeper([sys.executable, "-m", MODULES[role]], environment, keep_open)
    waking, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, keeper.end)
    status = keeper.keep(lambda pause: select.select([waking], [], [], pause))
    if status is None:
        current = Path.cwd().parent.parent / "current/bin/serve"
        os.execve(current, [str(current), role], environment)  # noqa: S606 - no shell is wanted
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
