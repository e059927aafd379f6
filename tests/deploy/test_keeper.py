"""The keeper: what it starts again and when, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.keeper import Keeper, Rest
from tests.mta.scripted import wait_until

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    def __init__(self) -> None:
        self.rests: list[float] = []

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)


def test_rest_when_runs_fail_early_then_doubles_to_a_minute_and_a_good_run_ends_that() -> None:
    rest = Rest()
    assert [rest.after(1, 0.1) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert rest.after(1, 3600) == 0.5
    assert rest.after(-9, 0.1) == 1


def test_rest_when_no_provider_is_left_then_half_a_minute_or_more() -> None:
    rest = Rest()
    assert rest.after(69, 3600) == 30
    assert [rest.after(69, 1) for _ in range(7)][-1] == 60


def run(*statuses: int) -> tuple[int | None, list[float]]:
    """Keep a command that ends with one status after another; what came of it, and the rests between."""
    clock = Clock()
    reading, writing = os.pipe()
    os.write(writing, bytes(statuses))
    program = f"import os, sys; sys.exit(os.read({reading}, 1)[0])"
    try:
        kept = Keeper([sys.executable, "-c", program], dict(os.environ), [reading]).keep(
            clock.rest, lambda: 0.0
        )
    finally:
        os.close(reading)
        os.close(writing)
    return kept, clock.rests


def test_a_service_when_it_ends_with_any_status_then_is_started_again_but_not_with_bad_settings() -> None:
    assert run(1, 0, 69, 78) == (78, [0.5, 1, 30])


def keeper(folder: Path, program: str, **settings: str) -> subprocess.Popen[str]:
    """`deploy.keeper web` of a release whose module `bitmail` is a program."""
    release = folder / "releases/r1"
    (release / "bitmail").mkdir(parents=True)
    (release / "bitmail/__init__.py").touch()
    (release / "bitmail/__main__.py").write_text(program)
    (release / "deploy").symlink_to(ROOT / "deploy")
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.keeper", "web"],
        cwd=release, env=os.environ | settings, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


SAY_AND_SLEEP = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


def test_a_keeper_when_killed_then_its_service_dies_too(tmp_path: Path) -> None:
    kept = keeper(tmp_path, SAY_AND_SLEEP)
    assert kept.stdout is not None
    service = int(kept.stdout.readline())
    kept.kill()
    kept.wait()
    wait_until(lambda: is_gone(service))


def test_a_keeper_when_told_to_stop_then_ends_its_service_and_itself_well(tmp_path: Path) -> None:
    kept = keeper(tmp_path, SAY_AND_SLEEP)
    assert kept.stdout is not None
    service = int(kept.stdout.readline())
    kept.terminate()
    assert kept.wait(30) == 0
    assert is_gone(service)


ANSWER_ONCE = """
import os, socket
listening = socket.socket(fileno=int(os.environ["BITMAIL_SOCKET"]))
print(listening.getsockname()[1], flush=True)
asking, _ = listening.accept()
asking.sendall(os.getcwd().rpartition("/")[2].encode())
"""


def test_a_keeper_when_the_current_release_is_another_then_makes_place_with_its_socket_open(
    tmp_path: Path,
) -> None:
    import socket

    kept = keeper(
        tmp_path,
        SAY_AND_SLEEP.replace("os.getpid()", "os.environ['BITMAIL_SOCKET']"),
        BITMAIL_LISTEN="127.0.0.1:0",
    )
    assert kept.stdout is not None
    descriptor = kept.stdout.readline().strip()
    other = tmp_path / "releases/r2/bin/serve"
    other.parent.mkdir(parents=True)
    other.write_text(f'#!/bin/sh\ncd "$(dirname "$0")/.." && exec {sys.executable} -c \'{ANSWER_ONCE}\'\n')
    other.chmod(0o755)
    (tmp_path / "current").symlink_to("releases/r2")
    kept.send_signal(signal.SIGHUP)
    port = int(kept.stdout.readline())
    with socket.create_connection(("127.0.0.1", port), 10) as asking:
        assert asking.recv(10) == b"r2"
    assert kept.wait(30) == 0
    assert descriptor.isdecimal()


def is_gone(process: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return True
