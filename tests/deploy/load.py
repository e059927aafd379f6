"""People and scripts who use the hosts all the while; each request that fails is remembered."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.deploy.project import DOMAIN

PAUSE = 0.1
"""Seconds between two requests of one script."""
PATIENCE = 60.0
"""Seconds that a request may take; a restart holds it back for some."""


class Script:
    """One who uses one host: looks which version it is, and sends mail."""

    def __init__(self, address: str, name: str, password: str) -> None:
        self.versions: Counter[str] = Counter()
        self.sent: list[str] = []
        self.failures: list[str] = []
        self.slowest = 0.0
        self._client = httpx.Client(
            base_url=f"https://{address}", headers={"Host": DOMAIN}, verify=False, timeout=PATIENCE
        )
        self._log_in = (name, password)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work)

    @property
    def requests(self) -> int:
        return sum(self.versions.values()) + len(self.sent) + len(self.failures)

    def start(self) -> None:
        session = self._client.post("/api/login", auth=self._log_in)
        assert session.status_code == 200, session.text
        self._client.headers["Authorization"] = f"Bearer {session.json()['session']}"
        self._client.cookies.clear()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE * 2)
        self._client.close()

    def _work(self) -> None:
        number = 0
        while not self._stopped.wait(PAUSE):
            number += 1
            try:
                if number % 5:
                    answer = self._client.get("/api/version").raise_for_status()
                    self.versions[answer.json()["version"]] += 1
                else:
                    mail = {"to": "grace@example.com", "subject": f"{number}", "text": "x"}
                    answer = self._client.post("/api/sendmail", json=mail).raise_for_status()
                    self.sent.append(answer.json()["submission"])
                self.slowest = max(self.slowest, answer.elapsed.total_seconds())
            except (httpx.HTTPError, ValueError, KeyError) as error:
                self.failures.append(f"{number}: {error!r}")


@contextmanager
def load(*scripts: Script) -> Iterator[None]:
    """Let scripts work meanwhile."""
    for script in scripts:
        script.start()
    try:
        yield
    finally:
        for script in scripts:
            script.stop()
