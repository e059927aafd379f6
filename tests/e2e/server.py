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
    """One `python -m bitmail`, and what it said."""

    def __init__(self, var: Path, **settings: str) -> None:
        self._var = var
        self._settings = settings
        self.url = ""
        self.lines: list[str] = []

    def start(self) -> None:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("BITMAIL_", "SMTP_"))}
        port = self.url.rpartition(":")[2] or "0"
        env |= {"BITMAIL_VAR": str(self._var), "BITMAIL_PORT": port, **self._settings}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bitmail"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,))
        self._reader.start()
        if not ready.wait(PATIENCE) or not self.url:
            self.kill()
            raise AssertionError("the server did not start:\n" + "\n".join(self.lines))

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
            if "BitMail is at " in line:
                self.url = line.partition("BitMail is at ")[2].split()[0]
                ready.set()
        ready.set()
