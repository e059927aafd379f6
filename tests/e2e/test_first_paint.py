"""What is painted before the server answers a page's scripts is in the person's language and colours already."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bitmail.routes import GUARDED, INBOX, LOG_IN
from tests.e2e.server import PATIENCE, Server
from tests.e2e.test_danish import no_english_remains
from tests.e2e.test_the_whole_path import PASSWORD

DARK = "rgb(16, 20, 26)"
LIGHT = "rgb(255, 255, 255)"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A Dane's browser on a system with light colours; whatever its pages complain of fails the test."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="da-DK", color_scheme="light"
    )
    complaints: list[str] = []
    context.on("weberror", lambda said: complaints.append(str(said.error)))
    yield context
    context.close()
    assert not complaints


def unanswered(context: BrowserContext) -> Page:
    """A page whose websocket says nothing, so that it stays as it was painted first."""
    context.route_web_socket("**/*", lambda socket: None)
    return context.new_page()


def background(page: Page) -> str:
    return str(page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor"))


def comes_alive(page: Page) -> None:
    """Wait until the page's scripts have taken over what was painted."""
    deadline = time.monotonic() + PATIENCE
    alive = "body => Object.keys(body).some(key => key.startsWith('__react'))"
    while not page.locator("body").evaluate(alive):
        assert time.monotonic() < deadline, "the scripts did not start"
        page.wait_for_timeout(20)


def test_the_log_in_page_is_in_the_browsers_language_before_the_server_answers(
    context: BrowserContext, server: Server
) -> None:
    page = unanswered(context)
    page.goto(f"{server.url}{LOG_IN}", wait_until="domcontentloaded")
    no_english_remains(page)
    expect(page).to_have_title("Log ind · BitMail")
    expect(page.locator("html")).to_have_attribute("lang", "da")
    comes_alive(page)
    no_english_remains(page)


def test_each_page_is_in_the_persons_language_and_colours_before_the_server_answers(
    context: BrowserContext, server: Server
) -> None:
    page = context.new_page()
    page.goto(server.url)
    page.get_by_label("Navn", exact=True).fill("Ellen")
    page.get_by_label("Adgangskode").fill(PASSWORD)
    page.get_by_role("button", name="Log ind").click()
    expect(page.get_by_text("Ingen mail her endnu.")).to_be_visible()
    page.goto(f"{server.url}/settings")
    page.get_by_label("Tema").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert background(page) == DARK
    page.close()

    page = unanswered(context)
    for path in GUARDED:
        page.goto(f"{server.url}{path}", wait_until="domcontentloaded")
        assert background(page) == DARK, path
        no_english_remains(page)
        comes_alive(page)
        assert background(page) == DARK, path
        no_english_remains(page)


def test_who_reads_english_in_the_systems_colours_gets_the_page_as_it_was_built(
    browser: Browser, server: Server
) -> None:
    context = browser.new_context(locale="en-GB", color_scheme="light")
    page = unanswered(context)
    page.goto(f"{server.url}{LOG_IN}", wait_until="domcontentloaded")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert background(page) == LIGHT
    assert INBOX not in page.url
    context.close()
