"""The servers as a person starts them: processes of their own, on ports of their own, with a folder of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


class Server:
    """One `python -m bitmail`, and what it said."""

    module = "bitmail"
    port = "BITMAIL_PORT"
    ready = "BitMail is at "

    def __init__(self, var: Path, **settings: str) -> None:
        self._var = var
        self.settings = settings
        self.url = ""
        self.lines: list[str] = []

    def start(self) -> None:
        self.launch()
        if not self.is_ready():
            self.kill()
            raise AssertionError("the server did not start:\n" + "\n".join(self.lines))

    def launch(self) -> None:
        """Start it without waiting until it serves."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("BITMAIL_", "SMTP_"))}
        port = self.url.rpartition(":")[2] or "0"
        env |= {"BITMAIL_VAR": str(self._var), self.port: port, "BITMAIL_UNDO": "0", **self.settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._looked_at = threading.Event()
        self._serves = False
        self._reader = threading.Thread(target=self._read, args=(self._looked_at,), daemon=True)
        self._reader.start()

    def is_ready(self) -> bool:
        """Wait until it serves, or ended before."""
        return self._looked_at.wait(PATIENCE) and self._serves

    @property
    def process_id(self) -> int:
        return self._process.pid

    def status(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        self._reader.join(PATIENCE)
        return self._process.wait(PATIENCE)

    def errors(self) -> list[str]:
        return [line for line in self.lines if '"level":"error"' in line or "Traceback" in line]

    def _end(self, number: signal.Signals) -> int:
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def _read(self, ready: threading.Event) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if self.ready in line:
                self.url = line.partition(self.ready)[2].split()[0]
                self._serves = True
                ready.set()
        ready.set()


class Sender(Server):
    """One `python -m mta`, and what it said."""

    module = "mta"
    port = "BITMAIL_CONTAINER_PORT"
    ready = "The MTA container is at "
