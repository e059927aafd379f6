"""How the hosts of a stage are, in a few lines each."""

from __future__ import annotations

from deploy import releases, supervisor
from deploy.errors import DeployError
from deploy.hosts import Stage
from deploy.remote import Remote, Say, connected, on_all


def status(stage: Stage, say: Say) -> bool:
    """Show each host: its release, its services, disk and memory. A host that is away is shown as such.

    Returns:
        Whether all serve, and the same.
    """
    with connected(stage, stage.hosts, say) as remotes:
        tags = on_all(remotes, _show)
    serving = [tag for tag, remote in zip(tags, remotes, strict=True) if remote.host.services]
    return len(set(serving)) == 1 and serving[0] is not None


def show_releases(stage: Stage, say: Say) -> None:
    """Show the releases of each host that passed, the newest last."""

    def show(remote: Remote) -> None:
        serving = releases.current(remote)
        tags = [f"{tag} (serves)" if tag == serving else tag for tag in releases.passed(remote)]
        remote.say(", ".join(tags) or "none yet")

    with connected(stage, stage.serving(), say) as remotes:
        on_all(remotes, show)


def show_logs(stage: Stage, lines: int, say: Say) -> None:
    """Show what the services of each host wrote last."""
    with connected(stage, stage.serving(), say) as remotes:
        for remote in remotes:
            for role in remote.host.services:
                remote.say(f"--- {role} ---")
                say(supervisor.log(remote, role, lines))


def _show(remote: Remote) -> str | None:
    """The tag that the host serves as it should, or None."""
    look = "df -h --output=avail . | tail -1; free -m | awk '/^Mem/ {print $7}'; cut -d' ' -f1 /proc/loadavg"
    try:
        disk, memory, load = remote.ask(look).split()
        about = f"disk free {disk}, memory free {memory} MB, load {load}"
        if not remote.host.services:
            remote.say(about)
            return None
        tag = releases.current(remote)
        states = ", ".join(f"{role} {supervisor.state(remote, role)}" for role in remote.host.services)
        if tag is None:
            remote.say(f"serves nothing yet; {states}; {about}")
            return None
        try:
            releases.check(remote, tag, within=0)
        except DeployError as error:
            remote.say(f"DOES NOT SERVE {tag}: {error}; {states}; {about}")
            return None
    except DeployError as error:
        remote.say(f"IS AWAY: {error}")
        return None
    remote.say(f"serves {tag}; {states}; {about}")
    return tag
