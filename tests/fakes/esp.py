"""A scripted mail service provider: a process of its own, and the oracle for "accepted exactly once".

It speaks SMTP over a real socket (`tests.fakes.smtp`), offers DSN, and so hears the delivery id of each mail
as its ENVID (RFC 3461). What it accepts stands in a ledger that outlives whatever it serves. It is told what to
do over HTTP while it runs, and ends with the process that started it.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.fakes.smtp import CLOSE, HANG, RESET, Act, FakeRelay, Mail, drip, say

ROOT = Path(__file__).resolve().parents[2]
TYPICAL = 0.05
"""Seconds in which a service answers."""


class Conduct(StrEnum):
    """How it takes one mail: the outcomes, and what else happens to a client in the world."""

    ACCEPTED = "accepted"
    REJECTED_RECIPIENT = "rejected recipient"
    REJECTED_MESSAGE = "rejected message"
    DEFERRED = "deferred"
    THROTTLED = "throttled"
    OVER_QUOTA = "over quota"
    UNAVAILABLE = "unavailable"
    MISCONFIGURED = "misconfigured"
    UNCERTAIN = "uncertain"
    """Closes after the whole mail came, without an answer, and did not take it."""
    ACCEPTED_THEN_CLOSED = "accepted then closed"
    """The same, and did take it."""
    ACCEPTED_THEN_RESET = "accepted then reset"
    CUT_SHORT = "cut short"
    """Takes it, and only a piece of the answer comes."""
    SLOW = "slow"
    """Takes it, and the answer comes octet by octet, in about two seconds."""
    HANG = "hang"
    """Says nothing from the sender on, and keeps the connection."""
    HANG_AT_THE_END = "hang at the end"
    """Says nothing after the whole mail came, and did take it."""
    RESET = "reset"
    """Resets the connection before the mail came."""


ACTS: Mapping[Conduct, tuple[str, Act]] = {
    Conduct.ACCEPTED: ("final", say("250 2.0.0 Ok: queued as ESP1")),
    Conduct.REJECTED_RECIPIENT: ("rcpt", say("550 5.1.1 no such user")),
    Conduct.REJECTED_MESSAGE: ("final", say("554 5.6.0 the message is malformed")),
    Conduct.DEFERRED: ("rcpt", say("450 4.2.0 Greylisted, try again in 1 seconds")),
    Conduct.THROTTLED: ("mail", say("451 4.7.28 rate limit, try again in 1 seconds")),
    Conduct.OVER_QUOTA: ("mail", say("451 4.4.5 Daily message quota exceeded, try again in 2 seconds")),
    Conduct.UNAVAILABLE: ("mail", say("451 4.3.0 internal error")),
    Conduct.MISCONFIGURED: ("mail", say("530 5.7.0 authentication required")),
    Conduct.UNCERTAIN: ("final", CLOSE),
    Conduct.ACCEPTED_THEN_CLOSED: ("final", Act("close", takes=True)),
    Conduct.ACCEPTED_THEN_RESET: ("final", Act("reset", takes=True)),
    Conduct.CUT_SHORT: ("final", Act("cut", b"25", takes=True)),
    Conduct.SLOW: ("final", drip("250 2.0.0 Ok: queued slowly as ESP1\r\n")),
    Conduct.HANG: ("mail", HANG),
    Conduct.HANG_AT_THE_END: ("final", Act("hang", takes=True)),
    Conduct.RESET: ("data", RESET),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A line of the ledger.

    Attributes:
        delivery: the delivery id that the client gave.
        recipient: the envelope recipient.
        at: when, in seconds since the epoch.
    """

    delivery: str
    recipient: str
    at: float


