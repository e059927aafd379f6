"""Which BitMail this is."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@cache
def version() -> str:
    """Return the git tag of this commit, else its short name; where git is missing, what VERSION says.

    Uncommitted changes do not show. Found once in a process's life.
    """
    if (ROOT / ".git").exists():
        # The folder may belong to another account than the one that serves it; we only read.
        git = ["git", "-c", f"safe.directory={ROOT}"]
        return (
            _said(*git, "describe", "--tags", "--exact-match")
            or _said(*git, "rev-parse", "--short", "HEAD")
            or "unknown"
        )
    try:
        return (ROOT / "VERSION").read_text().strip() or "unknown"
    except OSError:
        return "unknown"


def _said(*command: str) -> str:
    """What a command answers, or "" when it fails."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
