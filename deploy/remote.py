"""One host by SSH: its key is checked, every command has a time-out, and a dry run changes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from fabric import Connection
from invoke.exceptions import CommandTimedOut
from paramiko import RejectPolicy, SSHException

from deploy.errors import DeployError, HostFailed
from deploy.hosts import Host, Stage

CONNECT_TIMEOUT = 5
"""Seconds."""
TIMEOUT = 60
"""Seconds that a command gets unless it says otherwise."""
BUSY = "another deploy holds this host; wait for it, or end it"

Say = Callable[[str], None]
Result = TypeVar("Result")


class Remote:
    """A host of a stage, as the account of the stage."""

    def __init__(self, host: Host, stage: Stage, say: Say, *, dry: bool = False) -> None:
        """
        Args:
            host: which.
            stage: says how to log in.
            say: shows a line.
            dry: only say what would be changed.
        """
        self.host = host
        self.stage = stage
        self.dry = dry
        self._say = say
        self._connection: Connection | None = None

    def say(self, line: str) -> None:
        """Show a line with the host's name before it."""
        self._say(f"{self.host.name:>10}  {line}")

    def ask(self, command: str, *, timeout: float = TIMEOUT, check: bool = True) -> str:
        """Run what changes nothing; also in a dry run.

        Args:
            command: for the shell.
            timeout: seconds.
            check: raise when it fails; else its output is returned all the same.

        Returns:
            What it printed, without blanks at the ends.

        Raises:
            HostFailed: it failed, or took too long, or the host is not there.
        """
        try:
            ended = self._open().run(
                f"exec </dev/null; {command}", hide=True, warn=True, in_stream=False, timeout=timeout
            )
        except CommandTimedOut:
            raise HostFailed(
                self.host.name, f"no answer within {timeout:g} s to: {_short(command)}"
            ) from None
        except (OSError, EOFError, SSHException) as error:
            raise self._away(error) from error
        if check and ended.exited != 0:
            said = (ended.stderr.strip() or ended.stdout.strip())[-2000:]
            raise HostFailed(self.host.name, f"{_short(command)} ended with {ended.exited}\n{said}")
        return str(ended.stdout).strip()

    def run(self, command: str, *, timeout: float = TIMEOUT, check: bool = True) -> str:
        """Run what changes the host, as `ask` does; a dry run only shows it."""
        if self.dry:
            self.say(f"would run: {_short(command)}")
            return ""
        return self.ask(command, timeout=timeout, check=check)

    def holds(self, test: str) -> bool:
        """Whether a test of the shell holds, such as `-e current`."""
        return self.ask(f"if [ {test} ]; then echo yes; fi") == "yes"

    def put(self, source: Path, target: str) -> None:
        """Copy a file to the host: whole under its name, or not there at all."""
        if self.dry:
            self.say(f"would copy {source.name} ({source.stat().st_size / 1e6:.1f} MB) to {target}")
            return
        self._send(source, target)

    def write(self, text: str, target: str, mode: str = "644") -> None:
        """Write a text file on the host; the text is on no command line."""
        if self.dry:
            self.say(f"would write {target}")
            return
        self._send(io.StringIO(text), target, mode)

    def get(self, source: str, target: Path) -> None:
        """Copy a file from the host: whole under its name, or not there at all."""
        if self.dry:
            self.say(f"would copy {source} to {target}")
            return
        part = target.with_name(f"{target.name}.part")
        part.touch(mode=0o600)
        try:
            sftp = self._open().sftp()
            sftp.get_channel().settimeout(TIMEOUT)
            sftp.get(source.removeprefix("~/"), str(part))
        except (OSError, EOFError, SSHException) as error:
            raise HostFailed(self.host.name, f"{source} could not be copied: {error}") from error
        part.replace(target)

    @contextmanager
    def alone(self, lock: str) -> Iterator[None]:
        """Hold a lock on the host for as long as the connection lives.

        Raises:
            HostFailed: another one holds it.
        """
        if self.dry:
            yield
            return
        try:
            self._open().open()
            channel = self._open().transport.open_session(timeout=CONNECT_TIMEOUT)
        except (OSError, EOFError, SSHException) as error:
            raise self._away(error) from error
        try:
            channel.settimeout(TIMEOUT)
            # cat ends with the channel
            channel.exec_command(f"flock -n {lock} sh -c 'echo held; exec cat'")  # our own name  # nosec B601
            if channel.recv(5) != b"held\n":
                raise HostFailed(self.host.name, BUSY)
            yield
        finally:
            channel.close()

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()

    def _open(self) -> Any:
        if self._connection is None:
            keys: dict[str, Any] = {"banner_timeout": CONNECT_TIMEOUT, "auth_timeout": CONNECT_TIMEOUT * 2}
            if self.stage.identity is not None:
                keys |= {
                    "key_filename": str(self.stage.identity),
                    "look_for_keys": False,
                    "allow_agent": False,
                }
            connection = Connection(
                self.host.address,
                user=self.stage.user,
                port=self.host.ssh_port,
                connect_timeout=CONNECT_TIMEOUT,
                connect_kwargs=keys,
            )
            connection.client.set_missing_host_key_policy(RejectPolicy())
            try:
                connection.client.load_host_keys(str(self.stage.known_hosts))
            except OSError as error:
                raise DeployError(
                    f"{self.stage.known_hosts}: {error.strerror}. Write the hosts' SSH keys there (ssh-keyscan), "
                    "and compare them with what the hosts themselves say."
                ) from None
            self._connection = connection
        return self._connection

    def _send(self, source: Path | io.StringIO, target: str, mode: str = "644") -> None:
        name = target.removeprefix("~/")  # SFTP begins in the home folder and knows no tilde
        try:
            sftp = self._open().sftp()
            sftp.get_channel().settimeout(TIMEOUT)
            if isinstance(source, Path):
                sftp.put(str(source), f"{name}.new")
            else:
                with sftp.open(f"{name}.new", "w") as file:
                    file.chmod(int(mode, 8))  # before the text is in it
                    file.write(source.getvalue())
            sftp.posix_rename(f"{name}.new", name)
        except (OSError, EOFError, SSHException) as error:
            raise HostFailed(self.host.name, f"{target} could not be copied: {error}") from error

    def _away(self, error: Exception) -> HostFailed:
        where = f"{self.stage.user}@{self.host.address}:{self.host.ssh_port}"
        return HostFailed(self.host.name, f"SSH to {where} failed: {error or type(error).__name__}")


def on_all(remotes: Sequence[Remote], step: Callable[[Remote], Result]) -> list[Result]:
    """Do a step on all hosts at the same time, and wait for all of them.

    Raises:
        DeployError: with what each of those that failed said.
    """
    with ThreadPoolExecutor(max(1, len(remotes))) as pool:
        running = [pool.submit(step, remote) for remote in remotes]
    failures = [error for done in running if (error := done.exception()) is not None]
    for error in failures:
        if not isinstance(error, DeployError):
            raise error
    if failures:
        raise DeployError("\n".join(str(error) for error in failures))
    return [done.result() for done in running]


@contextmanager
def connected(stage: Stage, hosts: Sequence[Host], say: Say, *, dry: bool = False) -> Iterator[list[Remote]]:
    """Connections to hosts of a stage, closed at the end."""
    remotes = [Remote(host, stage, say, dry=dry) for host in hosts]
    try:
        yield remotes
    finally:
        for remote in remotes:
            remote.close()


def _short(command: str) -> str:
    line = " ".join(command.split())
    return line if len(line) < 160 else line[:157] + "…"
