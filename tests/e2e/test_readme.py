"""The scripts of the README run as they stand there."""

from __future__ import annotations

import re
import subprocess

import httpx

from tests.e2e.server import ROOT, Server
from tests.e2e.test_the_whole_path import PASSWORD


def test_scripts_of_the_readme_when_run_then_send_a_mail_and_say_what_became_of_it(server: Server) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = (
        block for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if "/api/sendmail" in block
    )
    httpx.post(f"{server.url}/enter", data={"name": "rita", "password": PASSWORD}, timeout=30)
    *first, last = script.rstrip().split("\n    curl")
    sent = _run("\n    curl".join(first), server)
    (id,) = set(re.findall(r'"submission": ?"([^"]+)"|"id": ?"(\w{20,})"', sent)[0]) - {""}
    told = _run(f"{first[0]}\n    curl{last}".replace("/ID", f"/{id}"), server)
    assert "grace@example.com" in told
    assert "bob@example.net" in told


def _run(script: str, server: Server) -> str:
    script = script.replace("localhost:3000", server.url).replace("ada:PASSWORD", f"'rita:{PASSWORD}'")
    script = script.replace("curl ", "curl -sS --fail-with-body ")
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
