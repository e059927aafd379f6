"""Hosts on one machine: network namespaces with a Debian of their own each, reached by a real SSH server."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

NETWORK = "192.0.2"
"""Of the addresses in deploy/hosts.example.toml."""
PATIENCE = 60.0
PLENTY = 8 << 30
"""Octets of memory of which hosts may have half."""
CLONE_NEWNET = 0x40000000
SIGRTMIN_POWER_OFF = signal.SIGRTMIN + 4

INIT = """\
set -e
mount --make-rprivate /
mount -t proc proc {root}/proc
mount -t tmpfs tmpfs {root}/run
mount -t tmpfs tmpfs {root}/tmp
mount --rbind /dev {root}/dev
mount -t tmpfs tmpfs {root}/dev/shm
hostname {name}
mkdir -p {root}/run/sshd
exec chroot {root} /usr/sbin/sshd -D
"""
APART = """\
while [ "$1" != systemd-nspawn ]; do mkdir -p "$1" && echo $$ > "$1/cgroup.procs" && shift; done
exec "$@"
"""
"""Runs what comes after some control groups in those."""


@dataclass
class Machine:
    """One host.

    Attributes:
        name: its host name.
        address: of its network.
        root: its file system, as seen from here.
        namespace: the name of its network namespace.
        link: the end of its cable that is here.
        systemd: whether it boots with systemd; else an SSH server is all that runs.
    """

    name: str
    address: str
    root: Path
    namespace: str
    link: str
    systemd: bool
    process: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Switch it on; returns once it answers SSH."""
        if self.systemd:
            words = [
                "sh", "-c", APART, "sh", *map(str, self._groups()),
                "systemd-nspawn", "-q", "--register=no", "--keep-unit", "--resolv-conf=off", "--boot",
                f"--network-namespace-path=/run/netns/{self.namespace}", "-D", str(self.root), "-M", self.name,
            ]  # fmt: skip
        else:
            shell = ["sh", "-c", INIT.format(root=self.root, name=self.name)]
            unshare = ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--kill-child"]
            words = ["ip", "netns", "exec", self.namespace, *unshare, *shell]
        with (self.root.parent / "console").open("wb") as console:
            self.process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"{self.name}: {(self.root.parent / 'console').read_text(errors='replace')}"
                )

    def power_off(self) -> None:
        """Switch it off."""
        if self.process is None or self.process.poll() is not None:
            return
        if self.systemd:
            self.process.send_signal(signal.SIGTERM)  # nspawn passes it on as a wish to power off
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        else:
            self.process.kill()
        self.process.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while any(map(_in_use, self._groups())):  # what outlives it, or needs a moment to be gone
            assert time.monotonic() < deadline, f"{self.name} does not end"
            threading.Event().wait(0.05)

    def run(self, command: str) -> str:
        """Run a command inside, as root; what it printed."""
        assert self.process is not None
        child = self._init()
        words = [
            "nsenter",
            "-t",
            str(child),
            "-a",
            "--root",
            "sh",
            "-c",
            command,
        ]
        ended = subprocess.run(
            words, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
        return ended.stdout

    def plug(self, *, plugged: bool) -> None:
        """Put its network cable in, or take it out."""
        subprocess.run(["ip", "link", "set", self.link, "up" if plugged else "down"], check=True)

    def _groups(self) -> list[Path]:
        """Control groups of its own, so that no other systemd takes its services for those of itself."""
        top = Path("/sys/fs/cgroup")
        hierarchies = [top / name for name in ("", "systemd", "unified")]
        return [place / self.namespace for place in hierarchies if (place / "cgroup.procs").exists()]

    def _init(self) -> int:
        """The first process inside, numbered as it is here."""
        assert self.process is not None
        number = self.process.pid
        while children := Path(f"/proc/{number}/task/{number}/children").read_text().split():
            number = int(children[0])
            if (
                Path(f"/proc/{number}/status").read_text().partition("NSpid:")[2].split("\n")[0].split()[-1]
                == "1"
            ):
                break
        return number

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, 22), 0.5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            threading.Event().wait(0.05)
            return False


