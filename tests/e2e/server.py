"""The server as a person starts it: a process of its own, on a port of its own, with a folder of its own."""

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
    """One `python -m bitmail`, or another program that says where it is, and what it said."""

    def __init__(
        self, var: Path, program: str = "bitmail", announces: str = "BitMail is at ", **settings: str
    ) -> None:
        self._var = var
        self._program = program
        self._announces = announces
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
        env |= {"BITMAIL_VAR": str(self._var), "BITMAIL_PORT": port, **self.settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._program],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ready = threading.Event()
        self._serves = False
        self._reader = threading.Thread(target=self._read, args=(self._ready,))
        self._reader.start()

    def is_ready(self, patience: float = PATIENCE) -> bool:
        """Wait until it serves, or ended before."""
        return self._ready.wait(patience) and self._serves

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
        return [line for line in self.lines if " ERROR " in line or "Traceback" in line]

    def _end(self, number: signal.Signals) -> int:
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def _read(self, ready: threading.Event) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            if self._announces in line:
                self.url = line.partition(self._announces)[2].split()[0]
                self._serves = True
                ready.set()
        ready.set()