class Esp:
    """The provider as its user sees it, who starts it with `with`, tells it what to do, and reads its ledger."""

    def __init__(self, name: str = "esp", host: str = "127.0.0.1") -> None:
        self.name = name
        self.host = host

    def __enter__(self) -> Esp:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.esp", self.host],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self.port: int = ports["smtp"]
        self._control = httpx.Client(base_url=f"http://127.0.0.1:{ports['control']}", timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def url(self, **options: object) -> str:
        """The provider as `BITMAIL_PROVIDERS` names it, with these options."""
        given = {"name": self.name, **options}
        return f"smtp://{self.host}:{self.port}?" + "&".join(f"{key}={value}" for key, value in given.items())

    def behave(
        self,
        mix: Mapping[Conduct, float] | Conduct = Conduct.ACCEPTED,
        latency: float = TYPICAL,
        seed: int = 0,
    ) -> None:
        """From now on do this, or each at random by its weight, and answer a mail in `latency` seconds."""
        weights = {mix: 1.0} if isinstance(mix, Conduct) else mix
        self._tell("behave", mix=dict(weights), latency=latency, seed=seed)

    def next(self, *conducts: Conduct) -> None:
        """Do this with the next mails, one after the other, before what it does otherwise."""
        self._tell("next", conducts=conducts)

    def go_down(self) -> None:
        """Refuse connections, and break those that there are."""
        self._tell("down")

    def come_up(self) -> None:
        """Take connections again."""
        self._tell("up")

    def ledger(self) -> list[Taken]:
        """What it accepted, in order."""
        return [Taken(**line) for line in self._control.get("/ledger").raise_for_status().json()]

    def _tell(self, verb: str, **words: Any) -> None:
        self._control.post(f"/{verb}", json=words).raise_for_status()


class _Provider(FakeRelay):
    """The provider itself."""

    def __init__(self, host: str) -> None:
        super().__init__(extensions=("8BITMIME", "SIZE 10000000", "SMTPUTF8", "DSN"), host=host)
        self._lock = threading.Lock()
        self._next: deque[Conduct] = deque()
        self._is_up = True
        self.behave({Conduct.ACCEPTED: 1.0}, TYPICAL, 0)

    def behave(self, mix: Mapping[str, float], latency: float, seed: int) -> None:
        with self._lock:
            self._conducts = [Conduct(one) for one in mix]
            self._weights = list(mix.values())
            self._latency = latency
            self._chance = random.Random(seed)

    def next(self, conducts: list[str]) -> None:
        with self._lock:
            self._next.extend(map(Conduct, conducts))

    def switch(self, *, up: bool) -> None:
        with self._lock:
            if up is not self._is_up:
                self._is_up = up
                self.come_up() if up else self.go_down()

    def plan(self) -> Mapping[str, Act]:
        with self._lock:
            conduct = (
                self._next.popleft() if self._next else self._chance.choices(self._conducts, self._weights)[0]
            )
            stage, act = ACTS[conduct]
            return {stage: Act(act.kind, act.octets, self._latency, act.takes)}

    def take(self, mail: Mail) -> None:
        super().take(Mail(mail.mail_from, mail.rcpt_to, b"", mail.at))  # the ledger of a long day stays small

    def ledger(self) -> list[Taken]:
        with self.accepting:
            accepted = list(self.accepted)
        return [
            Taken(
                delivery=mail.mail_from.partition("ENVID=")[2].partition(" ")[0],
                recipient=mail.rcpt_to.partition(" ")[0].strip("<>"),
                at=mail.at,
            )
            for mail in accepted
        ]


def _control(provider: _Provider) -> ThreadingHTTPServer:
    class Control(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer([asdict(line) for line in provider.ledger()])

        def do_POST(self) -> None:
            words = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            match self.path:
                case "/behave":
                    provider.behave(**words)
                case "/next":
                    provider.next(**words)
                case "/up" | "/down":
                    provider.switch(up=self.path == "/up")
            self._answer(None)

        def _answer(self, data: object) -> None:
            body = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Control)


def main() -> None:
    """Serve until the standard input ends, so until whoever started it is gone."""
    with _Provider(sys.argv[1]) as provider, _control(provider) as control:
        threading.Thread(target=control.serve_forever, daemon=True).start()
        print(json.dumps({"smtp": provider.port, "control": control.server_address[1]}), flush=True)
        sys.stdin.read()
        control.shutdown()


if __name__ == "__main__":
    main()
