"""The tasks for hosts; `./fab --list` shows them by the first line of each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fabric import task

from bitmail.command import say
from bitmail.frontend import BuildError
from deploy import artefact as artefacts
from deploy import backup as backups
from deploy import rollout
from deploy import status as states
from deploy.errors import DeployError
from deploy.hosts import HOSTS, Stage, read_stage
from deploy.provision import provision as provision_host
from deploy.remote import connected, on_all

STAGE = "the hosts, by their name in deploy/hosts.toml"
DRY = "only say what would happen"
HOSTS_FILE = "another file of hosts"


@contextmanager
def _plainly() -> Iterator[None]:
    """End with a sentence and not with a traceback, where it is the world that failed."""
    try:
        yield
    except (DeployError, BuildError) as error:
        sys.exit(str(error))


def _read(stage: str, hosts_file: str) -> Stage:
    return read_stage(stage, Path(hosts_file))


@task(help={"stage": STAGE, "dry-run": DRY, "hosts-file": HOSTS_FILE})
def deploy(context: Any, stage: str, dry_run: bool = False, hosts_file: str = str(HOSTS)) -> None:
    """Let all hosts of a stage serve this commit, or none."""
    with _plainly():
        found = _read(stage, hosts_file)
        made = artefacts.build(found.python, say)
        rollout.deploy(found, made, say, dry=dry_run)
        say(f"{stage} would serve {made.tag}." if dry_run else f"{stage} serves {made.tag}.")


@task(help={"dry-run": DRY, "hosts-file": HOSTS_FILE})
def deploy_bitlab_servers(context: Any, dry_run: bool = False, hosts_file: str = str(HOSTS)) -> None:
    """Deploy to the stage `bitlab`."""
    deploy(context, "bitlab", dry_run, hosts_file)


@task(help={"dry-run": DRY, "hosts-file": HOSTS_FILE})
def stage_deploy(context: Any, dry_run: bool = False, hosts_file: str = str(HOSTS)) -> None:
    """Deploy to the stage `staging`."""
    deploy(context, "staging", dry_run, hosts_file)


@task(help={"stage": STAGE, "dry-run": DRY, "hosts-file": HOSTS_FILE})
def provision(context: Any, stage: str, dry_run: bool = False, hosts_file: str = str(HOSTS)) -> None:
    """Make new hosts ready; the only task that needs root."""
    with _plainly():
        found = _read(stage, hosts_file)
        made = artefacts.build(found.python, say)
        with connected(found, found.hosts, say, dry=dry_run) as remotes:
            on_all(remotes, lambda remote: provision_host(remote, made))


@task(help={"tag": "a release that passed", "stage": STAGE, "dry-run": DRY, "hosts-file": HOSTS_FILE})
def rollback(
    context: Any, stage: str, tag: str = "", dry_run: bool = False, hosts_file: str = str(HOSTS)
) -> None:
    """Go back to the release before, or to the release TAG."""
    with _plainly():
        found = rollout.roll_back(_read(stage, hosts_file), tag, say, dry=dry_run)
        say(f"{stage} would serve {found}." if dry_run else f"{stage} serves {found}.")


@task(help={"stage": STAGE, "dry-run": DRY, "hosts-file": HOSTS_FILE})
def run_restart(context: Any, stage: str, dry_run: bool = False, hosts_file: str = str(HOSTS)) -> None:
    """Restart what serves, host by host."""
    with _plainly():
        rollout.restart(_read(stage, hosts_file), say, dry=dry_run)


@task(help={"stage": STAGE, "hosts-file": HOSTS_FILE})
def releases(context: Any, stage: str, hosts_file: str = str(HOSTS)) -> None:
    """List the releases that one can go back to."""
    with _plainly():
        states.show_releases(_read(stage, hosts_file), say)


@task(help={"stage": STAGE, "hosts-file": HOSTS_FILE})
def status(context: Any, stage: str, hosts_file: str = str(HOSTS)) -> None:
    """Say how each host is; 1 unless all serve the same."""
    with _plainly():
        sys.exit(0 if states.status(_read(stage, hosts_file), say) else 1)


@task(help={"stage": STAGE, "lines": "how many of each service", "hosts-file": HOSTS_FILE})
def logs(context: Any, stage: str, lines: int = 50, hosts_file: str = str(HOSTS)) -> None:
    """Show what the services wrote last."""
    with _plainly():
        states.show_logs(_read(stage, hosts_file), lines, say)


@task(help={"stage": STAGE, "folder": "where to, on this machine", "dry-run": DRY, "hosts-file": HOSTS_FILE})
def backup(
    context: Any, stage: str, folder: str = "backups", dry_run: bool = False, hosts_file: str = str(HOSTS)
) -> None:
    """Save the databases of a stage while they are in use."""
    with _plainly():
        backups.backup(_read(stage, hosts_file), Path(folder), say, dry=dry_run)


@task(
    help={
        "host": "whose database",
        "file": "what backup wrote",
        "stage": STAGE,
        "dry-run": DRY,
        "hosts-file": HOSTS_FILE,
    }
)
def restore(
    context: Any, stage: str, host: str, file: str, dry_run: bool = False, hosts_file: str = str(HOSTS)
) -> None:
    """Put a backup in place of a host's database."""
    with _plainly():
        backups.restore(_read(stage, hosts_file), host, Path(file), say, dry=dry_run)
        say("The backup is in place.")
