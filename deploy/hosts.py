"""The file of hosts: which stages there are, which hosts, and what each does."""

from __future__ import annotations

import tomllib
from enum import StrEnum, auto
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deploy.errors import BadHosts

ROOT = Path(__file__).resolve().parent.parent
HOSTS = ROOT / "deploy/hosts.toml"

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Role(StrEnum):
    """What a host does."""

    WEB = auto()
    MTA = auto()
    STORE = auto()
    DATABASE = auto()

    @property
    def serves(self) -> bool:
        """Whether a release runs there; a database is a package of the system."""
        return self is not Role.DATABASE


class Host(BaseModel):
    """One machine.

    Attributes:
        name: as it is shown, and as the first column of what tasks print.
        address: where SSH finds it.
        ssh_port: the port of its SSH server.
        roles: what it does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME)
    address: str
    ssh_port: int = 22
    roles: tuple[Role, ...] = Field(min_length=1)

    @property
    def services(self) -> tuple[Role, ...]:
        """The roles for which a release runs there."""
        return tuple(role for role in self.roles if role.serves)


class Stage(BaseModel):
    """Hosts that get one release together.

    Attributes:
        hosts: all of them, in the order in which they are switched, but for store hosts, which go first.
        domain: what browsers ask for.
        known_hosts: file with the hosts' SSH keys.
        settings: file with the settings of every host; secrets are in it.
        keys: file of sealed keys, whose passphrase is asked for; None for none.
        certificate, certificate_key: files for TLS; without them each host signs its own.
        user: the account on the hosts.
        identity: file of the SSH key; without it ssh-agent is asked.
        port: where nginx serves by TLS.
        python: the hosts' Python.
        keep: releases that stay for going back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hosts: tuple[Host, ...] = Field(min_length=1)
    domain: str = Field(pattern=r"^[A-Za-z0-9.-]+$")
    known_hosts: Path
    settings: Path
    keys: Path | None = None
    certificate: Path | None = None
    certificate_key: Path | None = None
    user: str = Field(default="deploy", pattern=NAME)
    identity: Path | None = None
    port: int = 443
    python: str = Field(default="/usr/bin/python3", pattern=r"^[A-Za-z0-9/._-]+$")
    keep: int = Field(default=5, ge=2)

    @model_validator(mode="after")
    def _is_whole(self) -> Stage:
        names = [host.name for host in self.hosts]
        if len(set(names)) < len(names):
            raise ValueError("two hosts have one name")
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("certificate and certificate_key go together")
        return self

    @property
    def authority(self) -> str:
        """Name and port as browsers put them into the header Host."""
        return self.domain if self.port == 443 else f"{self.domain}:{self.port}"

    def serving(self) -> tuple[Host, ...]:
        """The hosts on which a release runs; first those that others cannot do without."""
        return tuple(
            sorted(
                (host for host in self.hosts if host.services), key=lambda host: Role.STORE not in host.roles
            )
        )


def read_stage(name: str, path: Path = HOSTS) -> Stage:
    """Return a stage of the file of hosts; the paths in it count from the project's folder.

    Raises:
        BadHosts: the file is missing, or wrong, or has no such stage.
    """
    try:
        stages = tomllib.loads(path.read_text()).get("stages", {})
    except FileNotFoundError:
        raise BadHosts(
            f"{path} is missing. Copy deploy/hosts.example.toml there and name your hosts."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise BadHosts(f"{path}: {error}") from None
    if name not in stages:
        raise BadHosts(f"{path} has no stage {name!r}. It has: {', '.join(sorted(stages)) or 'none'}.")
    try:
        stage = Stage.model_validate(stages[name])
    except ValidationError as error:
        faults = (
            f"{'.'.join(str(part) for part in ('stages', name, *fault['loc']))}: {fault['msg']}"
            for fault in error.errors()
        )
        raise BadHosts(f"{path}: {'; '.join(faults)}") from None
    paths = ("known_hosts", "settings", "keys", "certificate", "certificate_key", "identity")
    found = {
        field: ROOT / path.expanduser() for field in paths if (path := getattr(stage, field)) is not None
    }
    return stage.model_copy(update=found)
