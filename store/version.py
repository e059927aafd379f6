"""Which BitMail this is."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@cache
def version(root: Path = ROOT) -> str:
    """Return the git tag of the commit, else its short name; without git, what the file VERSION says.

    Uncommitted changes do not show. Found once in a process's life.

    Args:
        root: the project's folder.
    """
    if (root / ".git").exists():
        name = _git(root, "describe", "--tags", "--exact-match") or _git(root, "rev-parse", "--short", "HEAD")
    else:
        name = _read(root / "VERSION")
    return name or "unknown"


def _git(root: Path, *words: str) -> str:
    # The folder may belong to another account than the one that serves it; we only read.
    git = ["git", "-c", f"safe.directory={root}", *words]
    try:
        return subprocess.run(git, cwd=root, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
