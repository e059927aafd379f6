"""Two hosts from nothing to a first release, once for all tests of this folder."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browser import chromium
from tests.deploy.machines import NETWORK, Lab, lab, why_not
from tests.deploy.project import DOMAIN, Project, clone
from tests.store.postgres import private_postgres


@dataclass(frozen=True)
class Stage:
    """What serves, and who operates it."""

    project: Project
    lab: Lab
    settings: dict[str, str]
    database_url: str

    def set_up(
        self, settings: dict[str, str], roles: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> None:
        """Let the hosts serve with other settings, or in other roles."""
        self.project.name_hosts(self.lab, settings, roles)
        self.project.does("provision", "--stage", "lab")
        self.project.does("run_restart", "--stage", "lab")


@pytest.fixture(scope="package")
def stage() -> Iterator[Stage]:
    """Two web hosts, one with systemd and one without, on one PostgreSQL and one Redis; the release r1 serves."""
    if reason := why_not():
        pytest.skip(reason)
    # Not a folder of pytest's, to which the database's account has no way.
    with tempfile.TemporaryDirectory(prefix="bitmail-lab-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        access = folder / "pg_hba.conf"
        access.write_text(f"local all all trust\nhost all all {NETWORK}.0/24 trust\n")
        network = (f"listen_addresses={NETWORK}.1", f"hba_file={access}", "fsync=off")
        project = clone(folder / "project")
        project.release("r1")
        # While the packages can be had: the hosts and who deploys to them have no way to those.
        project.does("build", "--python", "/usr/bin/python3")
        project.keep_wheels()
        hosts = [("web1", True), ("web2", False)]
        with lab(folder, hosts) as made, private_postgres(*network) as url, redis(made.here):
            settings = {
                "BITMAIL_DOMAIN": DOMAIN,
                "BITMAIL_ORIGINS": f"https://{DOMAIN}",
                "BITMAIL_DATABASE_URL": f"postgresql+psycopg://bitmail@{made.here}/postgres",
                "BITMAIL_REDIS_URL": f"redis://{made.here}:6379/0",
                "BITMAIL_PROVIDERS": "loopback",
                "BITMAIL_UNDO": "0",
            }
            project.name_hosts(made, settings)
            project.does("provision", "--stage", "lab")
            project.does("deploy", "--stage", "lab")
            yield Stage(project, made, settings, url)


Browse = Callable[[str], Page]


@pytest.fixture
def browse(stage: Stage) -> Iterator[Browse]:
    """A page of a Chromium for which the domain is the host of that name."""
    path = chromium()
    with sync_playwright() as playwright:

        def open_page(host: str) -> Page:
            rules = f"--host-resolver-rules=MAP {DOMAIN} {stage.lab.machines[host].address}"
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", rules]
            browser = playwright.chromium.launch(executable_path=path, args=flags)
            # The hosts sign their certificates themselves.
            page = browser.new_context(ignore_https_errors=True).new_page()
            page.set_default_timeout(20_000)
            return page

        yield open_page


@contextmanager
def redis(address: str) -> Iterator[None]:
    """A Redis server of our own."""
    if not shutil.which("redis-server"):
        for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "redis-server"]):
            subprocess.run(["apt-get", *words], check=True, stdin=subprocess.DEVNULL)
    words = ["redis-server", "--bind", address, "--port", "6379", "--save", "", "--protected-mode", "no"]
    server = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait()
