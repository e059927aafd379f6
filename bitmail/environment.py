"""Makes `.venv` hold what requirements.txt names; `./fab` runs it with the machine's own Python.

Needs the standard library only. `.venv` counts as made when it holds a copy of requirements.txt and the name
of the folder it was made in (its scripts carry that name); the copy is written last, so that an interruption
leaves no half `.venv` that looks whole.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bitmail import command

ROOT = Path(__file__).resolve().parent.parent
SCARCE = 100 * 2**20
"""Bytes; with less than this free, a failure without a reason is taken for a full disk."""
NO_NETWORK = (
    "Failed to establish a new connection",
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "Read timed out",
    "ProxyError",
    "SSLError",
)


class SetUpError(Exception):
    """`.venv` could not be made; the message says what to do."""


def is_current(root: Path) -> bool:
    """Whether `.venv` was made wholly, in this folder, from the requirements of now."""
    venv = root / ".venv"
    try:
        return (
            (venv / "bin/python").exists()
            and (venv / "requirements.txt").read_bytes() == (root / "requirements.txt").read_bytes()
            and (venv / "place").read_text().strip() == str(root)
        )
    except OSError:
        return False


def make(root: Path, say: command.Say, lock: int) -> None:
    """Make `.venv`, or bring it up to date.

    Args:
        root: the project's folder.
        say: shows a line.
        lock: the descriptor that holds the lock; an installer that outlives us goes on holding it.

    Raises:
        SetUpError: with a sentence for the person.
        OSError: where the folder cannot be written.
    """
    venv = root / ".venv"
    stamp, place = venv / "requirements.txt", venv / "place"
    whole = stamp.exists() and place.exists() and place.read_text().strip() == str(root)
    stamp.unlink(missing_ok=True)
    if whole and (venv / "bin/python").exists():
        say("requirements.txt has changed: bringing .venv up to date …")
    else:
        say("Making .venv and installing what requirements.txt names; this takes about a minute …")
        # In two steps, since the venv module keeps to itself why ensurepip failed.
        _run(root, say, lock, [sys.executable, "-m", "venv", "--clear", "--without-pip", venv])
        _run(root, say, lock, [venv / "bin/python", "-m", "ensurepip", "--default-pip"])
    pip: list[str | Path] = [venv / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run(root, say, lock, [*pip, "install", "--progress-bar", "off", "-r", root / "requirements.txt"])
    place.write_text(f"{root}\n")
    shutil.copyfile(root / "requirements.txt", stamp)
    say(".venv is ready.")


def _run(root: Path, say: command.Say, lock: int, words: Sequence[str | Path]) -> None:
    ended = command.run(words, say=say, digest=_digest(), keep_open=[lock])
    if ended.status == 0:
        return
    if ended.says_no_room or shutil.disk_usage(root).free < SCARCE:
        raise SetUpError(
            f"The disk that holds {root} is full: .venv needs about 1 GB. Make room, then run ./fab again."
        )
    if any(words in ended.output for words in NO_NETWORK):
        raise SetUpError(
            "The package index does not answer, and the first installation needs it. Check the network, and "
            "the proxy and index settings of pip (pip config list), then run ./fab again."
        )
    raise SetUpError(
        f"{ended.tail()}\nInstalling what requirements.txt names failed, for the reason above. "
        "Put that right, then run ./fab again."
    )


def _digest() -> Callable[[str], str | None]:
    found = 0

    def digest(line: str) -> str | None:
        nonlocal found
        if line.startswith("Collecting "):
            found += 1
            return f"{found} packages found" if found % 20 == 0 else None
        if match := re.match(r"\s*Downloading (\S+) \((\d{2,}(?:\.\d+)? MB)\)", line):
            return f"downloading {match[1].rsplit('/', 1)[-1]}, {match[2]}"
        if found and line.startswith("Installing collected packages: "):
            return f"installing {line.count(',') + 1} packages"
        if "Retrying (" in line:
            return "no answer from the package index, trying again"
        return None

    return digest


def main() -> int:
    """Make `.venv` unless it is there; another process that is making it is waited for.

    Returns:
        The exit status.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (ROOT / "requirements.txt").open() as wanted:
            try:
                fcntl.flock(wanted, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                command.say("Another ./fab is making .venv: waiting for it …")
                fcntl.flock(wanted, fcntl.LOCK_EX)
            if not is_current(ROOT):
                make(ROOT, command.say, wanted.fileno())
    except SetUpError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{ROOT}/.venv cannot be made: {error}. Put that right, then run ./fab again.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Nothing is lost: the next ./fab begins again.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
