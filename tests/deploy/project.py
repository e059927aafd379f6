"""The project as its operator has it: a clone with commits, tags and hosts of its own, and `fab` in it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bitmail import frontend
from tests.deploy import page
from tests.deploy.debian import CACHE, cache
from tests.deploy.machines import Lab

ROOT = Path(__file__).resolve().parents[2]
FAB = Path(sys.executable).with_name("fab")
DOMAIN = "mail.example.com"
PATIENCE = 300
PASSPHRASE = "a start-up passphrase of the lab"
SEALED = "the secret that it unseals"

CHANGED = {
    "# keys =": "keys =",
    "# keep = 5": "keep = 3",
    '# identity = "~/.ssh/id_ed25519"': 'identity = "{identity}"',
    '"deploy/staging.env"': '"deploy/staging.env"\nidentity = "{identity}"',
}
"""What the operator changes in the example of a file of hosts."""


@dataclass(frozen=True)
class Project:
    """A clone.

    Attributes:
        folder: where it is.
    """

    folder: Path

    def name_hosts(self, lab: Lab, roles: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
        """Write the file of hosts: that of the example, whose addresses the lab has.

        Args:
            lab: the hosts.
            roles: those of a host that does other work than in the example, by its name.
        """
        (copy,) = (words for words in page.ONCE if words.startswith("cp "))
        self.types(copy)
        file = self.folder / "deploy/hosts.toml"
        text = file.read_text()
        for before, after in CHANGED.items():
            assert before in text
            text = text.replace(before, after.format(identity=lab.identity))
        for name, does in roles.items():
            text, found = re.subn(
                rf'(name = "{name}"\naddress = .*\nroles = ).*', rf"\g<1>{json.dumps(list(does))}", text
            )
            assert found == 1
        file.write_text(text)

    def write_settings(self, stage: str, settings: Mapping[str, str]) -> None:
        """Write the settings of a stage."""
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (self.folder / f"deploy/{stage}.env").write_text("".join(lines))

    def seal_keys(self) -> None:
        """Seal a secret of .env by the passphrase."""
        (self.folder / ".env").write_text(f"BITMAIL_INCOMING_SECRET={SEALED}\n")
        sealed = self.fab("seal_keys", answers=(PASSPHRASE, PASSPHRASE, "yes"))
        assert sealed.returncode == 0, sealed.stdout + sealed.stderr
        assert SEALED not in (self.folder / ".env").read_text()

    def release(self, tag: str, **changed: str) -> None:
        """Commit changes and tag them; `store__settings="…"` puts a text on top of that file."""
        for name, text in changed.items():
            file = self.folder / f"{name.replace('__', '/')}.py"
            before = file.read_text()
            marker = "from __future__ import annotations\n"
            file.write_text(before.replace(marker, f"{marker}{text}\n", 1))
        (self.folder / "RELEASE").write_text(tag)
        self.git("add", "--all")
        self.git("commit", "-q", "-m", tag)
        self.git("tag", tag)

    def git(self, *words: str) -> None:
        author = ["-c", "user.name=Lab", "-c", "user.email=lab@example.com"]
        subprocess.run(["git", *author, *words], cwd=self.folder, check=True, capture_output=True)

    def fab(self, *words: str, answers: Sequence[str] = (PASSPHRASE,)) -> subprocess.CompletedProcess[str]:
        """Run a task."""
        return self._run([str(FAB), *words], answers)

    def does(self, *words: str) -> str:
        """Run a task that goes well; what it printed."""
        return self.types(shlex.join(["./fab", *words]))

    def types(self, command: str) -> str:
        """Type a command into the shell that goes well; what it printed."""
        ended = self._run(["sh", "-c", re.sub(r"^\./fab\b", str(FAB), command)], (PASSPHRASE,))
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def _run(self, words: list[str], answers: Sequence[str]) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("BITMAIL_", "REFLEX_"))
        }
        return subprocess.run(
            words,
            cwd=self.folder,
            env=kept,
            input="".join(f"{answer}\n" for answer in answers),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            start_new_session=True,  # else a passphrase is asked at the terminal
        )

    def keep_wheels(self) -> None:
        """Let the next run find the wheels that this one downloaded."""
        with cache() as folder:
            for archive in (self.folder / "dist").glob("wheels-*.tar"):
                if not archive.is_symlink():
                    shutil.copy(archive, folder / f"{archive.name}.part")
                    (folder / f"{archive.name}.part").replace(folder / archive.name)


def clone(folder: Path) -> Project:
    """A clone of this project as it is now, with its front end as it is built."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for made in (frontend.BUILD, frontend.BACKEND):
        shutil.copytree(made, folder / made.relative_to(ROOT))
    (folder / "dist").mkdir()
    for archive in CACHE.glob("wheels-*.tar"):
        (folder / "dist" / archive.name).symlink_to(archive)
    project = Project(folder)
    project.git("init", "-q")
    return project
