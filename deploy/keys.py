"""The start-up passphrase on its way to the hosts: asked once, on no command line, and in their memory alone."""

from __future__ import annotations

import sys
from getpass import getpass

from deploy.errors import DeployError
from deploy.hosts import Stage
from deploy.remote import Remote

SETTING = "BITMAIL_PASSPHRASE_FILE"


def ask(stage: Stage) -> str:
    """The passphrase of the stage's sealed keys; "" where it has none. The terminal is asked, else standard input.

    Raises:
        DeployError: nobody gives one.
    """
    if stage.keys is None:
        return ""
    given = (
        getpass("Passphrase of the sealed keys: ")
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\n")
    )
    if not given:
        raise DeployError("The stage has sealed keys, and no passphrase was given.")
    return given


def place(remote: Remote) -> str:
    """Where the passphrase is kept on a host: in memory, for the account alone, and gone with the power."""
    return f"/dev/shm/bitmail-{remote.ask('id -u')}/passphrase"  # noqa: S108 - a folder of its own, checked below


def bring(remote: Remote, passphrase: str) -> None:
    """Put the passphrase where the services find it at each start."""
    if not passphrase:
        return
    file = place(remote)
    folder = file.rpartition("/")[0]
    remote.run(f"mkdir -p -m 700 {folder} && [ -O {folder} ] && chmod 700 {folder}")
    remote.write(f"{passphrase}\n", file, mode="600")
