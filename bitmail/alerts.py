"""Alerts: tells operators by mail and by a webhook what cannot wait until somebody looks.

The mail goes through the spool, so by a provider that still works. Each matter is told once an hour, by whichever
process on the store is first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import requests

from bitmail.door import Client, Knock, network
from mta.addresses import Address, parse_address
from mta.desk import Desk
from mta.email import Email
from mta.events import Event, EventKind
from mta.mime import compose
from mta.submission import NewSubmission, Priority
from store import JsonStore, StoreError, logs

QUIET = 3600.0
"""Seconds in which one matter is told once."""
LOOK = 30.0
"""Seconds between two looks at the queue."""
KNOCKS = 50
"""Refused log-ins from one network, or to all of the service from everywhere times `ALL_KNOCKS`, within `WINDOW`."""
ALL_KNOCKS = 10
WINDOW = 600.0
WAITING = 200
"""Alerts that wait to be told, at most."""
PAUSES = (1.0, 5.0)
"""Seconds before the second and the third call of the webhook."""
TIMEOUT = (5.0, 10.0)
URGENT = (EventKind.FATAL, EventKind.CRITICAL, EventKind.GOOD_BYE)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that an operator has to know.

    Attributes:
        kind: FATAL, CRITICAL, GOOD_BYE, QUEUE or ATTACK.
        about: what is told once an hour.
        at: when, in seconds since the epoch.
        text: one sentence for people; no address of anybody is in it.
    """

    kind: str
    about: str
    at: float
    text: str


