"""The wrapper `./fab`: finds Python, makes .venv, runs Fabric; and what it says when it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bitmail import environment

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(sys.executable).resolve()
NAMES = ("python3.11", "python3.12", "python3.13", "python3.14", "python3", "python")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh clone, as far as the wrapper needs it, that asks for one small package."""
    return clone(tmp_path / "a clone")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The only folder on the PATH: the tools of a bare system, and no Python."""
    folder = tmp_path / "path"
    folder.mkdir()
    for tool in ("sh", "dirname", "cmp", "cat"):
        folder.joinpath(tool).symlink_to(str(shutil.which(tool)))
    return folder


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with the wheel of a package whose script `fab` prints its words, one a line."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "echo-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("echo.py", "import sys\n\ndef main():\n    print('words', *sys.argv[1:], sep='\\n')\n")
        about = "echo-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/entry_points.txt", "[console_scripts]\nfab = echo:main\n")
        wheel.writestr(f"{about}/RECORD", "")
    return folder


def clone(folder: Path) -> Path:
    (folder / "bitmail").mkdir(parents=True)
    for name in ("fab", "bitmail/__init__.py", "bitmail/environment.py", "bitmail/command.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "requirements.txt").write_text("echo==1.0\n")
    return folder


def python(path: Path, name: str, before: str = "") -> None:
    """Put a Python on the PATH: this one, after the statement `before`."""
    script = path / name
    if before:
        script.write_text(f"#!/bin/sh\nexec {PYTHON} -c 'import sys; {before}; exec(sys.argv[1])' \"$2\"\n")
    else:
        script.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
    script.chmod(0o755)


def fab(project: Path, path: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [project / "fab", *words],
        env={"PATH": str(path), "HOME": str(project), "PIP_CONFIG_FILE": os.devnull, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_fab_without_python_says_which_is_needed(project: Path, path: Path) -> None:
    ended = fab(project, path)

    assert ended.returncode == 1
    assert "needs Python 3.11 or newer" in ended.stderr
    assert "apt install python3 python3-venv" in ended.stderr
    assert not (project / ".venv").exists()


def test_fab_with_only_an_old_python_says_which_is_needed(project: Path, path: Path) -> None:
    python(path, "python3", before="sys.version_info = (3, 9, 2)")

    ended = fab(project, path)

    assert ended.returncode == 1
    assert "needs Python 3.11 or newer" in ended.stderr


def test_fab_without_the_venv_module_says_how_to_get_it(project: Path, path: Path) -> None:
    python(path, "python3", before='sys.modules["ensurepip"] = None')

    ended = fab(project, path)

    assert ended.returncode == 1
    assert "python3 comes without it" in ended.stderr
    assert "apt install python3-venv" in ended.stderr


def test_fab_installs_once_and_hands_its_words_on(project: Path, path: Path, wheels: Path) -> None:
    python(path, "python3.11", before='sys.modules["ensurepip"] = None')
    python(path, "python3.12", before="sys.version_info = (3, 9, 2)")
    python(path, "python3")
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}

    first = fab(project, path, "bench", "two words", **index)
    second = fab(project, path)
    third = fab(project, path, "bench")
    fourth = fab(project, path, "bench", "accept", "failover")
    back = [
        fab(project, path, "rollback", *words) for words in (["r 1", "--stage", "b"], ["--stage", "b"], [])
    ]

    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].startswith("Making .venv")
    assert lines[-3:] == ["words", "bench", "two words"]
    assert second.stdout.splitlines() == ["words", "--list"]
    assert third.stdout.splitlines() == ["words", "bench", ""]
    assert fourth.stdout.splitlines() == ["words", "bench", "accept failover"]
    assert [words.stdout.splitlines()[1:] for words in back] == [
        ["rollback", "--tag", "r 1", "--stage", "b"],
        ["rollback", "--stage", "b"],
        ["rollback"],
    ]

    (project / "requirements.txt").write_text("echo>=1.0\n")
    changed = fab(project, path, "run", **index)
    assert changed.stdout.splitlines()[0].startswith("requirements.txt has changed")
    assert changed.stdout.splitlines()[-1] == "run"

    (project / "requirements.txt").write_text("echo==2.0\n")
    failed = fab(project, path, "run", **index)
    assert failed.returncode == 1
    assert "No matching distribution found for echo==2.0" in failed.stderr
    assert "Put that right, then run ./fab again" in failed.stderr


def test_venv_is_current_only_for_the_same_requirements_in_the_same_folder(project: Path) -> None:
    venv = project / ".venv"
    assert not environment.is_current(project)

    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(PYTHON)
    (venv / "place").write_text(f"{project}\n")
    assert not environment.is_current(project), "its making was cut short"

    shutil.copy(project / "requirements.txt", venv / "requirements.txt")
    assert environment.is_current(project)

    moved = project.rename(project.with_name("elsewhere"))
    assert not environment.is_current(moved), "its scripts name the folder they were made in"

    moved.rename(project)
    (project / "requirements.txt").write_text("echo==1.1\n")
    assert not environment.is_current(project)


def test_fab_without_network_says_so(project: Path, path: Path) -> None:
    python(path, "python3")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        ended = fab(project, path, PIP_INDEX_URL=index, PIP_RETRIES="1")

    assert ended.returncode == 1
    assert "The package index does not answer" in ended.stderr
    assert not environment.is_current(project)


def test_fab_killed_while_installing_leaves_no_venv_that_counts(
    project: Path, path: Path, wheels: Path
) -> None:
    python(path, "python3")
    settings = {"PATH": str(path), "HOME": str(project), "PIP_CONFIG_FILE": os.devnull}
    with subprocess.Popen(
        [project / "fab"], env=settings, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Making .venv")
        os.killpg(process.pid, signal.SIGKILL)

    ended = fab(project, path, "run", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))

    assert ended.returncode == 0, ended.stderr
    assert "Making .venv" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "run"


def test_fab_alone_lists_every_task_with_a_line_each() -> None:
    ended = subprocess.run(
        [ROOT / "fab"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60
    )

    assert ended.returncode == 0, ended.stderr
    listed = [line.split(maxsplit=1) for line in ended.stdout.splitlines()[2:] if line]
    assert {
        "run",
        "build",
        "test",
        "test_manual",
        "bench",
        "chaos",
        "seal_keys",
        "lock",
        "fuzz",
        "audit",
        "sabotage",
    } <= {task[0] for task in listed}
    assert all(len(task) == 2 for task in listed)
