"""A Chromium for the tests: the one that is installed, else one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


class BrowserError(Exception):
    """There is no browser and none could be installed; the message says what to do."""


def chromium(say: Callable[[str], None] = print) -> Path:
    """Return the path of a Chromium or Chrome, having installed one if there was none.

    Args:
        say: shows a line of what is being done.

    Raises:
        BrowserError: with a sentence for the person.
    """
    found = installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        say("There is no Chromium or Chrome: installing chromium with apt-get …")
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
            if subprocess.run(["apt-get", *command], env=quiet, stdin=subprocess.DEVNULL).returncode != 0:
                say("apt-get could not do that.")
                break
        found = installed()
    if found is None:
        say("Installing Playwright's own Chromium …")
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], stdin=subprocess.DEVNULL)
        found = installed()
    if found is None:
        raise BrowserError(
            "The tests need a browser, and none could be installed. Install Chromium or Google Chrome so "
            "that `chromium` or `google-chrome` is on the PATH, then run ./fab test again."
        )
    return found


def installed() -> Path | None:
    """Return the path of a Chromium or Chrome on the PATH, else of Playwright's own, else None."""
    for name in NAMES:
        if (found := shutil.which(name)) and _works(found):
            return Path(found)
    own = _playwrights_own()
    return own if _works(own) else None


def _playwrights_own() -> Path:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


def _works(browser: str | Path) -> bool:
    """Whether it starts at all: libraries may be missing, and some systems ship a script that asks for it."""
    try:
        return subprocess.run([browser, "--version"], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
