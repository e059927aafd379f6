"""The page about the store: its commands run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.store.conftest import free_port, wait_until_serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "store.md").read_text()


def test_page_when_its_commands_are_run_then_server_answers_and_keeps_entries(tmp_path: Path) -> None:
    serve, ask, call = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BITMAIL_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BITMAIL_STORE_PORT": str(free_port()),
    }

    def run(command: str) -> str:
        return subprocess.run(
            ["sh", "-ec", command],
            cwd=tmp_path,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout

    with subprocess.Popen(
        ["sh", "-ec", serve], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            wait_until_serving(server)
            assert run(ask) == '{"status":"ok"}'
            assert run(call) == "[Entry(id=1, data={'kind': 'note', 'text': 'Hello'})]\n"
            assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
            server.terminate()
            assert server.wait(15) in (0, -15)
        finally:
            server.kill()
