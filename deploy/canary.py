"""`python -m deploy.canary TAG HOST`: starts this release aside, with the host's settings and a database of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.probe import wait_for, wrong_version

SECONDS = 60.0
"""How long it may take to answer."""
TAIL = 30
"""Lines of its log that are shown when it does not."""

ASIDE = {
    "BITMAIL_DATABASE_URL": "",
    "BITMAIL_STORE_URL": "",
    "BITMAIL_REDIS_URL": "",
    "BITMAIL_BLOBS_URL": "",
    "BITMAIL_SMTP_LISTEN": "",
    "BITMAIL_SUBMISSION_LISTEN": "",
    "BITMAIL_CONTAINER": "inside",
}
"""Settings of a process that touches nothing of what is served."""


def main(tag: str, host: str) -> int:
    """0 when this release answers as itself; else 1, with what is wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="canary-") as var,
        socket.create_server(("127.0.0.1", 0)) as spare,
    ):
        log = Path(var, "log")
        environment = os.environ | ASIDE | {"BITMAIL_VAR": var, "BITMAIL_SOCKET": str(spare.fileno())}
        with log.open("wb") as output:
            canary = subprocess.Popen(
                [sys.executable, "-m", "bitmail"],
                env=environment,
                pass_fds=[spare.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        address = f"http://127.0.0.1:{spare.getsockname()[1]}"

        def look() -> str:
            if canary.poll() is not None:
                return ""
            return wrong_version(address, host, tag)

        try:
            wrong = wait_for(look, SECONDS)
            if canary.poll() is not None:
                wrong = f"it ended with {canary.returncode}"
        finally:
            canary.kill()
            canary.wait()
        if wrong:
            lines = log.read_text(errors="replace").splitlines()[-TAIL:]
            sys.stderr.write("\n".join([f"the canary of {tag} failed: {wrong}", *lines]) + "\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
