"""`python -m deploy.probe ROLE TAG …`: whether this host serves a release, and nothing of another one."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from deploy.keeper import MODULES

ONE_LOOK = 5.0
"""Seconds that one request may take."""
TRIES = 2
"""Starts of a service, of which a later one means that it keeps ending."""
PAUSE = 0.2
"""Seconds between two looks."""


def wait_for(look: Callable[[], str], seconds: float, is_hopeless: Callable[[], bool] = lambda: False) -> str:
    """Look until nothing is wrong, or the time is over.

    Args:
        look: says what is wrong, or "".
        seconds: how long.
        is_hopeless: whether to look no more.

    Returns:
        What was wrong last, or "".
    """
    deadline = time.monotonic() + seconds
    while (wrong := look()) and time.monotonic() < deadline and not is_hopeless():
        time.sleep(PAUSE)
    return wrong


def unless_hopeless(ask: Callable[[], str], is_hopeless: Callable[[], bool]) -> str:
    """What is wrong, as far as it is worth waiting for: what ends again and again keeps its callers waiting.

    Args:
        ask: says what is wrong, or ""; called in another thread.
        is_hopeless: whether to wait no more.
    """
    said: list[str] = []
    asking = threading.Thread(target=lambda: said.append(ask()), daemon=True)
    asking.start()
    while asking.is_alive() and not is_hopeless():
        asking.join(PAUSE)
    return said[0] if said else "it ends again and again before it answers"


def wrong_version(address: str, host: str, tag: str) -> str:
    """What is wrong with the release that a web server says it is; an answer alone means nothing.

    Args:
        address: such as `https://127.0.0.1`; whose certificate it has is not asked, since it is this machine.
        host: the name that browsers use.
        tag: the release that it should be.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(f"{address}/api/version", headers={"Host": host})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=ONE_LOOK, context=context) as answer:  # noqa: S310
            found = json.load(answer)["version"]
    except urllib.error.HTTPError as error:
        return f"{address} answers {error.code}: {error.read(200).decode(errors='replace').strip()}"
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        return f"{address} does not answer: {error}"
    return "" if found == tag else f"{address} serves {found}, not {tag}"


def processes(role: str, releases: Path, proc: Path = Path("/proc")) -> dict[str, Path]:
    """The processes of a role that are of one of the releases: its folder by the process's number."""
    found = {}
    for process in proc.glob("[0-9]*"):
        if _is_mine(process) and _words(process)[1:3] == ["-m", MODULES[role]]:
            with suppress(OSError):  # it ended meanwhile
                found[process.name] = Path(os.readlink(process / "cwd"))
    return {number: folder for number, folder in found.items() if folder.parent == releases}


def _is_mine(process: Path) -> bool:
    try:
        return process.stat().st_uid == os.geteuid()
    except OSError:
        return False


def _words(process: Path) -> list[str]:
    try:
        return (process / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def main() -> int:
    """0 when the release is served; else 1, with what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m deploy.probe")
    parser.add_argument("role", choices=sorted(MODULES))
    parser.add_argument("tag")
    parser.add_argument("--host", default="localhost", help="the name that browsers use")
    parser.add_argument("--at", action="append", default=[], help="address of a web server, several times")
    parser.add_argument("--within", type=float, default=60.0, help="seconds")
    words = parser.parse_args()
    release = Path.cwd()
    seen: set[str] = set()

    def running() -> dict[str, Path]:
        found = processes(words.role, release.parent)
        seen.update(number for number, folder in found.items() if folder == release)
        return found

    def is_hopeless() -> bool:
        running()
        return len(seen) > TRIES

    def ask() -> str:
        return next(filter(None, (wrong_version(address, words.host, words.tag) for address in words.at)), "")

    def look() -> str:
        found = running()
        if old := [folder.name for folder in found.values() if folder != release]:
            return f"a {words.role} process of {old[0]} still runs"
        if not found:
            return f"no {words.role} process runs"
        return unless_hopeless(ask, is_hopeless)

    # One that was started again and again will not serve, and those who ask it meanwhile need not wait.
    if wrong := wait_for(look, words.within, is_hopeless):
        sys.stderr.write(f"{wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
