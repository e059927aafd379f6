"""A release on its way to all hosts of a stage: all of them serve it in the end, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from deploy import keys, releases
from deploy.artefact import Artefact
from deploy.errors import DeployError, RolledBack
from deploy.hosts import Stage
from deploy.remote import Remote, Say, connected, on_all


@contextmanager
def locked(stage: Stage, say: Say, *, dry: bool = False, passphrase: str = "") -> Iterator[list[Remote]]:
    """The serving hosts of a stage, while nobody else deploys to them.

    Raises:
        HostFailed: one is away, or somebody else does.
    """
    with connected(stage, stage.serving(), say, dry=dry) as remotes, ExitStack() as locks:
        on_all(remotes, lambda remote: remote.run(f"mkdir -p {releases.BASE}"))
        for remote in remotes:
            locks.enter_context(remote.alone(releases.LOCK))
        on_all(remotes, lambda remote: keys.bring(remote, passphrase))
        yield remotes


def deploy(stage: Stage, artefact: Artefact, say: Say, *, dry: bool = False) -> None:
    """Bring a release to every host; in three steps, of which only the last touches what serves.

    Raises:
        RolledBack: it failed on one host while hosts were switched; all are on the release before.
        DeployError: it failed before that; nothing has changed.
    """
    with locked(stage, say, dry=dry, passphrase=keys.ask(stage)) as remotes:
        on_all(remotes, lambda remote: releases.prepare(remote, artefact))
        on_all(remotes, lambda remote: releases.try_aside(remote, artefact.tag))
        # Of hosts that share a database, one does it; the others wait for that, and find it done.
        on_all(remotes, lambda remote: releases.migrate(remote, artefact.tag))
        switch(remotes, artefact.tag, say)
        on_all(remotes, lambda remote: releases.record(remote, artefact.tag))
        if not dry:
            on_all(remotes, lambda remote: releases.prune(remote, stage.keep))


def switch(remotes: Sequence[Remote], tag: str, say: Say) -> None:
    """Let a release serve, host by host; if one fails, put back those that were switched.

    Raises:
        RolledBack: it failed.
    """
    before = on_all(remotes, releases.current)
    switched: list[tuple[Remote, str | None]] = []
    for remote, tag_before in zip(remotes, before, strict=True):
        switched.append((remote, tag_before))
        try:
            releases.activate(remote, tag)
        except DeployError as error:
            say(f"{tag} failed, so every host goes back:\n{error}")
            _put_back(switched, say)
            raise RolledBack(f"{tag} failed on {remote.host.name}: {error}") from error


def _put_back(switched: Sequence[tuple[Remote, str | None]], say: Say) -> None:
    """Go on after a host that cannot be put back: the others can."""
    for remote, tag in reversed(switched):
        try:
            if tag is None:
                releases.deactivate(remote)
            else:
                releases.activate(remote, tag)
        except DeployError as error:
            say(f"COULD NOT BE PUT BACK: {error}\nOnce it is there again: ./fab rollback {tag or ''}")


def roll_back(stage: Stage, tag: str, say: Say, *, dry: bool = False) -> str:
    """Go back to a release that passed, on all hosts.

    Args:
        stage: where.
        tag: which; "" for the one before the one that serves.
        say: shows a line.
        dry: only say what would be done.

    Returns:
        The tag.

    Raises:
        DeployError: there is none to go back to; or RolledBack: it failed, and all hosts are as before.
    """
    with locked(stage, say, dry=dry) as remotes:
        histories = on_all(remotes, releases.passed)
        everywhere = [known for known in histories[0] if all(known in history for history in histories)]
        serving = releases.current(remotes[0])
        if not tag:
            earlier = everywhere[: everywhere.index(serving)] if serving in everywhere else everywhere
            if not earlier:
                raise DeployError("There is no earlier release to go back to.")
            tag = earlier[-1]
        if tag not in everywhere:
            raise DeployError(f"{tag} is not on every host. There are: {', '.join(everywhere) or 'none'}.")
        say(f"From {serving} to {tag}")
        switch(remotes, tag, say)
    return tag


def restart(stage: Stage, say: Say, *, dry: bool = False) -> None:
    """Restart what serves, host by host; the next one only once the one before serves again."""
    with locked(stage, say, dry=dry, passphrase=keys.ask(stage)) as remotes:
        for remote in remotes:
            tag = releases.current(remote)
            if tag is None:
                raise DeployError(f"{remote.host.name} serves no release yet. Deploy one.")
            releases.activate(remote, tag)
