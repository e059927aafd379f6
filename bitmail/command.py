"""Commands of others that take long: what they print is cut to a few lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

Say = Callable[[str], None]
"""Shows one line to the person who waits."""

NO_ROOM = ("No space left on device", "ENOSPC", "Disk quota exceeded", "File too large", "disk is full")
"""What tools say when the disk, or the share of it they may use, is full."""

KEPT_LINES = 400
GRACE = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status, 0 when it went well, negative for the signal that killed it.
        output: the last few hundred lines that it printed.
    """

    status: int
    output: str

    @property
    def says_no_room(self) -> bool:
        """Whether it complained of a full disk."""
        return any(words in self.output for words in NO_ROOM)

    def tail(self, lines: int = 20) -> str:
        """Return its last lines, indented for showing."""
        return "\n".join(f"    {line}" for line in self.output.splitlines()[-lines:])


def say(line: str) -> None:
    """Show one line at once, also where the output is a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(
    command: Sequence[str | Path],
    *,
    say: Say,
    digest: Callable[[str], str | None],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    keep_open: Sequence[int] = (),
    patience: float = 5.0,
) -> Ended:
    """Run a command to its end.

    It gets a session of its own, so that an interruption of ours takes it and all its children down, once.

    Args:
        command: program and arguments.
        say: shows a line.
        digest: makes of a printed line what is shown of it, or None.
        environment: its environment; ours when None.
        folder: its working folder; ours when None.
        keep_open: file descriptors that it inherits, such as one that holds a lock.
        patience: seconds without a shown line after which the elapsed time is shown.

    Returns:
        How it ended.
    """
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - a fixed command, without a shell
        command,
        env=environment,
        cwd=folder,
        pass_fds=keep_open,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    lines: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    shown = started
    try:
        while True:
            try:
                line = lines.get(timeout=max(0.0, shown + patience - time.monotonic()))
            except Empty:
                shown = time.monotonic()
                say(f"  … {shown - started:.0f} s")
                continue
            if line is None:
                return Ended(process.wait(), "".join(kept))
            kept.append(line)
            if text := digest(line.rstrip()):
                shown = time.monotonic()
                say(f"  {text}")
    except BaseException:
        _stop(process)
        raise


def _read(process: subprocess.Popen[str], lines: SimpleQueue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put(None)


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
