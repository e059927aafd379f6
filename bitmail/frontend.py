"""The front end: what Reflex compiles from the pages; exported only when its sources changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bitmail import command

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".web/build"
CLIENT = BUILD / "client"
"""The static files that the server mounts."""
BACKEND = ROOT / ".web/backend"
"""What the export found out about the pages; a server without it makes every page again at its start."""
STAMP = BUILD / "sources.sha256"
"""Lies in the folder that each export begins by removing, so it never outlives its build."""

SOURCES = ("bitmail/**/*.py", "mta/**/*.py", "assets/**/*", "rxconfig.py", "requirements.txt")
LOCK = "reflex.lock/*"

ENVIRONMENT = {
    "REFLEX_USE_NPM": "1",
    "REFLEX_TELEMETRY_ENABLED": "false",
    "REFLEX_CHECK_LATEST_VERSION": "false",
}
"""For building and serving alike."""
SERVING = ENVIRONMENT | {
    "REFLEX_ENV_MODE": "prod",
    # Whatever a draft may hold has to fit into one message of the websocket: beyond it the socket just closes.
    "REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE": str(8 * 1024 * 1024),
    "__REFLEX_SKIP_COMPILE": "true",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
}
"""For a process that serves the exported front end; must be set before `reflex` is imported."""

NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ECONNRESET", "ENETUNREACH")


class BuildError(Exception):
    """The front end could not be built; the message says what to do."""


def sharing(redis_url: str) -> dict[str, str]:
    """What to add to `SERVING` so that several processes share the state of pages; nothing for one on its own."""
    return {"REFLEX_STATE_MANAGER_MODE": "redis", "REFLEX_REDIS_URL": redis_url} if redis_url else {}


def is_built() -> bool:
    """Whether the last export ended well and was made from the sources of now."""
    try:
        return STAMP.read_text() == _digest(SOURCES) + _digest([LOCK])
    except OSError:
        return False


def build(say: command.Say = command.say) -> bool:
    """Export the front end if its sources changed since the last good export.

    One process builds at a time; others wait and then find the work done.

    Args:
        say: shows a line of progress.

    Returns:
        Whether anything had to be built.

    Raises:
        BuildError: with a sentence and the tail of the log.
    """
    if is_built():
        return False
    with _alone(say) as lock:
        if is_built():
            return False
        first = "" if CLIENT.exists() else "; the first time takes about half a minute"
        say(f"Building the front end{first} …")
        sources = _digest(SOURCES)
        STAMP.unlink(missing_ok=True)
        _export(say, lock)
        # The export may bring the lock file up to date, so that is read afterwards, unlike the sources.
        _write(STAMP, sources + _digest([LOCK]))
        say("The front end is built.")
    return True


def _export(say: command.Say, lock: int) -> None:
    environment = _environment()
    reflex = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip", "--env", "prod"]
    ended = command.run(
        reflex, say=say, digest=_digest_line, environment=environment, folder=ROOT, keep_open=[lock]
    )
    if ended.status == 0 and (CLIENT / "index.html").exists():
        return
    if ended.says_no_room:
        raise BuildError(
            f"The disk that holds {ROOT} is full: building needs about 300 MB. Make room, then try again."
        )
    reason = "Building the front end failed, for the reason above."
    if any(words in ended.output for words in NO_NETWORK):
        reason = (
            "Building the front end needs packages, and the package registry does not answer. Check the "
            "network, and the proxy and registry settings of npm (.venv/bin/npm config list), then try again."
        )
    raise BuildError(f"{ended.tail()}\n{reason}")


def _environment() -> dict[str, str]:
    """Return the environment of an export: Node and npm are those inside `.venv`.

    The registry is the one that npm is configured for; without this, Reflex would measure public ones and
    choose. Addresses stay out of the lock file, so that it is the same wherever it is made.
    """
    scripts = Path(sys.executable).parent
    environment = os.environ | ENVIRONMENT
    environment["PATH"] = f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment["NO_COLOR"] = "1"
    environment["npm_config_omit_lockfile_registry_resolved"] = "true"
    if "NPM_CONFIG_REGISTRY" not in environment:
        registry = subprocess.run(  # noqa: S603 - a fixed command, without a shell
            [scripts / "npm", "config", "get", "registry"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if registry.returncode == 0:
            environment["NPM_CONFIG_REGISTRY"] = registry.stdout.strip()
    return environment


def _digest_line(line: str) -> str | None:
    if line.startswith("Compiling:"):
        return "pages compiled; now their packages, then the bundle"
    if match := re.match(r"(?:Info: )?(Installing .*packages|Creating Production Build)", line):
        return match[1].lower()
    return line if line.startswith(("Error", "Warning")) else None


@contextmanager
def _alone(say: command.Say) -> Iterator[int]:
    """Hold the lock on building; yields its descriptor, for the export to hold on to if we are killed."""
    folder = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is building the front end: waiting for it …")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def _digest(patterns: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}):
        digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
