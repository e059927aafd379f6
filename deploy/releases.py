"""The releases on one host: folders that never change, a link to the one that serves, and who passed before."""

from __future__ import annotations

from deploy.artefact import Artefact
from deploy.errors import HostFailed
from deploy.hosts import Role
from deploy.lock import LOCK as PINNED
from deploy.remote import Remote
from deploy.supervisor import restart, stop

BASE = "bitmail"
"""Folder in the home of the account; SSH begins in that home, so all paths count from there."""
LOCK = f"{BASE}/lock"
PORT = 3000
"""Where the page is served on the host itself; nginx stands before it."""
INSTALL = 600
"""Seconds that a host gets to install the wheels."""
CANARY = 120
HEALTH = 60
"""Seconds within which a host has to serve its release."""


def prepare(remote: Remote, artefact: Artefact) -> None:
    """Bring a release to the host, with what it runs on; nothing that serves is touched."""
    make_environment(remote, artefact)
    folder = f"{BASE}/releases/{artefact.tag}"
    if remote.holds(f"-e {folder}"):
        remote.say(f"{artefact.tag} is there already")
        return
    remote.put(artefact.code, f"{BASE}/incoming/{artefact.code.name}")
    remote.run(
        f"set -e; rm -rf {folder}.new; mkdir {folder}.new; cd {folder}.new; "
        f"tar -xzf ~/{BASE}/incoming/{artefact.code.name}; "
        f"ln -s ../../venvs/{artefact.wheels_key} venv; ln -s ../../shared/env .env; "
        "ln -s ../../shared/var var; ln -s ../../shared/keys.sealed keys.sealed; "
        f"cd; mv -T {folder}.new {folder}; rm {BASE}/incoming/{artefact.code.name}",
        timeout=INSTALL,
    )
    remote.say(f"{artefact.tag} is prepared")


def make_environment(remote: Remote, artefact: Artefact) -> None:
    """Install the wheels of a release, unless an earlier one had the same.

    Raises:
        HostFailed: they cannot be installed; or a wheel has another hash than the lock names.
    """
    key = artefact.wheels_key
    remote.run(
        f"mkdir -p {BASE}/releases {BASE}/venvs {BASE}/incoming {BASE}/shared/var; chmod 700 {BASE}/shared"
    )
    if remote.holds(f"-e {BASE}/venvs/{key}/ready"):
        return
    remote.say(f"installing the wheels {key} …")
    remote.put(artefact.wheels, f"{BASE}/incoming/{artefact.wheels.name}")
    wheels = f"{BASE}/incoming/wheels"
    remote.run(
        f"set -e; rm -rf {wheels}; mkdir {wheels}; tar -xf {BASE}/incoming/{artefact.wheels.name} -C {wheels}; "
        # What installs the rest, and checks their hashes, comes along: its own is checked before it runs.
        f"grep -q sha256:$(sha256sum {wheels}/uv-*.whl | cut -c-64) {wheels}/{PINNED} || "
        f"{{ echo 'the wheel of uv has another hash than {PINNED} names' >&2; exit 1; }}; "
        f"{remote.stage.python} -m zipfile -e {wheels}/uv-*.whl {wheels}/uv; chmod +x {wheels}/uv/uv-*/scripts/uv; "
        f"{remote.stage.python} -m venv --clear --without-pip {BASE}/venvs/{key}; "
        # Most of what is installed is never imported; what is, the canary's start compiles.
        f"{wheels}/uv/uv-*/scripts/uv pip install --python {BASE}/venvs/{key} --quiet --no-config --no-cache "
        f"--no-index --find-links {wheels} --require-hashes --requirement {wheels}/{PINNED}; "
        f"touch {BASE}/venvs/{key}/ready; rm -rf {wheels} {BASE}/incoming/{artefact.wheels.name}",
        timeout=INSTALL,
    )


def try_aside(remote: Remote, tag: str) -> None:
    """Start the release on a spare port with a database of its own; see that it answers as itself."""
    if Role.WEB in remote.host.roles:
        command = (
            f"cd {BASE}/releases/{tag} && venv/bin/python -m deploy.canary {tag} {remote.stage.authority}"
        )
        remote.run(command, timeout=CANARY)
        if not remote.dry:
            remote.say(f"{tag} answers aside")


def migrate(remote: Remote, tag: str) -> None:
    """Bring the database up to the release; only by changes that the release before can live with."""
    command = f"cd {BASE}/releases/{tag} && venv/bin/python -m bitmail migrate"
    if said := remote.run(command, timeout=INSTALL):
        remote.say(said)


def activate(remote: Remote, tag: str) -> None:
    """Let a release that is on the host serve; returns once it does.

    Raises:
        HostFailed: it does not within its time.
    """
    remote.run(f"cd {BASE} && ln -sfn releases/{tag} current.new && mv -T current.new current")
    for role in remote.host.services:
        restart(remote, role)
    check(remote, tag)
    if not remote.dry:
        remote.say(f"serves {tag}")


def deactivate(remote: Remote) -> None:
    """Let no release serve, as before the first one."""
    for role in remote.host.services:
        stop(remote, role)
    remote.run(f"rm -f {BASE}/current")


def check(remote: Remote, tag: str, within: float = HEALTH) -> None:
    """See that every service of the host is of this release, also through nginx, within so many seconds.

    Raises:
        HostFailed: with what is wrong.
    """
    for role in remote.host.services:
        at = ""
        if role is Role.WEB:
            here = f"--at http://127.0.0.1:{PORT} --at https://127.0.0.1:{remote.stage.port}"
            at = f"{here} --host {remote.stage.authority}"
        look = (
            f"cd -P {BASE}/current && venv/bin/python -m deploy.probe {role} {tag} {at} --within {within:g}"
        )
        (remote.run if within else remote.ask)(look, timeout=within + 30)


def current(remote: Remote) -> str | None:
    """The tag that serves, or None before the first deploy."""
    return remote.ask(f"readlink {BASE}/current", check=False).rpartition("/")[2] or None


def passed(remote: Remote) -> list[str]:
    """The releases on the host that passed on all hosts, in the order of their last deploy."""
    lines = remote.ask(f"cat {BASE}/history", check=False).splitlines()
    kept = set(remote.ask(f"ls {BASE}/releases", check=False).split())
    tags = [line.split()[0] for line in lines if line.strip()]
    return [
        tag for tag in sorted(set(tags), key=lambda tag: len(tags) - tags[::-1].index(tag)) if tag in kept
    ]


def record(remote: Remote, tag: str) -> None:
    """Write into the history that a release passed."""
    remote.run(f'echo "{tag} $(date -u +%Y-%m-%dT%H:%M:%SZ)" >> {BASE}/history')


def prune(remote: Remote, keep: int) -> None:
    """Remove all but the newest releases that passed, and what only the others ran on."""
    stay = {*passed(remote)[-keep:], current(remote)} - {None}
    if not stay:
        raise HostFailed(remote.host.name, "no release serves, so none is removed")
    pattern = "|".join(sorted(str(tag) for tag in stay))
    remote.run(
        f"cd {BASE} && for release in releases/*; do case ${{release#releases/}} in {pattern}) ;; "
        '*) rm -rf "$release" ;; esac; done; '
        "used=$(readlink -f releases/*/venv supervisor/venv); "
        'for venv in venvs/*; do case "$used" in *"/$venv"*) ;; *) rm -rf "$venv" ;; esac; done'
    )
