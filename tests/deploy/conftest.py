"""Two hosts from nothing to a first release, once for all tests of this folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import make_url, text

from store import Database
from tests.browser import chromium
from tests.deploy import page
from tests.deploy.debian import bare_root, why_not
from tests.deploy.machines import NETWORK, Lab, in_memory, lab
from tests.deploy.project import DOMAIN, Project, clone
from tests.redis_server import redis_server
from tests.store.postgres import private_postgres

expect.set_options(timeout=20_000)
"""Milliseconds after which what is not there yet is as good as missing."""

HOSTS = {"web1": 11, "web2": 12, "db": 13, "staging": 20}
"""The hosts of deploy/hosts.example.toml, and the last number of the address that each has there."""


@dataclass
class Stage:
    """What serves, and who operates it."""

    project: Project
    lab: Lab
    settings: dict[str, str]
    database_url: str
    _different: bool = False

    def set_up(
        self, changed: Mapping[str, str], roles: Mapping[str, Sequence[str]] = MappingProxyType({})
    ) -> None:
        """Let the hosts serve with some other settings, or in other roles."""
        self._different = bool(changed or roles)
        self.project.name_hosts(self.lab, roles)
        self.project.write_settings("bitlab", self.settings | changed)
        self.project.does("provision", "--stage", "bitlab")
        self.project.does("run_restart", "--stage", "bitlab")

    def set_back(self) -> None:
        """Let the hosts serve as after the first release, if they do not."""
        if self._different:
            self.set_up({})


@pytest.fixture(scope="package")
def hosts() -> Iterator[Stage]:
    """Two web hosts, one with systemd and one without, on one PostgreSQL and one Redis; the release r1 serves.

    All by docs/deploy.md, from the account on each host to the first release.
    """
    if reason := why_not():
        pytest.skip(reason)
    # Not a folder of pytest's, to which the database's account has no way.
    with (
        tempfile.TemporaryDirectory(prefix="bitmail-lab-") as name,
        ExitStack() as cleaning,
        ThreadPoolExecutor(1) as aside,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        cleaning.enter_context(in_memory(folder))
        lower = aside.submit(bare_root)
        access = folder / "pg_hba.conf"
        access.write_text(f"local all all trust\nhost all all {NETWORK}.0/24 trust\n")
        network = (f"listen_addresses={NETWORK}.1", f"hba_file={access}", "fsync=off")
        project = clone(folder / "project")
        project.release("r1")
        # While the packages can be had: the hosts and who deploys to them have no way to those.
        project.does("build", "--python", "/usr/bin/python3")
        project.keep_wheels()
        with (
            lab(folder, lower.result(), HOSTS, page.ACCOUNT) as made,
            private_postgres(*network) as url,
            redis_server(made.here, 6379, "PASSWORD"),
        ):
            settings = page.SETTINGS | {
                "BITMAIL_DOMAIN": DOMAIN,
                "BITMAIL_PROVIDERS": "loopback",
                "BITMAIL_UNDO": "0",
            }
            stage = Stage(project, made, settings, make_database(url, settings["BITMAIL_DATABASE_URL"]))
            project.name_hosts(made)
            project.write_settings("bitlab", settings)
            project.seal_keys()
            for command in page.ONCE:
                if command.startswith("ssh-keyscan") or "provision" in command:
                    project.types(command)
            project.types(page.IN_SHORT)
            yield stage


@pytest.fixture
def stage(hosts: Stage) -> Stage:
    """The hosts as after the first release, but for what was released since."""
    hosts.set_back()
    return hosts


def make_database(server: str, wanted: str) -> str:
    """Make the database that the settings name; its URL for us."""
    name = str(make_url(wanted).database)
    with (
        closing(Database(server)) as database,
        database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        connection.execute(text(f"CREATE DATABASE {name}"))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


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