class Alerts:
    """Listens, and tells in a thread of its own."""

    def __init__(
        self,
        store: JsonStore,
        desk: Desk,
        *,
        sender: str,
        people: Sequence[Address] = (),
        url: str = "",
        queue_age: float = 900.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            store: where it is written down what was told.
            desk: tells what happens, and takes the mail.
            sender: from whom the mail is.
            people: whom to write to.
            url: the webhook to call with JSON; may hold a secret.
            queue_age: seconds that a mail may wait.
            clock: the time in seconds since the epoch.
        """
        self._store = store
        self._desk = desk
        self._sender = sender
        self._people = tuple(people)
        self._url = url
        self._queue_age = queue_age
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Alert] = deque(maxlen=WAITING)
        self._knocks: deque[tuple[float, str]] = deque(maxlen=KNOCKS * ALL_KNOCKS)
        self._stop_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        if self.is_on:
            desk.listen(self.heard)

    @property
    def is_on(self) -> bool:
        """Whether anybody wants to be told."""
        return bool(self._people or self._url)

    def start(self) -> None:
        """Begin."""
        if self.is_on:
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Tell what waits to be told, within `timeout` seconds."""
        with self._changed:
            self._stop_at = time.monotonic() + timeout
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def heard(self, event: Event) -> None:
        """Something happened in a container."""
        if event.kind in URGENT:
            # The sentence may name a recipient, and a webhook may be anybody's.
            text = logs.redacted(event.text)
            self._raise(Alert(event.kind.value, f"{event.kind} {event.provider}", event.at, text))

    def knocked(self, knock: Knock, client: Client) -> None:
        """Somebody tried to log in."""
        if knock is Knock.LET_IN or not self.is_on:
            return
        now, place = self._clock(), network(client.address)
        with self._changed:
            self._knocks.append((now, place))
            while self._knocks and self._knocks[0][0] < now - WINDOW:
                self._knocks.popleft()
            counts = Counter(where for _, where in self._knocks)
            here, everywhere = counts[place], len(self._knocks)
        minutes = f"within {WINDOW / 60:g} minutes"
        if here >= KNOCKS:
            text = f"{here} log-ins from {place} were refused {minutes}. They are slowed down; see the audit trail."
            self._raise(Alert("ATTACK", f"ATTACK {place}", now, text))
        elif everywhere >= KNOCKS * ALL_KNOCKS:
            text = f"{everywhere} log-ins from {len(counts)} networks were refused {minutes}."
            self._raise(Alert("ATTACK", "ATTACK", now, text))

    def look(self) -> None:
        """See whether mail waits for too long."""
        now = self._clock()
        backlog = self._desk.backlog()
        if backlog.oldest is not None and now - backlog.oldest > self._queue_age:
            minutes = (now - backlog.oldest) / 60
            total = sum(backlog.waiting.values())
            text = f"The oldest of {total} deliveries that wait was accepted {minutes:.0f} minutes ago."
            self._raise(Alert("QUEUE", "QUEUE", now, text))

    def _raise(self, alert: Alert) -> None:
        with self._changed:
            if all(one.about != alert.about for one in self._waiting):
                self._waiting.append(alert)
                self._changed.notify()

    def _run(self) -> None:
        next_look = time.monotonic() + LOOK
        while True:
            with self._changed:
                while not self._waiting and self._stop_at is None and time.monotonic() < next_look:
                    self._changed.wait(next_look - time.monotonic())
                alert = self._waiting.popleft() if self._waiting else None
                if alert is None and self._stop_at is not None:
                    return
            try:
                if alert is not None:
                    self._tell(alert)
                elif time.monotonic() >= next_look:
                    next_look = time.monotonic() + LOOK
                    self.look()
            except StoreError as error:
                log.warning("an alert could not be written down: %s", error)
            except Exception:
                log.exception("an alert could not be told")

    def _tell(self, alert: Alert) -> None:
        key = f"alert {alert.about} {int(alert.at // QUIET)}"
        try:
            if not self._is_first(key, alert.at):
                return
        except StoreError as error:  # rather twice than never
            log.warning("it is not known whether another process told this: %s", error)
        log.info("telling operators: %s", alert.about)
        if self._url:
            self._call(alert)
        if self._people:
            self._write(alert, key)

    def _is_first(self, key: str, at: float) -> bool:
        _, is_first = self._store.put_if_absent(
            {"kind": "alert", "key": key}, {"kind": "alert", "key": key, "at": repr(at)}
        )
        if is_first:
            for old in self._store.get({"kind": "alert"}, limit=20):
                if float(old.data["at"]) < at - 2 * QUIET:
                    self._store.remove(old.id)
        return is_first

    def _write(self, alert: Alert, key: str) -> None:
        email = Email(
            sender=parse_address(f"BitMail <{self._sender}>"),
            to=self._people,
            subject=f"BitMail: {alert.kind} {alert.text}"[:120],
            text=f"{alert.text}\n\nThe page for operators shows more: /ops\n",
        )
        self._desk.submit(
            NewSubmission(
                key=key,
                owner="",
                sender=self._sender,
                recipients=tuple(address.email for address in self._people),
                subject=email.subject,
                raw=compose(email),
                needs_envelope=len(self._people) > 1,
                priority=Priority.HIGH,
                fingerprint=key,
            )
        )

    def _call(self, alert: Alert) -> None:
        for pause in (*PAUSES, None):
            try:
                answer = requests.post(self._url, json=asdict(alert), timeout=TIMEOUT, allow_redirects=False)
                if answer.status_code < 300:
                    return
                reason = f"status {answer.status_code}"
                if answer.status_code < 500 and answer.status_code != 429:
                    break
            except requests.RequestException as error:
                reason = type(error).__name__  # its words may show the address, and that a secret
            if pause is None or not self._may_wait(pause):
                break
        log.error(
            "the webhook for alerts at %s could not be called: %s", urlsplit(self._url).hostname, reason
        )

    def _may_wait(self, seconds: float) -> bool:
        with self._changed:
            if self._stop_at is None:
                self._changed.wait_for(lambda: self._stop_at is not None, seconds)
                return True
            left = self._stop_at - time.monotonic() - seconds
        if left <= 0:
            return False
        threading.Event().wait(seconds)
        return True
