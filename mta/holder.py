"""Who holds a lease: a container in a process on a host, by a name that tells whether it still lives."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

_PROC = Path("/proc")


def new_holder() -> str:
    """A name for a container of this process, never used before."""
    return "|".join([*_place(), str(os.getpid()), _started(os.getpid()), secrets.token_hex(6)])


def place_of(holder: str) -> str:
    """The host and the process of a container, for people."""
    host, _boot, _namespace, pid, *_ = holder.split("|")
    return f"{host}:{pid}"


def is_gone(holder: str) -> bool:
    """Whether that container's process is surely gone; of another host nothing is known."""
    *place, pid, started, _unique = holder.split("|")
    if place != _place():
        return False
    return not _is_running(int(pid)) or _started(int(pid)) != started


def _place() -> list[str]:
    """The host since its start, and the namespace of process ids: in it an id is one process at a time."""
    return [
        socket.gethostname().replace("|", ""),
        _read(_PROC / "sys/kernel/random/boot_id"),
        _pid_namespace(),
    ]


def _pid_namespace() -> str:
    try:
        return os.readlink(_PROC / "self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When the process was started, in ticks since boot: a process id comes again, with another time."""
    after_name = _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()
    return after_name[19] if len(after_name) > 19 else ""


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
