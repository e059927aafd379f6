"""The crash campaign: load, providers that come and go, and kills at random moments; afterwards the audit."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mta.configuration import MtaSettings
from mta.container import Container
from mta.providers.catalogue import make_providers
from mta.settings import Backoff, ContainerSettings, WhenDown
from store import Database
from tests.chaos.audit import Findings, audit
from tests.chaos.load import Client
from tests.e2e.server import Sender, Server
from tests.fakes.esp import Conduct, Esp

CONTAINERS = {"sqlite": ("inside", 1), "postgresql": ("beside", 2)}
"""For each database whether the web server sends as well, and how many `python -m mta` there are."""
CLIENTS = 3
PATIENCE = 60.0
UNAVAILABLE = 69
LONGEST_LIFE = 0.6
"""Seconds that processes under load live before a kill, at most."""
KILL_WHILE_STARTING = 0.15
"""The share of rounds in which what was killed is killed once more while it starts."""
LATER = 3 * 3600.0
"""Seconds by which the clock of the last container is ahead: every wait is over then."""

MIX = {
    Conduct.ACCEPTED: 80.0,
    Conduct.REJECTED_RECIPIENT: 2.0,
    Conduct.REJECTED_MESSAGE: 2.0,
    Conduct.DEFERRED: 1.0,
    Conduct.THROTTLED: 0.5,
    Conduct.OVER_QUOTA: 0.2,
    Conduct.UNAVAILABLE: 5.0,
    Conduct.MISCONFIGURED: 0.1,
    Conduct.UNCERTAIN: 1.5,
    Conduct.ACCEPTED_THEN_CLOSED: 1.5,
    Conduct.ACCEPTED_THEN_RESET: 1.0,
    Conduct.CUT_SHORT: 1.0,
    Conduct.SLOW: 0.5,
    Conduct.HANG: 0.5,
    Conduct.HANG_AT_THE_END: 0.5,
    Conduct.RESET: 2.0,
}


class Target(StrEnum):
    """What a round kills."""

    WEB = "web"
    CONTAINER = "container"
    BOTH = "both"


@dataclass(slots=True)
class Report:
    """What a campaign came to."""

    database: str
    seed: int
    rounds: int
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    ended: Counter[int] = field(default_factory=Counter)
    accepted: int = 0
    asked_again: int = 0
    pending: int = 0
    findings: Findings = field(default_factory=Findings)
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The counts as one line of JSON."""
        found = self.findings
        counts = {
            "bench": "chaos",
            "database": self.database,
            "seed": self.seed,
            "rounds": self.rounds,
            "seconds": round(self.seconds, 1),
            "kills": dict(self.kills),
            "good_byes": self.ended[UNAVAILABLE],
            "accepted": self.accepted,
            "asked_again": self.asked_again,
            "pending_at_the_end_of_load": self.pending,
            "submissions": found.submissions,
            "deliveries": found.deliveries,
            "statuses": dict(found.statuses),
            "attempts": dict(found.outcomes),
            "taken_by_providers": found.taken,
            "taken_twice_and_marked": found.marked_twice,
            "lost": len(found.lost),
            "unfinished": len(found.unfinished),
            "taken_twice_unmarked": len(found.doubled),
            "untrue": len(found.untrue),
            "other_faults": len(self.faults),
        }
        return json.dumps(counts)


