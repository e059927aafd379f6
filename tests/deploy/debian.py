"""The Debian that hosts are made of, and whether this machine can make any."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path("/var/cache/bitmail-tests")
PACKAGES = (
    "ca-certificates,dbus,dbus-user-session,iproute2,libpam-systemd,nginx-light,openssh-server,postgresql-client,"
    "procps,python3,sudo,systemd,systemd-sysv"
)
"""What a small server has beside Debian itself: no Node, and no way to a package registry."""
TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh-keyscan": "openssh-client",
}
PROBE = """\
set -e
cd "$1"
mkdir lower upper work root
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root
ip link add switch type bridge
test -w /sys/fs/cgroup
"""
"""What making a host comes to, in small."""


def why_not() -> str:
    """Why this machine cannot make hosts, or ""; what making them needs is installed then."""
    if os.geteuid() != 0:
        return "only root can make hosts in namespaces"
    if not shutil.which("apt-get"):
        return "hosts are made of Debian's packages, and there is no apt-get"
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--uts", "--ipc"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode != 0:
        return "this machine does not let us make namespaces"
    install_tools()
    with tempfile.TemporaryDirectory(prefix="bitmail-lab-") as folder:
        tried = subprocess.run([*unshare, "sh", "-c", PROBE, "sh", folder], capture_output=True, text=True)
    if tried.returncode != 0:
        return (
            f"this machine does not let us make hosts in namespaces: {tried.stderr.strip() or 'no cgroups'}"
        )
    return ""


def install_tools() -> None:
    """Install what making hosts needs, as far as it is missing."""
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing:
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *missing]):
            subprocess.run(["apt-get", *words], check=True, env=quiet, stdin=subprocess.DEVNULL)


@contextmanager
def cache() -> Iterator[Path]:
    """The folder of what is made or downloaded once; another run that wants it at the same time waits."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield CACHE


def bare_root() -> Path:
    """A Debian that nothing was done to; made once, from the mirror that this machine uses."""
    with cache() as folder:
        root = folder / hashlib.sha256(PACKAGES.encode()).hexdigest()[:12]
        if not root.exists():
            fresh = root.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            words = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(fresh)]
            if mirror := _mirror():
                words.append(mirror)
            subprocess.run(
                words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=900
            )
            fresh.replace(root)
    return root


def _mirror() -> str:
    policy = subprocess.run(["apt-cache", "policy"], capture_output=True, text=True).stdout
    lines = [line.split() for line in policy.splitlines() if "bookworm/main" in line]
    return lines[0][1] if lines else ""
