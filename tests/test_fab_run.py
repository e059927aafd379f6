"""Starting and stopping the server, and what it says when it cannot."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import Queue

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bitmail.server import ServerError, address_of, reserve, serve
from bitmail.shutdown import ExitStatus, Shutdown, is_disk_full
from bitmail.version import version

ROOT = Path(__file__).resolve().parent.parent


def bitmail(tmp_path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bitmail"],
        cwd=ROOT,
        env=os.environ | {"BITMAIL_VAR": str(tmp_path)} | settings,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


@contextmanager
def running(tmp_path: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`./fab run` on a throwaway database; yields the process and the address that it printed."""
    settings = {"BITMAIL_VAR": str(tmp_path), "BITMAIL_PORT": str(port), "BITMAIL_PROVIDERS": "loopback"}
    process = subprocess.Popen(
        [ROOT / "fab", "run"],
        env=os.environ | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        seen = ""
        for line in process.stdout:
            seen += line
            if found := re.search(r"BitMail is at (\S+)", line):
                yield process, found[1]
                break
        else:
            pytest.fail(f"no address was printed: {seen}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_run_when_built_builds_nothing_and_answers(tmp_path: Path) -> None:
    with running(tmp_path) as (_, address):
        assert httpx.get(f"{address}/api/alive").status_code == 200
    built = (ROOT / ".web" / "build" / "sources.sha256").stat().st_mtime_ns
    with running(tmp_path) as (_, address):
        assert httpx.get(f"{address}/api/alive").status_code == 200
    assert (ROOT / ".web" / "build" / "sources.sha256").stat().st_mtime_ns == built


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_when_signalled_stops_with_status_zero(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path) as (process, address):
        process.send_signal(number)
        assert process.wait(20) == ExitStatus.OK
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_run_when_the_port_is_taken_says_what_to_change(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = bitmail(tmp_path, BITMAIL_PORT=str(port))

    assert ended.returncode == ExitStatus.PORT_TAKEN
    assert f"Port {port} of 127.0.0.1 is taken" in ended.stderr
    assert "set BITMAIL_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_run_with_a_setting_that_cannot_work_names_the_variable(tmp_path: Path) -> None:
    ended = bitmail(tmp_path, BITMAIL_PORT="three thousand")

    assert ended.returncode == ExitStatus.CONFIGURATION
    assert "BITMAIL_PORT: " in ended.stderr
    assert "three thousand" not in ended.stderr, "a value may be a secret"
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_run_on_a_host_of_another_machine_names_the_variable(tmp_path: Path, host: str) -> None:
    ended = bitmail(tmp_path, BITMAIL_HOST=host, BITMAIL_PORT="0")

    assert ended.returncode == ExitStatus.CONFIGURATION
    assert f"BITMAIL_HOST={host}" in ended.stderr
    assert "Traceback" not in ended.stderr


class Service:
    """A small app on a real server in a thread of this process."""

    def __init__(self, lifespan: object = None) -> None:
        self.shutdown = Shutdown()
        self._ended: Queue[ExitStatus | ServerError] = Queue()
        self._ready = threading.Event()
        self._reserved = reserve("127.0.0.1", 0)
        self.address = address_of(self._reserved)
        self.app = Starlette(routes=[Route("/", self._answer)], lifespan=lifespan)  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    async def _answer(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse("here")

    def _serve(self) -> None:
        try:
            self._ended.put(serve(self.app, self._reserved, self.shutdown, self._ready.set))
        except ServerError as error:
            self._ended.put(error)
        finally:
            self._reserved.close()

    def get(self) -> str:
        assert self._ready.wait(10)
        return httpx.get(self.address).text

    def ended(self) -> ExitStatus | ServerError:
        outcome = self._ended.get(timeout=20)
        self._thread.join()
        return outcome


def test_server_when_asked_to_shut_down_ends_with_that_status() -> None:
    service = Service()
    assert service.get() == "here"

    service.shutdown.request(ExitStatus.UNAVAILABLE)
    service.shutdown.request(ExitStatus.OK)

    assert service.ended() is ExitStatus.UNAVAILABLE


def test_server_when_the_lifespan_itself_says_good_bye_ends_with_that_status() -> None:
    made = threading.Event()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        made.wait(10)
        service.shutdown.request(ExitStatus.UNAVAILABLE)
        yield

    service = Service(lifespan)
    made.set()

    assert service.ended() is ExitStatus.UNAVAILABLE


def test_server_when_the_database_is_full_says_so(tmp_path: Path) -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with sqlite3.connect(tmp_path / "full.db") as database:
            database.execute("PRAGMA max_page_count = 4")
            database.execute("CREATE TABLE mail (body BLOB)")
            try:
                database.execute("INSERT INTO mail VALUES (zeroblob(1000000))")
            except sqlite3.Error as error:
                raise RuntimeError("the migration failed") from error
        yield

    outcome = Service(lifespan).ended()

    assert isinstance(outcome, ServerError)
    assert outcome.status is ExitStatus.NO_ROOM
    assert "The disk is full" in str(outcome)
    assert "BITMAIL_VAR" in str(outcome)


def test_server_when_its_start_fails_otherwise_says_why() -> None:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("the spool is of a newer version")
        yield

    outcome = Service(lifespan).ended()

    assert isinstance(outcome, ServerError)
    assert outcome.status is ExitStatus.SOFTWARE
    assert "the spool is of a newer version" in str(outcome)


def test_disk_full_is_told_from_other_errors() -> None:
    with pytest.raises(OSError) as full, open("/dev/full", "w") as file:
        file.write("x")
    with pytest.raises(OSError) as missing:
        Path("/dev/no-such-device").read_text()

    assert is_disk_full(full.value)
    assert is_disk_full(ExceptionGroup("several", [ValueError(), full.value]))
    assert not is_disk_full(missing.value)
    assert not is_disk_full(None)


def test_version_is_the_tag_else_the_commit_else_what_the_file_says(tmp_path: Path) -> None:
    def git(folder: Path, *words: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "tag.gpgSign=false"]
        command = ["git", *identity, "-c", "commit.gpgSign=false", *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    for name in ("commit", "tag"):
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init")
        git(folder, "commit", "--allow-empty", "--message", "First")
    git(tmp_path / "tag", "tag", "v1.2")
    (tmp_path / "file").mkdir()
    (tmp_path / "file/VERSION").write_text("v1.3\n")
    (tmp_path / "nothing").mkdir()

    assert version(tmp_path / "commit") == git(tmp_path / "commit", "rev-parse", "--short", "HEAD")
    assert version(tmp_path / "tag") == "v1.2"
    assert version(tmp_path / "file") == "v1.3"
    assert version(tmp_path / "nothing") == "unknown"
