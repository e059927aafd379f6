"""Two hosts on one spool while what they stand on fails: every mail arrives, and arrives once."""

from __future__ import annotations

import base64
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from sqlalchemy import text

from store import Database
from tests.chaos.audit import audit
from tests.chaos.load import Client
from tests.deploy.conftest import Stage
from tests.deploy.project import DOMAIN
from tests.fakes.esp import Esp
from tests.store import postgres

MAILS = int(os.environ.get("LAB_MAILS", "5000"))
"""At least so many; docs/scale.md says what came of them."""
CLIENTS = {"web": 2, "mta": 8}
"""On each host: those who hand in mail at the page's API, and those who do at the container's own."""
CONTAINER_PORT = 3200
SECRET = "the secret of the lab's containers"
CUT_OFF = 20.0
"""Seconds for which a host's link is down."""
PATIENCE = 240.0


class Script(Client):
    """One of the chaos' clients, that sends to one person at a time, as fast as it is answered."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(name, "", random.Random(name))
        self._http = self._connection(address)
        self._chance.uniform = lambda low, high: 0.0  # type: ignore[method-assign]
        self._chance.randint = lambda low, high: 1  # type: ignore[method-assign]

    def _connection(self, address: str) -> httpx.Client:
        """Over TLS to the page's API."""
        return httpx.Client(base_url=f"https://{address}", headers={"Host": DOMAIN}, verify=False, timeout=20)


class Program(Script):
    """One that hands its mail to the host's container."""

    def _connection(self, address: str) -> httpx.Client:
        return httpx.Client(base_url=f"http://{address}:{CONTAINER_PORT}", timeout=20)

    def _log_in(self) -> None:
        self._http.headers["Authorization"] = f"Bearer {SECRET}"
        self._owner = ""  # the container knows no accounts

    def _request(self, key: str, recipients: tuple[str, ...]) -> tuple[str, dict[str, object]]:
        headers = {"From": "program@example.com", "To": ", ".join(recipients), "Subject": key}
        return "/sendmail", {"Headers": headers, "Content": base64.b64encode(b"Hello").decode()}


@pytest.fixture
def relay(hosts: Stage) -> Iterator[Esp]:
    """The provider of both hosts, with a ledger; on each a container runs beside the web server."""
    with Esp(host=hosts.lab.here) as esp:
        esp.behave(latency=0.005)
        # What other tests sent went out by LoopBack, and stands in no ledger.
        with closing(Database(hosts.database_url)) as database, database.transaction() as connection:
            connection.execute(text("TRUNCATE spool_submissions CASCADE"))
        changed = {
            "BITMAIL_PROVIDERS": esp.url(concurrency=8),
            "BITMAIL_WHEN_DOWN": "wait",
            "BITMAIL_UNCERTAIN_GRACE": "2",
            "BITMAIL_CONTAINER": "beside",
            "BITMAIL_CONTAINER_HOST": "0.0.0.0",
            "BITMAIL_CONTAINER_SECRET": SECRET,
        }
        hosts.set_up(changed, {name: ["web", "mta"] for name in ("web1", "web2")})
        yield esp


def test_mails_when_sent_through_both_hosts_while_all_fails_in_turn_then_arrive_once_each(
    hosts: Stage, relay: Esp
) -> None:
    web1, web2 = (hosts.lab.machines[name] for name in ("web1", "web2"))
    scripts = [
        kind(f"{machine.name}{role}{n}", machine.address)
        for machine in (web1, web2)
        for role, kind in (("web", Script), ("mta", Program))
        for n in range(CLIENTS[role])
    ]
    began = time.monotonic()
    for script in scripts:
        script.start()

    def accepted() -> int:
        return sum(len(script.promises) for script in scripts)

    wait_for(lambda: accepted() > MAILS // 20, PATIENCE)
    web1.plug(plugged=False)
    cut_off = time.monotonic()
    web2.run("pkill -9 -f 'python.* -m mta$'")
    wait_for(lambda: time.monotonic() > cut_off + CUT_OFF / 3, CUT_OFF)
    folder = postgres.folder_of(hosts.database_url)
    postgres.stop(folder)
    postgres.start(folder)
    wait_for(lambda: time.monotonic() > cut_off + CUT_OFF * 2 / 3, CUT_OFF)
    subprocess.run(
        ["redis-cli", "-h", hosts.lab.here, "-a", "PASSWORD", "FLUSHALL"], check=True, capture_output=True
    )
    wait_for(lambda: time.monotonic() > cut_off + CUT_OFF, CUT_OFF)
    web1.plug(plugged=True)
    wait_for(lambda: accepted() >= MAILS, PATIENCE)
    for script in scripts:
        script.stop()
    took = time.monotonic() - began
    assert [fault for script in scripts for fault in script.faults] == []
    assert all(script.promises for script in scripts)

    promises = [promise for script in scripts for promise in script.promises]
    with closing(Database(hosts.database_url)) as database:
        wait_for(lambda: waiting(database) == 0, PATIENCE)
        findings = audit(database, promises, relay.ledger())
    assert findings.faults == []
    arrived = Counter(line.recipient for line in relay.ledger())
    missing = [promise.key for promise in promises if not all(arrived[to] for to in promise.recipients)]
    assert missing == []
    print(
        f"{len(promises)} mails in {took:.0f} s; outcomes {dict(findings.outcomes)}; {findings.marked_twice} twice"
    )


def waiting(database: Database) -> int:
    with database.read() as connection:
        return int(
            connection.scalar(text("SELECT count(*) FROM spool_deliveries WHERE due IS NOT NULL")) or 0
        )


def wait_for(condition, seconds: float) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.1)
