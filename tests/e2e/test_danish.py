"""The whole path in Danish: the browser's language at the door, the chosen one after it, and back to English."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bitmail.catalogue import Language, catalogue
from bitmail.routes import CONTACTS, FOLDER, GUARDED, INBOX, SEARCH
from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import PASSWORD, log_in

ENGLISH = {
    str(message.id) for message in catalogue(Language.DANISH) if isinstance(message.id, str) and message.id
}
SAME = {str(message.string) for message in catalogue(Language.DANISH)}
"""What also is Danish, of the same or another text."""


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
    """No text of the catalogue stands on the page as it is in English, hidden ones among them."""
    shown = set(
        page.locator("body").evaluate(
            "body => [...body.querySelectorAll('*:not(script):not(style):not([lang=en] *):not([value=en])')]"
            ".flatMap(one => [...one.childNodes]).filter(one => one.nodeType === 3)"
            ".map(one => one.data.trim()).filter(text => text)"
        )
    )
    named = page.locator("[aria-label], [title], [placeholder]").evaluate_all(
        "all => all.flatMap(one => ['aria-label', 'title', 'placeholder'].map(name => one.getAttribute(name) ?? ''))"
    )
    assert not (shown | set(named)) & (ENGLISH - SAME - {"Dansk"})


def come_in(page: Page, server: Server, name: str) -> None:
    page.goto(server.url)
    page.get_by_label("Navn", exact=True).fill(name)
    page.get_by_label("Adgangskode").fill(PASSWORD)
    page.get_by_role("button", name="Log ind").click()
    expect(page.get_by_text("Ingen mail her endnu.")).to_be_visible()


PLACES = (
    *GUARDED,
    f"{SEARCH}?q=x",
    f"{CONTACTS}?contact=new",
    f"{INBOX}?mail=1",
    f"{FOLDER}?id=1",
    "/inbox?only=unread",
)


def test_no_page_shows_a_dane_english(danish: Page, server: Server) -> None:
    page = danish
    come_in(page, server, "Birgit")
    for place in PLACES:
        page.goto(f"{server.url}{place}")
        expect(page.locator("[data-hydrated='1']")).to_be_attached()
        expect(page.locator(".skeleton")).to_have_count(0)
        no_english_remains(page)
        assert page.title().endswith(" · BitMail")


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
    come_in(page, server, "Inger")
    page.get_by_role("button", name="Skriv", exact=True).first.click()
    expect(page.get_by_role("textbox", name="Til", exact=True)).to_be_focused()
    page.get_by_role("textbox", name="Emne").fill("Frokost")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("Der er endnu ingen at sende til.")).to_be_visible()
    no_english_remains(page)


def test_the_rich_editor_speaks_danish(danish: Page, server: Server) -> None:
    page = danish
    come_in(page, server, "Sofie")
    page.get_by_role("button", name="Skriv", exact=True).first.click()
    page.get_by_role("button", name="Formateret tekst").click()
    expect(page.get_by_role("button", name="Fed", exact=True)).to_be_visible()
    no_english_remains(page)
    page.get_by_role("button", name="Indsæt link", exact=True).click()
    expect(page.get_by_text("Åbn i en ny fane")).to_be_visible()
    no_english_remains(page)


def test_an_address_that_is_none_is_refused_in_danish(danish: Page, server: Server) -> None:
    page = danish
    come_in(page, server, "Mette")
    page.get_by_role("button", name="Skriv", exact=True).first.click()
    field = page.get_by_role("textbox", name="Til", exact=True)
    field.fill("grete@-example.com")
    field.press("Enter")
    expect(page.get_by_text("der begynder eller slutter med en bindestreg").first).to_be_attached()
    no_english_remains(page)
