"""What hosts may be put together as: one spool for all, or a store server and a container on hosts of their own."""

from __future__ import annotations

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
from tests.e2e.test_the_whole_path import PASSWORD
from tests.fakes.esp import Esp
from tests.mta.scripted import wait_until
from tests.store import postgres

MAILS = 5000
"""At least so many."""
CLIENTS = 12
"""On each host."""
CUT_OFF = 20.0
"""Seconds for which a host's link is down."""
PATIENCE = 240.0


class Script(Client):
    """One of the chaos' clients, by TLS, that sends as fast as it is answered."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(name, "", random.Random(name))
        self._http = httpx.Client(
            base_url=f"https://{address}", headers={"Host": DOMAIN}, verify=False, timeout=20
        )
        self._chance.uniform = lambda low, high: 0.0  # type: ignore[method-assign]
        self._chance.randint = lambda low, high: 1  # type: ignore[method-assign]


@pytest.fixture
def relay(hosts: Stage) -> Iterator[Esp]:
    """The provider of both hosts, with a ledger."""
    with Esp(host=hosts.lab.here) as esp:
        esp.behave(latency=0.005)
        # What other tests sent went out by LoopBack, and stands in no ledger.
        with closing(Database(hosts.database_url)) as database, database.transaction() as connection:
            connection.execute(text("TRUNCATE spool_submissions CASCADE"))
        changed = {
            "BITMAIL_PROVIDERS": esp.url(concurrency=8),
            "BITMAIL_WHEN_DOWN": "wait",
            "BITMAIL_UNCERTAIN_GRACE": "2",
        }
        hosts.set_up(changed)
        yield esp


def test_mails_when_sent_through_both_hosts_while_all_fails_in_turn_then_arrive_once_each(
    hosts: Stage, relay: Esp
) -> None:
    web1, web2 = (hosts.lab.machines[name] for name in ("web1", "web2"))
    scripts = [
        Script(f"{machine.name}x{n}", machine.address) for machine in (web1, web2) for n in range(CLIENTS)
    ]
    began = time.monotonic()
    for script in scripts:
        script.start()

    def accepted() -> int:
        return sum(len(script.promises) for script in scripts)

    wait_for(lambda: accepted() > MAILS // 20, PATIENCE)
    web1.plug(plugged=False)
    cut_off = time.monotonic()
    web2.run("pkill -9 -f 'python.* -m bitmail$'")
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


@pytest.fixture(params=["web1", "web2"])
def neighbours(hosts: Stage, request: pytest.FixtureRequest) -> str:
    """Store server and, in the first case, container run on one host alone; gives the name of that host.

    Else each host has a container and a spool of its own.
    """
    host: str = request.param
    changed = {
        "BITMAIL_STORE_URL": f"http://{hosts.lab.machines[host].address}:3100",
        "BITMAIL_STORE_HOST": "0.0.0.0",
        "BITMAIL_STORE_SECRET": "the secret of the lab's store server",
    }
    if host == "web1":
        hosts.set_up(changed | {"BITMAIL_CONTAINER": "beside"}, {host: ["web", "store", "mta"]})
    else:
        hosts.set_up(changed | {"BITMAIL_DATABASE_URL": ""}, {host: ["web", "store"]})
    return host


def client(stage: Stage, host: str) -> httpx.Client:
    address = stage.lab.machines[host].address
    return httpx.Client(base_url=f"https://{address}", headers={"Host": DOMAIN}, verify=False, timeout=30)


def test_a_mail_when_store_and_container_are_elsewhere_then_is_sent_and_its_author_known_on_both_hosts(
    hosts: Stage, neighbours: str
) -> None:
    states = hosts.project.does("status", "--stage", "bitlab")
    assert [line.split()[0] for line in states.splitlines() if "store" in line] == [neighbours]
    assert ("mta" in states) == (neighbours == "web1")
    with client(hosts, "web1") as one, client(hosts, "web2") as other:
        session = one.post("/api/login", auth=("judy", PASSWORD)).json()["session"]
        bearer = {"Authorization": f"Bearer {session}"}
        mail = {"to": "grace@example.com", "subject": "Hello", "text": "x"}
        answer = one.post("/api/sendmail", json=mail, headers=bearer)
        assert answer.status_code == 202, answer.text
        shown = f"/api/submissions/{answer.json()['submission']}"

        def is_sent() -> bool:
            found = one.get(shown, headers=bearer).raise_for_status().json()
            return [delivery["status"] for delivery in found["deliveries"]] == ["sent"]

        wait_until(is_sent)
        seen = other.get("/api/mailboxes/Sent", headers=bearer).raise_for_status().json()
        assert [mail["subject"] for mail in seen["mails"]] == ["Hello"]
