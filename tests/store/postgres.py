"""A PostgreSQL server of one's own: private folder, private socket, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit


@contextmanager
def private_postgres(*options: str) -> Iterator[str]:
    """Start a server and give its SQLAlchemy URL; stop it and delete its data at the end.

    As root, which PostgreSQL refuses to run as, the server runs as the user `postgres`, and is installed when
    the machine is a Debian without it.

    Args:
        options: settings such as `fsync=off`.
    """
    binaries = _binaries()
    # A short path, since that of a socket may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    try:
        _run(binaries / "initdb", "-D", data, "-U", "bitmail", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (data / "postgresql.conf").open("a") as configuration:
            for option in (f"unix_socket_directories={folder}", "listen_addresses=", *options):
                name, _, value = option.partition("=")
                configuration.write(f"{name} = '{value}'\n")
        start(folder)
        try:
            yield f"postgresql+psycopg://bitmail@/postgres?host={quote(str(folder), safe='')}"
        finally:
            stop(folder)
    finally:
        shutil.rmtree(folder)


def folder_of(url: str) -> Path:
    """The folder of a private server, by its URL."""
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def start(folder: Path) -> None:
    """Start a private server."""
    _run(_binaries() / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "start")


def stop(folder: Path) -> None:
    """End a private server as a crash does."""
    _run(_binaries() / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found and (initdb := shutil.which("initdb")):
        found = [Path(initdb)]
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-q"], ["install", "-q", "-y", "postgresql"]):
            subprocess.run(["apt-get", *words], check=True, env=environment)
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise RuntimeError("there is no PostgreSQL on this machine; install version 15 or later")
    return found[-1].parent


def _run(*words: str | Path) -> None:
    command = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # Into a file and not a pipe, which the server would inherit and keep open.
    with tempfile.TemporaryFile() as output:
        status = subprocess.run(
            [*command, *map(str, words)], stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/"
        ).returncode
        if status:
            output.seek(0)
            raise RuntimeError(output.read().decode(errors="replace"))
