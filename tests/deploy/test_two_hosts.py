"""Two hosts behind TLS, one with systemd and one without: releases come and go, and nobody who uses them notices."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import expect

from deploy.hosts import read_stage
from deploy.releases import LOCK
from deploy.remote import connected
from tests.deploy import page as manual
from tests.deploy.conftest import Browse, Stage
from tests.deploy.load import Script, load
from tests.deploy.machines import Machine
from tests.deploy.project import DOMAIN, PASSPHRASE, SEALED
from tests.e2e.test_the_whole_path import PASSWORD, compose, log_in
from tests.mta.scripted import wait_until

ORIGIN = f"https://{DOMAIN}"

BROKEN = """
import os, socket
if socket.gethostname() == "web2" and "{setting}" in os.environ:
    raise RuntimeError("broken on this host alone")
"""
BROKEN_ASIDE, BROKEN_IN_USE = (BROKEN.format(setting=name) for name in ("BITMAIL_SOCKET", "BITMAIL_LISTEN"))
"""Only supervisord gives an address to listen at; the host that is tried aside has a socket alone."""


def serving(stage: Stage) -> dict[str, str]:
    """The release of each host, as its processes say."""
    lines = [line.split() for line in stage.project.does("status", "--stage", "bitlab").splitlines()]
    return {line[0]: line[2].rstrip(";") for line in lines if line[1:2] == ["serves"]}


def test_releases_when_deployed_refused_and_rolled_back_under_load_then_no_request_fails(
    stage: Stage,
) -> None:
    project, machines = stage.project, stage.lab.machines
    assert serving(stage) == {"web1": "r1", "web2": "r1"}
    scripts = [Script(machines[name].address, "ada", PASSWORD) for name in ("web1", "web2")]
    with load(*scripts):
        project.release("r2")
        project.does("deploy", "--stage", "bitlab")
        assert serving(stage) == {"web1": "r2", "web2": "r2"}

        project.release("r3", store__settings=BROKEN_ASIDE)
        refused = project.fab("deploy", "--stage", "bitlab")
        assert refused.returncode == 1
        assert "the canary of r3 failed" in refused.stderr
        assert "broken on this host alone" in refused.stderr
        assert serving(stage) == {"web1": "r2", "web2": "r2"}
        project.git("checkout", "-q", "r2")

        project.release("r4", store__settings=BROKEN_IN_USE)
        put_back = project.fab("deploy", "--stage", "bitlab")
        assert put_back.returncode == 1
        assert "r4 failed on web2" in put_back.stderr
        assert serving(stage) == {"web1": "r2", "web2": "r2"}

        project.does("rollback", "--stage", "bitlab")
        assert serving(stage) == {"web1": "r1", "web2": "r1"}
        assert "r4" not in project.does("releases", "--stage", "bitlab")
        project.does("rollback", "--stage", "bitlab", "--tag", "r2")
    for script in scripts:
        assert script.failures == []
        assert {"r1", "r2"} <= set(script.versions)
        assert script.requests > 50


def test_a_person_when_on_one_host_then_is_known_on_the_other_and_sees_there_what_was_sent_here(
    stage: Stage, browse: Browse
) -> None:
    one, other = browse("web1"), browse("web2")
    log_in(one, ORIGIN, "grace")
    expect(one).to_have_url(re.compile("/inbox/?$"))
    other.context.add_cookies(one.context.cookies())
    other.goto(f"{ORIGIN}/sent")
    expect(other.locator("[data-hydrated='1']")).to_be_attached()
    expect(other.get_by_text("Nothing sent yet")).to_be_visible()
    (version,) = set(serving(stage).values())
    for page in (one, other):
        expect(page.locator(".version").first).to_have_text(version)

    compose(one, "bob@example.net", "From one host to the other", "Hello")
    one.get_by_role("button", name="Send", exact=True).click()
    expect(one).to_have_url(re.compile("/sent"))
    expect(other.locator("a.row").filter(has_text="From one host to the other")).to_be_visible(timeout=2_000)
    expect(other.get_by_role("link", name="Inbox")).to_contain_text("1", timeout=10_000)  # LoopBack's answer


def test_a_draft_when_its_host_restarts_then_is_still_there_and_saved(stage: Stage, browse: Browse) -> None:
    page = browse("web2")
    log_in(page, ORIGIN, "heidi")
    compose(page, "bob@example.net", "Typed before", "Typed before the restart")
    stage.project.does("run_restart", "--stage", "bitlab")
    page.get_by_role("textbox", name="Message").press_sequentially("Typed after. ")
    expect(page.get_by_text(re.compile(r"Saved \d\d:\d\d"))).to_be_visible(timeout=20_000)
    typed = page.get_by_role("textbox", name="Message").input_value()
    assert "Typed before the restart" in typed
    assert "Typed after. " in typed
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))


@pytest.mark.parametrize("host", ["web1", "web2"])
def test_a_service_when_killed_or_its_keeper_then_serves_again_and_no_old_process_does(
    stage: Stage, host: str
) -> None:
    machine = stage.lab.machines[host]
    for victim in ("python.* -m bitmail$", "deploy.keeper web$"):
        before = machine.run(f"pgrep -f '{victim}'").split()
        assert len(before) == 1
        machine.run(f"kill -9 {before[0]}")
        wait_until(lambda: stage.project.fab("status", "--stage", "bitlab").returncode == 0)
        assert len(machine.run("pgrep -f 'python.* -m bitmail$'").split()) == 1
        assert before[0] not in machine.run(f"pgrep -f '{victim}'").split()


def test_a_host_when_its_link_is_down_then_nothing_is_deployed_and_the_other_serves_on(stage: Stage) -> None:
    project, machines = stage.project, stage.lab.machines
    before = serving(stage)
    machines["web2"].plug(plugged=False)
    try:
        with ThreadPoolExecutor() as both:  # each waits for the host that is away
            asked = both.submit(project.fab, "rollback", "--stage", "bitlab", "--tag", "r1")
            status = project.fab("status", "--stage", "bitlab")
            refused = asked.result()
    finally:
        machines["web2"].plug(plugged=True)
    assert refused.returncode == status.returncode == 1
    assert "web2: SSH to deploy@" in refused.stderr
    assert "web1  serves" in status.stdout
    assert "web2  IS AWAY" in status.stdout
    wait_until(lambda: project.fab("status", "--stage", "bitlab").returncode == 0)
    assert serving(stage) == before


DRY = {
    "deploy": "web2  would run: cd bitmail/releases/r9 && venv/bin/python -m bitmail migrate",
    "provision": "web1  would run: sudo -n loginctl enable-linger",
    "rollback --tag r1": "bitlab would serve r1.",
    "run_restart": "web2  would run: bitmail/supervisor/venv/bin/supervisorctl",
    "backup": "db  would copy bitmail/shared/backup to backups/db-",
    "restore --host db --file deploy/hosts.toml": "web1  would run: export XDG_RUNTIME_DIR",
}


def test_a_task_when_dry_then_says_what_it_would_do_and_does_nothing(stage: Stage) -> None:
    def state() -> str:
        listing = "cd /home/deploy/bitmail && ls -lR --time-style=full-iso releases shared history current"
        started = "pgrep -af 'python.* -m bitmail$'"
        return "".join(machine.run(f"{listing}; {started}") for machine in stage.lab.machines.values())

    stage.project.release("r9")
    before = state()
    said, packed = {}, set()
    for task in DRY:
        said[task] = stage.project.does(*task.split(), "--stage", "bitlab", "--dry-run")
        packed.add((stage.project.folder / "dist/bitmail-r9.tar.gz").stat().st_mtime_ns)
    assert len(packed) == 1, "what is packed is not packed again"
    assert "web1  would copy bitmail-r9.tar.gz" in said["deploy"]
    assert {task: line for task, line in DRY.items() if line not in said[task]} == {}
    assert state() == before
    assert not (stage.project.folder / "backups").exists()
    stage.project.git("checkout", "-q", "r1")


def test_a_host_when_its_key_is_another_then_it_is_refused(stage: Stage) -> None:
    file = stage.project.folder / "deploy/known_hosts"
    known = file.read_text()
    keys = dict(line.split(" ", 1) for line in known.splitlines() if not line.startswith("#"))
    web1, web2 = (stage.lab.machines[name].address for name in ("web1", "web2"))
    try:
        file.write_text(f"{web1} {keys[web2]}\n{web2} {keys[web2]}\n")
        refused = stage.project.fab("run_restart", "--stage", "bitlab")
        file.write_text(f"{web2} {keys[web2]}\n")
        unknown = stage.project.fab("run_restart", "--stage", "bitlab")
    finally:
        file.write_text(known)
    assert refused.returncode == unknown.returncode == 1
    assert "web1: SSH to" in refused.stderr
    assert "not found in known_hosts" in unknown.stderr


@pytest.mark.parametrize("host", ["web1", "web2"])
def test_a_passphrase_when_it_unsealed_the_keys_then_lies_in_memory_alone_and_nobody_else_sees_it(
    stage: Stage, host: str
) -> None:
    machine = stage.lab.machines[host]
    places = "/home /etc /var /root /proc/[0-9]*/cmdline /proc/[0-9]*/environ"
    for secret in (PASSPHRASE, SEALED):
        pattern = f"[{secret[0]}]{secret[1:]}"  # that does not find itself on the command line of its search
        assert machine.run(f"grep -rls '{pattern}' {places}").split() == []
    assert machine.run(f"grep -rlF '{PASSPHRASE}' /dev/shm").split() == ["/dev/shm/bitmail-1000/passphrase"]
    assert machine.run("stat -c '%a %U' /dev/shm/bitmail-1000 /dev/shm/bitmail-1000/passphrase").split("\n")[
        :2
    ] == [
        "700 deploy",
        "600 deploy",
    ]


def test_a_deploy_when_another_one_runs_then_is_refused(stage: Stage) -> None:
    folder = stage.project.folder / "deploy"
    found = read_stage("bitlab", folder / "hosts.toml").model_copy(
        update={"known_hosts": folder / "known_hosts"}
    )
    with connected(found, found.serving()[1:], print) as (remote,), remote.alone(LOCK):
        refused = stage.project.fab("run_restart", "--stage", "bitlab")
    assert refused.returncode == 1
    assert "web2: another deploy holds this host" in refused.stderr


def test_a_deploy_when_something_is_in_no_commit_then_is_refused(stage: Stage) -> None:
    forgotten = stage.project.folder / "bitmail/forgotten.py"
    forgotten.touch()
    try:
        refused = stage.project.fab("deploy", "--stage", "bitlab")
    finally:
        forgotten.unlink()
    assert refused.returncode == 1
    assert "changes that are in no commit:\n    ?? bitmail/forgotten.py" in refused.stderr


def test_hosts_when_switched_off_and_on_then_come_back_with_the_passphrase(stage: Stage) -> None:
    machines = [stage.lab.machines[name] for name in ("web1", "web2")]
    with ThreadPoolExecutor() as both:
        list(both.map(Machine.power_off, machines))
    away = stage.project.fab("status", "--stage", "bitlab")
    for machine in machines:
        machine.boot()
        assert f"{machine.name}  IS AWAY" in away.stdout
        assert machine.run("ls /dev/shm/bitmail-1000/passphrase") == ""
    # What systemd does at boot, somebody else has to where there is none.
    (supervisord,) = re.findall(r"`(~/bitmail/supervisor/[^`]*)`", manual.TEXT)
    machines[1].run(f"/usr/sbin/nginx; runuser -l deploy -c '{' '.join(supervisord.split())}'")
    stage.project.does("run_restart", "--stage", "bitlab")
    assert set(serving(stage)) == {"web1", "web2"}
