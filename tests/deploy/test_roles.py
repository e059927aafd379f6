"""Other roles than the web's: a store server and a container of its own, each on the host that is named for it."""

from __future__ import annotations

import httpx
import pytest

from tests.deploy.conftest import Stage
from tests.deploy.project import DOMAIN
from tests.e2e.test_the_whole_path import PASSWORD
from tests.mta.scripted import wait_until


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