class Campaign:
    """One campaign: a web server, containers beside it on the same spool, and three providers."""

    def __init__(
        self, var: Path, database_url: str, *, seed: int, say: Callable[[str], None] = print
    ) -> None:
        """
        Args:
            var: a folder for what is written.
            database_url: an empty database.
            seed: of everything that is left to chance here; what the processes do at the same time is not.
            say: shows a line of progress.
        """
        self._url = database_url
        self._chance = random.Random(seed)
        self._say = say
        self._esps = [Esp(name) for name in ("one", "two", "three")]
        self._down: set[str] = set()
        self._var = var
        self._report = Report(database_url.partition(":")[0].partition("+")[0], seed, 0)

    def run(self, rounds: int) -> Report:
        """Kill so many times, then let everything come to an end, and audit."""
        began = time.monotonic()
        with ExitStack() as stack:
            for esp in self._esps:
                stack.enter_context(esp)
            self._providers = " ".join(esp.url(concurrency=4, timeout=2) for esp in self._esps)
            self._web, *self._beside = self._fleet()
            stack.callback(self._kill, [self._web, *self._beside])
            for server in (self._web, *self._beside):
                server.start()
            clients = [
                Client(f"client{number}", self._web.url, random.Random(self._chance.random()))
                for number in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            stack.callback(lambda: [client.stop() for client in clients])
            for number in range(rounds):
                self._round(clients)
                self._report.rounds += 1
                if (number + 1) % 10 == 0:
                    self._say(f"{number + 1} rounds, {_accepted(clients)} mails accepted")
            self._bring_up()
            self._keep_running()
            for client in clients:
                client.stop()
            self._kill([self._web, *self._beside])
            self._finish(clients)
        self._report.seconds = time.monotonic() - began
        return self._report

    def _fleet(self) -> list[Server]:
        settings = {
            "BITMAIL_DATABASE_URL": self._url,
            "BITMAIL_PROVIDERS": self._providers,
            "BITMAIL_UNCERTAIN_GRACE": "1",
        }
        where, containers = CONTAINERS[self._report.database]
        beside = [Sender(self._var, **settings) for _ in range(containers)]
        return [Server(self._var, BITMAIL_CONTAINER=where, **settings), *beside]

    def _round(self, clients: Sequence[Client]) -> None:
        self._shake()
        target = self._chance.choice(list(Target))
        before = _accepted(clients)
        deadline = time.monotonic() + PATIENCE
        while _accepted(clients) < before + 3:
            self._keep_running()
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing was accepted for {PATIENCE:g} s; {self._web.lines[-20:]}")
            _pause(0.02)
        _pause(self._chance.uniform(0.0, LONGEST_LIFE))
        doomed = []
        if target in (Target.WEB, Target.BOTH):
            doomed.append(self._web)
        if target in (Target.CONTAINER, Target.BOTH):
            doomed.append(self._chance.choice(self._beside))
        self._kill(doomed)
        self._report.kills[target] += 1
        if self._chance.random() < KILL_WHILE_STARTING:
            for server in doomed:
                server.launch()
            _pause(self._chance.uniform(0.0, 1.0))
            self._kill(doomed)
            self._report.kills["while starting"] += 1
        for server in doomed:
            server.launch()
        for server in doomed:
            self._wait_for(server)

    def _shake(self) -> None:
        """Let one provider come or go, or do this and that."""
        esp = self._chance.choice(self._esps)
        if self._chance.random() < 0.3 and len(self._down) < len(self._esps) - 1:
            esp.go_down()
            self._down.add(esp.name)
        else:
            esp.come_up()
            self._down.discard(esp.name)
            esp.behave(MIX, latency=self._chance.choice([0.0, 0.02, 0.05]), seed=self._chance.getrandbits(32))

    def _bring_up(self) -> None:
        for esp in self._esps:
            esp.come_up()
            esp.behave()

    def _keep_running(self) -> None:
        """What a supervisor does: start again what ended, as it does when no provider is left."""
        for server in (self._web, *self._beside):
            if server.status() is not None:
                self._ended(server)
                server.launch()
                self._wait_for(server)

    def _wait_for(self, server: Server) -> None:
        while not server.is_ready():
            if server.status() is None:
                raise AssertionError(f"a process did not start: {server.lines[-20:]}")
            self._ended(server)
            server.launch()

    def _ended(self, server: Server) -> None:
        status = server.wait()
        self._report.ended[status] += 1
        if status != UNAVAILABLE:
            raise AssertionError(f"a process ended with {status}: {server.lines[-20:]}")

    def _kill(self, servers: Sequence[Server]) -> None:
        for server in servers:
            server.kill()

    def _finish(self, clients: Sequence[Client]) -> None:
        report = self._report
        promises = [promise for client in clients for promise in client.promises]
        report.accepted = len(promises)
        report.asked_again = sum(client.asked_again for client in clients)
        report.faults += [fault for client in clients for fault in client.faults]
        for server in (self._web, *self._beside):
            report.faults += [line for line in server.lines if "Traceback" in line]
        database = Database(self._url)
        report.pending = _waiting(database)
        self._drain(database)
        ledger = [line for esp in self._esps for line in esp.ledger()]
        report.findings = audit(database, promises, ledger)
        database.close()

    def _drain(self, database: Database) -> None:
        """Let a container for which every wait is over bring the rest to an end."""
        settings = MtaSettings(_env_file=None, providers=self._providers)  # type: ignore[call-arg]
        container = Container(
            database,
            make_providers(settings, lambda mail: None),
            settings=ContainerSettings(
                poll=0.1, uncertain_grace=0.1, backoff=Backoff(first=0.1), when_down=WhenDown.WAIT
            ),
            clock=lambda: time.time() + LATER,
        )
        container.start()
        deadline = time.monotonic() + PATIENCE
        while _waiting(database) and time.monotonic() < deadline:
            _pause(0.1)
        container.stop()


def _waiting(database: Database) -> int:
    with database.read() as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT count(*) FROM spool_deliveries WHERE due IS NOT NULL"
            ).scalar_one()
        )


def _accepted(clients: Sequence[Client]) -> int:
    return sum(len(client.promises) for client in clients)


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)
