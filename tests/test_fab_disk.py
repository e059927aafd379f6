"""A full disk while something is installed or built."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOM = 256 * 2**10

Disk = tuple[Path, Callable[[], None] | None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A folder with little room, and what a process calls first to have no more; not everybody may mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder]
    if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
        yield folder, None
        subprocess.run(["umount", "--lazy", folder], check=True)
    else:
        yield folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM // 4, ROOM // 4))


def clone(folder: Path) -> Path:
    """A clone as far as the set-up needs it."""
    (folder / "bitmail").mkdir(parents=True)
    for name in ("fab", "requirements.txt", "rxconfig.py", "bitmail/__init__.py", "bitmail/environment.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("bitmail/command.py", "bitmail/frontend.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "bitmail/bitmail.py").write_text("import reflex as rx\n\napp = rx.App()\n")
    return folder


def run(command: list[str | Path], project: Path, limit: Callable[[], None] | None) -> str:
    """Run what must fail; return what it says."""
    ended = subprocess.run(
        command,
        cwd=project,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=limit,
    )
    assert ended.returncode != 0
    return ended.stderr


def test_fab_on_a_full_disk_says_so(small_disk: Disk) -> None:
    folder, limit = small_disk
    project = clone(folder / "clone")

    said = run([project / "fab"], project, limit)

    assert f"The disk that holds {project} is full" in said
    assert not (project / ".venv/requirements.txt").exists()


def test_build_on_a_full_disk_says_so(small_disk: Disk) -> None:
    folder, limit = small_disk
    project = clone(folder / "clone")
    (project / "assets").mkdir()
    with (project / "assets/large.bin").open("wb") as asset:
        asset.write(bytes(ROOM // 2))

    said = run([sys.executable, "-c", "from bitmail import frontend; frontend.build()"], project, limit)

    assert f"The disk that holds {project} is full" in said
    assert not (project / ".web/build/sources.sha256").exists()
