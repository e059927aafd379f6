"""The artefact of one commit: all that a host needs to serve it, made once."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bitmail import command, frontend
from deploy.errors import BadTree, DeployError
from deploy.hosts import ROOT
from deploy.lock import LOCK, check

DIST = ROOT / "dist"
CODE = ("assets", "bitmail", "deploy", "mta", "store", "reflex.lock", "requirements.txt", LOCK, "rxconfig.py")
DOWNLOAD = 900
"""Seconds that the download of all wheels may take."""

SERVE = """\
#!/bin/sh
# bin/serve ROLE: starts this release; a supervisor calls it.
cd "$(dirname "$0")/.." && exec venv/bin/python -m deploy.keeper "$@"
"""


@dataclass(frozen=True, slots=True)
class Artefact:
    """What `build` makes.

    Attributes:
        tag: the release: the git tag of the commit, else its short name.
        code: archive of code, front end, start command and VERSION.
        wheels: archive of the wheels for the hosts' Python.
        wheels_key: hash of the list of wheels; the same for releases with the same dependencies.
    """

    tag: str
    code: Path
    wheels: Path
    wheels_key: str


def build(python: str, say: command.Say = command.say) -> Artefact:
    """Make the artefact of the commit that is checked out, as far as it is not there already.

    Args:
        python: an interpreter here that is the one of the hosts; what is downloaded depends on it.
        say: shows a line.

    Raises:
        BadTree: something is not committed.
        BuildError: the front end cannot be built.
        DeployError: the wheels cannot be downloaded, or are not those that the lock names.
    """
    from bitmail.version import version  # here, since it brings the store along, and most tasks build nothing

    refuse_dirty_tree()
    check()
    tag = version()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", tag):
        raise BadTree(
            f"{tag!r} cannot be the name of a release. Tag the commit with letters, digits, '.', '_', '-'."
        )
    frontend.build(say)
    DIST.mkdir(exist_ok=True)
    key, wheels = _wheelhouse((ROOT / LOCK).read_text(), python, say)
    code = DIST / f"bitmail-{tag}.tar.gz"
    made_of = "\n".join((_git(ROOT, "rev-parse", "HEAD").stdout.strip(), frontend.STAMP.read_text(), key))
    stamp = DIST / f"bitmail-{tag}.made-of"
    if not (code.exists() and stamp.exists() and stamp.read_text() == made_of):
        stamp.unlink(missing_ok=True)
        _pack(code, tag, key, python)
        stamp.write_text(made_of)
    say(
        f"Release {tag}: {code.name} ({code.stat().st_size / 1e6:.1f} MB), wheels {key} "
        f"({wheels.stat().st_size / 1e6:.1f} MB)."
    )
    return Artefact(tag, code, wheels, key)


def refuse_dirty_tree(root: Path = ROOT) -> None:
    """Raises: BadTree: the work tree is not exactly a commit, so no commit could say what was deployed."""
    git = _git(root, "status", "--porcelain")
    if git.returncode != 0:
        raise BadTree(f"{root} is no git repository: {git.stderr.strip()}. A release is made of a commit.")
    if changed := git.stdout.splitlines():
        shown = "\n".join(f"    {line}" for line in changed[:10])
        raise BadTree(
            f"The work tree has changes that are in no commit:\n{shown}\nCommit or stash them first."
        )


def _compiled(names: list[str], folder: Path, python: str) -> list[Path]:
    """The bytecode of these modules, which is of a release and so never looks whether they changed."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    unchecked = ("--invalidation-mode", "unchecked-hash", "-j", "0", "-s", str(folder))
    subprocess.run([python, "-m", "compileall", "-q", *unchecked, folder], check=True)  # noqa: S603
    return sorted(folder.rglob("*.pyc"))


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    git = ["git", "-c", f"safe.directory={root}", *words]
    return subprocess.run(git, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603


def _wheelhouse(lock: str, python: str, say: command.Say) -> tuple[str, Path]:
    interpreter = subprocess.run(  # noqa: S603 - the operator names it
        [python, "-c", "import sys, sysconfig; print(sys.version.split()[0], sysconfig.get_platform())"],
        capture_output=True,
        text=True,
        check=False,
    )
    if interpreter.returncode != 0:
        raise DeployError(
            f"{python} does not run: {interpreter.stderr.strip()}. Name the hosts' Python by --python."
        )
    key = hashlib.sha256("\0".join((lock, interpreter.stdout)).encode()).hexdigest()[:16]
    archive = DIST / f"wheels-{key}.tar"
    if archive.exists():
        return key, archive
    folder = DIST / f"wheels-{key}.new"
    folder.mkdir(exist_ok=True)
    (folder / LOCK).write_text(lock)
    say(f"Downloading the wheels for Python {interpreter.stdout.strip()} …")
    words: list[str | Path] = [
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "--no-input",
        "download",
        "--only-binary",
        ":all:",
        "--dest",
        folder,
        "--progress-bar",
        "off",
        "--require-hashes",
        "--requirement",
        folder / LOCK,
    ]
    ended = command.run([sys.executable, *words], say=say, digest=lambda line: None)
    if ended.status != 0:
        raise DeployError(f"{ended.tail()}\nThe wheels could not be downloaded, for the reason above.")
    with tarfile.open(archive.with_suffix(".part"), "w") as tar:
        for file in sorted(folder.iterdir()):
            tar.add(file, file.name)
            file.unlink()
    folder.rmdir()
    archive.with_suffix(".part").replace(archive)
    return key, archive


def _pack(archive: Path, tag: str, key: str, python: str) -> None:
    names = [name for name in _git(ROOT, "ls-files", "-z", "--", *CODE).stdout.split("\0") if name]
    with (
        tempfile.TemporaryDirectory() as folder,
        tarfile.open(archive.with_suffix(".part"), "w:gz", compresslevel=6) as tar,
    ):
        for name in names:
            tar.add(ROOT / name, name)
        for module in _compiled([name for name in names if name.endswith(".py")], Path(folder), python):
            tar.add(module, str(module.relative_to(folder)))
        for built in (frontend.BUILD, frontend.BACKEND):
            tar.add(built, str(built.relative_to(ROOT)))
        for name, text, mode in (
            ("VERSION", tag, 0o644),
            ("WHEELS", key, 0o644),
            ("bin/serve", SERVE, 0o755),
        ):
            about = tarfile.TarInfo(name)
            content = text.rstrip("\n").encode() + b"\n"
            about.size, about.mode = len(content), mode
            tar.addfile(about, io.BytesIO(content))
    archive.with_suffix(".part").replace(archive)
