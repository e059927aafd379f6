"""What can go wrong on the way to the hosts; each message says what to do."""

from __future__ import annotations


class DeployError(Exception):
    """Something on the way to the hosts failed."""


class BadHosts(DeployError):
    """The file of hosts cannot be used."""


class BadTree(DeployError):
    """The work tree is not what a release may be made of."""


class HostFailed(DeployError):
    """A host did not do what it was asked.

    Attributes:
        host: its name.
    """

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host}: {reason}")
        self.host = host


class RolledBack(DeployError):
    """A release failed on one host, and every host is on the one before."""
