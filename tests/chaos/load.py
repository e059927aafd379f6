"""Load: clients of the HTTP API that keep account of what they were promised."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from dataclasses import dataclass

import httpx

PASSWORD = "correct horse battery"
MOST_RECIPIENTS = 4
AWAY = (502, 503, 504)
"""Answers of a service, or a proxy before it, that something is away now; any other is one that it stands by."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A mail that the service said it took."""

    owner: str
    key: str
    submission: str
    recipients: tuple[str, ...]


class Client:
    """One person's script: sends mail after mail; without a clear answer it sends the same again under its key."""

    def __init__(self, name: str, url: str, chance: random.Random) -> None:
        self.promises: list[Promise] = []
        self.faults: list[str] = []
        """Answers that no kill excuses."""
        self.asked_again = 0
        """How often a key was sent again."""
        self._name = self._owner = name
        self._chance = chance
        self._http = httpx.Client(base_url=url, timeout=10)
        self._stop = threading.Event()
        self._abort = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Finish the mail in hand, for which everything has to run."""
        self._stop.set()
        self._thread.join(60)
        self._abort.set()
        if self._thread.is_alive():
            self.faults.append(f"{self._name} got no answer for a minute with everything running")
        self._thread.join()
        self._http.close()

    def _run(self) -> None:
        self._log_in()
        number = 0
        while not self._stop.is_set():
            number += 1
            key = f"{self._name}-{number}"
            people = range(self._chance.randint(1, MOST_RECIPIENTS))
            recipients = tuple(f"{self._name}-{number}-{person}@example.com" for person in people)
            submission = self._send(key, recipients)
            if submission is None:
                return
            self.promises.append(Promise(self._owner, key, submission, recipients))
            if self._chance.random() < 0.1:
                self.asked_again += 1
                again = self._send(key, recipients)
                if again not in (submission, None):
                    self.faults.append(f"the key {key} gave {submission}, and then {again}")
            self._stop.wait(self._chance.uniform(0.0, 0.15))

    def _send(self, key: str, recipients: tuple[str, ...]) -> str | None:
        """The submission, once the service says that it took the mail; None when the time is over."""
        path, mail = self._request(key, recipients)
        answer = self._post(path, json=mail, headers={"Idempotency-Key": key})
        if answer is None:
            return None
        if answer.status_code != 202:
            self.faults.append(f"{key}: {answer.status_code} {answer.text[:200]}")
            return None
        return str(answer.json()["submission"])

    def _request(self, key: str, recipients: tuple[str, ...]) -> tuple[str, dict[str, object]]:
        """Where a mail is handed in, and as what."""
        return "/api/sendmail", {"to": "; ".join(recipients), "subject": key, "text": "Hello"}

    def _log_in(self) -> None:
        answer = self._post("/api/login", auth=(self._name, PASSWORD))
        if answer is None or answer.status_code != 200:
            self.faults.append(f"{self._name} cannot log in: {answer and answer.text[:200]}")
            self._stop.set()
            return
        self._http.headers["Authorization"] = f"Bearer {answer.json()['session']}"

    def _post(self, path: str, **words: object) -> httpx.Response | None:
        """The answer of a service that is well, however often it takes; None when the time is over."""
        while not self._abort.is_set():
            with suppress(httpx.TransportError):
                answer = self._http.post(path, **words)  # type: ignore[arg-type]
                if answer.status_code not in AWAY:
                    return answer
            self.asked_again += 1
            self._abort.wait(0.05)
        return None
