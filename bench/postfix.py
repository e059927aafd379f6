"""A Postfix of the bench's own: its own folder and ports, on the loopback, and gone at the end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BINARIES = "/usr/sbin"
DAEMONS = "/usr/lib/postfix/sbin"
PATIENCE = 20.0
"""Seconds until something that does not start is given up."""

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = bench.localhost
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{sink}
smtp_dns_support_level = disabled
smtp_host_lookup = native
alias_maps =
alias_database =
local_recipient_maps =
"""


class NoPostfix(Exception):
    """There is no Postfix, and it could not be installed."""


class Postfix:
    """Takes mail at `port` of the loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def accept(self, mails: int, senders: int, octets: int, *, keep: bool) -> float:
        """Mails accepted a second from `smtp-source`.

        Args:
            mails: how many are sent.
            senders: how many at once.
            octets: the size of each.
            keep: all mails of a sender over one connection, instead of one connection a mail.
        """
        words = ["smtp-source", "-s", senders, "-m", mails, "-l", octets]
        words += ["-f", "ann@example.com", "-t", "bob@example.net", *(["-d"] if keep else [])]
        started = time.perf_counter()
        _run(*words, f"127.0.0.1:{self.port}")
        return mails / (time.perf_counter() - started)


@contextmanager
def private_postfix() -> Iterator[Postfix]:
    """Start a Postfix that queues and relays to an `smtp-sink`; stop both and delete their files at the end.

    Raises:
        NoPostfix: saying what to do.
    """
    _install()
    folder = Path(tempfile.mkdtemp(prefix="postfix"))
    sink_port, port = _free_port(), _free_port()
    sink = subprocess.Popen(
        [f"{BINARIES}/smtp-sink", "-u", "postfix", f"127.0.0.1:{sink_port}", "1000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _lay_out(folder, port, sink_port)
        _run("postfix", "-c", folder / "etc", "start")
        try:
            _wait_for(sink_port)
            _wait_for(port)
            yield Postfix(port)
        finally:
            _run("postfix", "-c", folder / "etc", "abort")
    finally:
        sink.kill()
        sink.wait()
        shutil.rmtree(folder)


def _install() -> None:
    if os.geteuid() != 0:
        raise NoPostfix("Postfix starts as root only; run this bench as root to compare with it")
    if not Path(BINARIES, "smtp-source").exists():
        if not shutil.which("apt-get"):
            raise NoPostfix("there is no Postfix on this machine; install it to compare with it")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        # Without a configuration of its own it is not started, and serves nobody.
        none = b"postfix postfix/main_mailer_type select No configuration\n"
        try:
            subprocess.run(["debconf-set-selections"], input=none, check=True)
            for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "postfix"]):
                subprocess.run(["apt-get", *words], check=True, env=environment, stdout=subprocess.DEVNULL)
        except subprocess.CalledProcessError as error:
            raise NoPostfix(f"Postfix could not be installed ({error}); install it by hand") from None


def _lay_out(folder: Path, port: int, sink: int) -> None:
    """The folders of an instance: Debian's services, but for the port, and nothing in a chroot."""
    folder.chmod(0o755)
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder, sink=sink))
    lines = Path("/etc/postfix/master.cf.proto").read_text().splitlines()
    services = [line.split() for line in lines if line[:1].isalpha()]
    kept = [words for words in services if words[-1] != "pipe"]
    for words in kept:
        words[4] = "n"
        if words[:2] == ["smtp", "inet"]:
            words[0] = f"127.0.0.1:{port}"
    (folder / "etc" / "master.cf").write_text("".join(" ".join(words) + "\n" for words in kept))


def _run(*words: object) -> None:
    # Into a file and not a pipe, which the daemons would inherit and keep open.
    with tempfile.TemporaryFile() as output:
        command = [f"{BINARIES}/{words[0]}", *map(str, words[1:])]
        status = subprocess.run(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/"
        ).returncode
        if status:
            output.seek(0)
            raise RuntimeError(f"{words[0]}: {output.read().decode(errors='replace')}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.recv(1)
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing answers at port {port}")
