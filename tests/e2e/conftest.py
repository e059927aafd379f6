from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import chromium
from tests.e2e.server import Server

expect.set_options(timeout=20_000)
"""Milliseconds after which what is not there yet is as good as missing."""

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("var"))
    server.start()
    yield server
    assert server.stop() == 0
    assert not server.errors()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()  # looked for before Playwright runs: looking may need one of its own
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a person who was never here; what the browser complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            complaints.append(said.text) if said.type == "error" and "WebSocket" not in said.text else None
        ),
    )
    yield page
    context.close()
    assert not complaints


@pytest.fixture
def var(tmp_path: Path) -> Path:
    return tmp_path / "var"
