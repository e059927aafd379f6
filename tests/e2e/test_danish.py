"""The whole path in Danish: the browser's language at the door, the chosen one after it, and back to English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bitmail.catalogue import Language, page_words
from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import PASSWORD, log_in

SAME = {english for english, danish in page_words(Language.DANISH).items() if english == danish}


@pytest.fixture
def danish(browser: Browser) -> Iterator[Page]:
    """A page of somebody whose browser asks for Danish."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="da-DK")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert not complaints


def no_english_remains(page: Page) -> None:
    """No text of the catalogue stands on the page as it is in English."""
    shown = set(page.locator("body").inner_text().splitlines())
    named = page.locator("[aria-label], [title], [placeholder]").evaluate_all(
        "all => all.flatMap(one => ['aria-label', 'title', 'placeholder'].map(name => one.getAttribute(name) ?? ''))"
    )
    assert not (shown | set(named)) & (set(page_words(Language.DANISH)) - SAME - {"Dansk"})


def test_a_dane_logs_in_sends_reads_is_refused_and_switches_to_english_and_back(
    danish: Page, server: Server
) -> None:
    page = danish
    page.goto(server.url)
    expect(page.locator("html")).to_have_attribute("lang", "da")
    no_english_remains(page)
    page.get_by_label("Navn", exact=True).fill("Karen")
    page.get_by_label("Adgangskode").fill("kort")
    page.get_by_role("button", name="Log ind").click()
    expect(page.get_by_role("alert")).to_have_text("En adgangskode har mindst 8 tegn. Skriv en længere.")
    page.get_by_label("Adgangskode").fill(PASSWORD)
    page.get_by_role("button", name="Log ind").click()
    expect(page.get_by_text("Ingen mail her endnu.")).to_be_visible()
    no_english_remains(page)

    page.get_by_role("button", name="Skriv", exact=True).first.click()
    expect(page.get_by_role("textbox", name="Til", exact=True)).to_be_focused()
    page.get_by_role("textbox", name="Emne").fill("Frokost")
    page.get_by_role("textbox", name="Besked").fill("Klokken tolv.")
    page.get_by_role("textbox", name="Til", exact=True).fill("grete@example.com")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))
    delivery = page.get_by_role("list", name="Leveringer").get_by_role("listitem").first
    expect(delivery.get_by_text("sendt", exact=True)).to_be_visible()
    expect(delivery).to_contain_text(re.compile(r"tog den kl\. \d\d\.\d\d\.\d\d på \d+ ms"))
    page.get_by_role("navigation", name="Postkasser").get_by_role("link", name="Indbakke").click()
    page.locator("a.row").first.click()
    expect(page.get_by_role("button", name="Svar", exact=True).first).to_be_visible()
    no_english_remains(page)

    page.goto(f"{server.url}/settings")
    page.get_by_label("Sprog").select_option("en")
    expect(page.get_by_role("heading", name="Looks")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.reload()
    page.get_by_label("Language").select_option("da")
    expect(page.get_by_role("heading", name="Udseende")).to_be_visible()
    no_english_remains(page)


def test_a_browser_that_asks_for_english_gets_danish_once_it_is_chosen(page: Page, server: Server) -> None:
    log_in(page, server.url, "Grethe")
    expect(page.get_by_text("No mail here yet")).to_be_visible()
    page.goto(f"{server.url}/settings")
    page.get_by_label("Language").select_option("da")
    expect(page.get_by_role("heading", name="Udseende")).to_be_visible()
    page.goto(f"{server.url}/contacts")
    expect(page.get_by_role("button", name="Gem signatur")).to_be_visible()
    expect(page).to_have_title(re.compile("Kontakter"))
    no_english_remains(page)


def test_a_dane_who_names_nobody_to_send_to_is_told_so(danish: Page, server: Server) -> None:
    page = danish
    page.goto(server.url)
    page.get_by_label("Navn", exact=True).fill("Inger")
    page.get_by_label("Adgangskode").fill(PASSWORD)
    page.get_by_role("button", name="Log ind").click()
    expect(page.get_by_text("Ingen mail her endnu.")).to_be_visible()
    page.get_by_role("button", name="Skriv", exact=True).first.click()
    expect(page.get_by_role("textbox", name="Til", exact=True)).to_be_focused()
    page.get_by_role("textbox", name="Emne").fill("Frokost")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Der er endnu ingen at sende til.")).to_be_visible()
    no_english_remains(page)
