"""Backups of a stage: a file on this machine for each database, and the way back from them."""

from __future__ import annotations

import json
import time
from pathlib import Path

from deploy import releases, supervisor
from deploy.errors import DeployError
from deploy.hosts import Host, Role, Stage
from deploy.remote import Remote, Say, connected, on_all
from deploy.rollout import locked

PROGRAM = Path(__file__).parent / "dump.py"
ON_HOST = f"{releases.BASE}/dump.py"
FILE = f"{releases.BASE}/shared/backup"
PATIENCE = 6 * 3600
"""Seconds that a dump may take."""


def sources(stage: Stage) -> tuple[Host, ...]:
    """The hosts whose databases make up the stage: the one for databases, else each that has its own."""
    databases = tuple(host for host in stage.hosts if Role.DATABASE in host.roles)
    return databases or stage.serving()


def backup(stage: Stage, folder: Path, say: Say, *, dry: bool = False) -> list[Path]:
    """Save each database of a stage while it is in use.

    Args:
        stage: which.
        folder: where to, on this machine.
        say: shows a line.
        dry: only say what would be done.

    Returns:
        The files.

    Raises:
        DeployError: one could not be saved.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    if not dry:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def save(remote: Remote) -> Path:
        file = folder / f"{remote.host.name}-{moment}.dump"
        _bring_program(remote)
        remote.run(f"umask 077; {remote.stage.python} {ON_HOST} save {FILE}", timeout=PATIENCE)
        remote.get(FILE, file)
        remote.run(f"rm -f {FILE}")
        if not remote.dry:
            remote.say(f"{file} ({file.stat().st_size / 1e6:.1f} MB)")
        return file

    with connected(stage, sources(stage), say, dry=dry) as remotes:
        return on_all(remotes, save)


def restore(stage: Stage, host: str, file: Path, say: Say, *, dry: bool = False) -> None:
    """Put a backup in place of a host's database. The stage serves nothing meanwhile.

    Args:
        stage: which.
        host: the name of the host whose database it is.
        file: what `backup` wrote.
        say: shows a line.
        dry: only say what would be done.

    Raises:
        DeployError: it could not be done.
    """
    if not file.is_file():
        raise DeployError(f"{file} is missing. `./fab backup` writes such files.")
    chosen = [found for found in sources(stage) if found.name == host]
    if not chosen:
        names = ", ".join(found.name for found in sources(stage))
        raise DeployError(f"{host!r} has no database of this stage. Those that do: {names}.")
    with locked(stage, say, dry=dry) as serving, connected(stage, chosen, say, dry=dry) as (target,):
        tags = on_all(serving, releases.current)
        target.put(file, FILE)
        _bring_program(target)
        for remote in serving:
            for role in remote.host.services:
                supervisor.stop(remote, role)
        try:
            rows = target.run(f"{stage.python} {ON_HOST} load {FILE} && rm -f {FILE}", timeout=PATIENCE)
        finally:
            for remote, tag in zip(serving, tags, strict=True):
                if tag is not None:
                    releases.activate(remote, tag)
        if rows:
            counted = json.loads(rows).items()
            target.say(f"rows: {', '.join(f'{table} {number}' for table, number in counted)}")


def _bring_program(remote: Remote) -> None:
    remote.run(f"mkdir -p {releases.BASE}/shared && chmod 700 {releases.BASE}/shared")
    settings = remote.stage.settings
    if settings.exists() and Role.DATABASE in remote.host.roles:
        remote.write(settings.read_text(), f"{releases.BASE}/shared/env", mode="600")
    remote.put(PROGRAM, ON_HOST)
