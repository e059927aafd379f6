"""docs/deploy.md, tried word by word: what it tells one to type does what it says."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.deploy import page
from tests.deploy.conftest import Stage
from tests.deploy.project import DOMAIN
from tests.deploy.test_two_hosts import serving
from tests.e2e.test_the_whole_path import PASSWORD

SAYS = {
    "./fab deploy --stage bitlab": "bitlab serves p2.",
    "./fab stage_deploy": "staging serves p2.",
    "./fab deploy --stage bitlab --dry-run": "bitlab would serve p2.",
    "./fab rollback --stage bitlab": "bitlab serves {before}.",
    "./fab releases --stage bitlab": "p2",
    "./fab status --stage bitlab": "web2  serves {before}",
    "./fab logs --stage bitlab --lines 100": "mta.container",
    "./fab run_restart --stage bitlab": "web2  serves {before}",
    "./fab backup --stage bitlab --folder backups": "backups/db-",
    "./fab restore --stage bitlab --host db --file backups/db-….dump": "The backup is in place.",
}


def test_the_commands_of_each_time_when_typed_in_their_order_then_do_what_they_say(stage: Stage) -> None:
    project = stage.project
    before = serving(stage)["web1"]
    project.release("p2")
    project.write_settings("staging", {"BITMAIL_ORIGINS": "https://staging.example.com"})
    with (project.folder / "deploy/known_hosts").open("a") as known:
        known.write(project.types(f"ssh-keyscan {stage.lab.machines['staging'].address}"))
    project.does("provision", "--stage", "staging")
    assert list(SAYS) == page.EACH_TIME
    address = f"https://{stage.lab.machines['web1'].address}"
    with httpx.Client(base_url=address, headers={"Host": DOMAIN}, verify=False, timeout=30) as client:

        def knocks(name: str, password: str) -> int:
            return client.post("/api/login", auth=(name, password)).status_code

        for command, says in SAYS.items():
            if "restore" in command:
                assert knocks("newcomer", PASSWORD) == 200
            said = project.types(command.replace("…", "*"))
            assert says.format(before=before) in said, command
            if "restore" in command:
                assert re.search(r"rows: .*store_entry [1-9]", said)
            if "rollback" in command:
                assert knocks("ivan", PASSWORD) == 200
        assert knocks("newcomer", "another password") == 200
        assert knocks("ivan", "another password") == 401
        assert knocks("ivan", PASSWORD) == 200
    project.git("checkout", "-q", "r1")


@pytest.mark.parametrize("name", ["web1", "web2", "db"])
def test_the_key_of_a_host_when_compared_as_the_page_says_then_is_the_one_it_says_itself(
    stage: Stage, name: str
) -> None:
    (listed,) = (command for command in page.ONCE if command.startswith("ssh-keygen"))
    machine = stage.lab.machines[name]
    known = [line.split() for line in stage.project.types(listed).splitlines()]
    said = machine.run("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()
    assert [line[1] for line in known if line[2] == machine.address] == [said[1]]


def test_the_services_when_asked_for_on_a_host_as_the_page_says_then_run(stage: Stage) -> None:
    unit = "systemctl --user status bitmail-web"
    assert f"`{unit}`" in page.TEXT
    as_deploy = "runuser -u deploy -- env XDG_RUNTIME_DIR=/run/user/$(id -u deploy)"
    assert "active (running)" in stage.lab.machines["web1"].run(f"{as_deploy} {unit}")
