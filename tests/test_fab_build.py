"""Building the front end: when it is done, when not, and what it says when it cannot be done."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bitmail import frontend

ROOT = Path(__file__).resolve().parent.parent
PAGE = """
import reflex as rx

app = rx.App(toaster=None)
app.add_page(lambda: rx.el.p("small"), route="/")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one small page, never built."""
    folder = tmp_path / "project"
    (folder / "bitmail").mkdir(parents=True)
    for name in ("rxconfig.py", "requirements.txt", "bitmail/__init__.py", "bitmail/frontend.py"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "bitmail/command.py", folder / "bitmail/command.py")
    (folder / "bitmail/bitmail.py").write_text(PAGE)
    return folder


def frontend_of(project: Path) -> ModuleType:
    """The module of the front end as that project has it."""
    spec = importlib.util.spec_from_file_location("frontend_of_project", project / "bitmail/frontend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start_building(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", "from bitmail import frontend; print(frontend.build())"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Who starts the tests may have them ignore it, as a shell does in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_build_when_nothing_changed_does_nothing() -> None:
    frontend.build()

    said: list[str] = []
    assert frontend.is_built()
    assert frontend.build(said.append) is False
    assert said == []
    assert (frontend.CLIENT / "index.html").exists()


@pytest.mark.parametrize(
    "changed",
    ["bitmail/version.py", "assets/new.css", "rxconfig.py", "requirements.txt", "reflex.lock/package.json"],
)
def test_build_is_out_of_date_once_a_source_changes(tmp_path: Path, changed: str) -> None:
    frontend.build()
    for pattern in (*frontend.SOURCES, frontend.LOCK, ".web/build/sources.sha256"):
        for path in ROOT.glob(pattern):
            if path.is_file():
                copy = tmp_path / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    copied = frontend_of(tmp_path)
    assert copied.is_built(), "other times of change are no change"

    (tmp_path / changed).parent.mkdir(exist_ok=True)
    with (tmp_path / changed).open("a") as source:
        source.write("\n")

    assert not copied.is_built()


def test_build_without_the_package_registry_says_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{closed.getsockname()[1]}/")
        built = frontend_of(project)
        with pytest.raises(built.BuildError, match="package registry does not answer"):
            built.build(lambda line: None)

    assert not built.is_built()


def test_build_of_a_broken_page_shows_where_it_is_broken(project: Path) -> None:
    (project / "bitmail/bitmail.py").write_text(f"{PAGE}\nno_such_name\n")
    built = frontend_of(project)

    with pytest.raises(built.BuildError, match="no_such_name"):
        built.build(lambda line: None)

    assert not built.is_built()


def test_build_when_another_process_builds_waits_for_it_and_finds_the_work_done(project: Path) -> None:
    built = frontend_of(project)
    folder = os.open(project, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with start_building(project) as second:
        assert second.stdout is not None
        assert second.stdout.readline().startswith("Another process is building the front end")
        built.BUILD.mkdir(parents=True)
        built.STAMP.write_text(built._digest(built.SOURCES) + built._digest([built.LOCK]))
        os.close(folder)
        assert second.stdout.read() == "False\n"


def test_build_when_interrupted_takes_its_children_down_and_does_not_count(project: Path) -> None:
    with start_building(project) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Building the front end")
        assert "pages compiled" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert process.returncode != 0
    assert not frontend_of(project).is_built()
    # The export inherits the lock, so that it is free shows that the export is gone.
    folder = os.open(project, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)
