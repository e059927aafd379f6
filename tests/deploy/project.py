"""The project as its operator has it: a clone with commits, tags and hosts of its own, and `fab` in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mta.sealing import seal
from tests.deploy.machines import CACHE, Lab

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = "mail.test"
PATIENCE = 300
PASSPHRASE = "a start-up passphrase of the lab"
SEALED = "the secret that it unseals"

HOSTS = """\
[stages.lab]
domain = "{domain}"
known_hosts = "{known_hosts}"
identity = "{identity}"
settings = "{settings}"
keys = "{keys}"
keep = 3
"""
HOST = """
[[stages.lab.hosts]]
name = "{name}"
address = "{address}"
roles = {roles}
"""


@dataclass(frozen=True)
class Project:
    """A clone.

    Attributes:
        folder: where it is.
    """

    folder: Path

    def name_hosts(
        self, lab: Lab, settings: dict[str, str], roles: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> None:
        """Write the file of hosts, and their settings; a host does the web's work unless other roles are given."""
        env = self.folder / "deploy/lab.env"
        env.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        keys = self.folder.parent / "keys.sealed"
        keys.write_bytes(seal({"BITMAIL_INCOMING_SECRET": SEALED}, PASSPHRASE))
        files = {"known_hosts": lab.known_hosts, "identity": lab.identity, "settings": env, "keys": keys}
        hosts = HOSTS.format(domain=DOMAIN, **files)
        for machine in lab.machines.values():
            does = list(roles.get(machine.name, ["web"]))
            hosts += HOST.format(name=machine.name, address=machine.address, roles=json.dumps(does))
        (self.folder / "deploy/hosts.toml").write_text(hosts)

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

    def fab(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a task."""
        fab = Path(sys.executable).with_name("fab")
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("BITMAIL_", "REFLEX_"))
        }
        return subprocess.run(
            [fab, *words],
            cwd=self.folder,
            env=kept,
            input=f"{PASSPHRASE}\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def does(self, *words: str) -> str:
        """Run a task that goes well; what it printed."""
        ended = self.fab(*words)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def keep_wheels(self) -> None:
        """Let the next run find the wheels that this one downloaded."""
        (CACHE / "wheels").mkdir(parents=True, exist_ok=True)
        for archive in (self.folder / "dist").glob("wheels-*.tar"):
            if not (CACHE / "wheels" / archive.name).exists():
                shutil.copy(archive, CACHE / "wheels" / f"{archive.name}.part")
                (CACHE / "wheels" / f"{archive.name}.part").replace(CACHE / "wheels" / archive.name)


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
    shutil.copytree(ROOT / ".web/build", folder / ".web/build")
    (folder / "dist").mkdir()
    for archive in (CACHE / "wheels").glob("wheels-*.tar"):
        shutil.copy(archive, folder / "dist" / archive.name)
    project = Project(folder)
    project.git("init", "-q")
    return project