@dataclass(frozen=True)
class Lab:
    """Hosts on one network, seen from a place of its own that has no other.

    Attributes:
        machines: the hosts, by name.
        here: our own address on that network.
        identity: file of the key that the hosts let in.
    """

    machines: dict[str, Machine]
    here: str
    identity: Path


@contextmanager
def lab(folder: Path, lower: Path, machines: Mapping[str, int], account: str) -> Iterator[Lab]:
    """Make hosts and boot them; this thread, and what it starts, is on their network until the end.

    Args:
        folder: an empty one, not on an overlay.
        lower: what is on each to begin with, from `bare_root`.
        machines: the last number of the address of each, by its name; the first one boots with systemd.
        account: what its root does, in the shell, so that there is the account to log in to.
    """
    mark = f"bm{os.getpid() % 100000}"
    identity = folder / "id"
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(identity))
    made: dict[str, Machine] = {}
    with ExitStack() as cleaning:
        control = f"{mark}c"
        _run("ip", "netns", "add", control)
        cleaning.callback(_run, "ip", "netns", "delete", control)
        cleaning.enter_context(_inside(control))
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "switch", "type", "bridge")
        _run("ip", "address", "add", f"{NETWORK}.1/24", "dev", "switch")
        _run("ip", "link", "set", "switch", "up")
        for name, number in machines.items():
            namespace, link = f"{mark}{name}", f"{mark}v{number}"
            _run("ip", "netns", "add", namespace)
            cleaning.callback(_run, "ip", "netns", "delete", namespace)
            _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            _run("ip", "link", "set", link, "master", "switch", "up")
            inside = ("ip", "netns", "exec", namespace, "ip")
            _run(*inside, "link", "set", "lo", "up")
            _run(*inside, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            _run(*inside, "link", "set", "eth0", "up")
            root = _furnish(folder / name, lower, name, account, cleaning)
            (root / "home/deploy/.ssh/authorized_keys").write_text(identity.with_suffix(".pub").read_text())
            machine = Machine(name, f"{NETWORK}.{number}", root, namespace, link, systemd=not made)
            made[name] = machine
            machine.boot()
            cleaning.callback(machine.power_off)
        yield Lab(made, f"{NETWORK}.1", identity)


@contextmanager
def in_memory(folder: Path) -> Iterator[None]:
    """Keep what is written into a folder in memory, where there is plenty: hosts write much, and for minutes only."""
    there = int(Path("/proc/meminfo").read_text().partition("MemAvailable:")[2].split()[0]) * 1024
    if there < PLENTY:
        yield
        return
    _run("mount", "-t", "tmpfs", "-o", f"mode=755,size={PLENTY // 2}", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def _furnish(folder: Path, lower: Path, name: str, account: str, cleaning: ExitStack) -> Path:
    """A root of its own over the bare one, with a host key, and an account that may log in."""
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True)
    root = folder / "root"
    layers = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    _run("mount", "-t", "overlay", "overlay", "-o", layers, str(root))
    cleaning.callback(_run, "umount", "--lazy", str(root))
    for old in (root / "etc/ssh").glob("ssh_host_*"):
        old.unlink()
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(root / "etc/ssh/ssh_host_ed25519_key"))
    (root / "etc/hostname").write_text(f"{name}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {name}\n")
    (root / "etc/ssh/sshd_config.d/lab.conf").write_text("PasswordAuthentication no\n")
    _run("chroot", str(root), "sh", "-ec", account)
    return root


def _in_use(group: Path) -> bool:
    """Whether processes are left in a control group, which are killed; else it is removed."""
    try:  # parts of it go while it is looked through
        for file in group.glob("**/cgroup.procs"):
            for number in {*file.read_text().split()} - {"0"}:
                with suppress(ProcessLookupError):
                    os.kill(int(number), signal.SIGKILL)
        for part in sorted(group.glob("**/"), reverse=True):
            part.rmdir()
    except OSError:
        return True
    return False


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """This thread, and whatever it starts, in a network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        _enter(other)
        yield
    finally:
        _enter(before)
        os.close(before)
        os.close(other)


def _enter(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace")


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)
