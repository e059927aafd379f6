"""What a person does, from the first log-in to being refused after the last log-out."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Locator, Page, expect

from bitmail.drafts import TEXT_LIMIT
from bitmail.version import version
from tests.e2e.server import Server

PASSWORD = "correct horse battery"


def log_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(url)
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(password)
    with page.expect_response(lambda answer: "/enter" in answer.url):
        page.get_by_role("button", name="Log in").click()


def compose(page: Page, to: str, subject: str, text: str) -> None:
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    page.get_by_role("button", name="Compose").first.click()
    expect(page).to_have_url(re.compile("draft="))
    expect(page.locator("[name=loaded][value]:not([value=''])").first).to_be_attached()
    page.get_by_role("textbox", name="To", exact=True).fill(to)
    page.get_by_role("textbox", name="Subject").fill(subject)
    page.get_by_role("textbox", name="Message").fill(text)


def test_a_person_logs_in_sends_to_three_sees_each_status_and_the_mail_come_back_and_logs_out(
    page: Page, server: Server
) -> None:
    log_in(page, server.url, "Ada")
    expect(page).to_have_url(re.compile("/inbox/?$"))
    expect(page.get_by_text("No mail here yet")).to_be_visible()
    expect(page.get_by_text("demo: mail comes back to you").first).to_be_visible()
    expect(page.locator(".version").first).to_have_text(version())

    compose(
        page,
        "grace@example.com; bob@example.net; 李@example.org",
        "Agenda for Monday 🚀",
        "Dear all,\n\nten o'clock.",
    )
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))
    deliveries = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    expect(deliveries).to_have_count(3)
    for position, recipient in enumerate(("grace@example.com", "bob@example.net", "李@example.org")):
        expect(deliveries.nth(position)).to_contain_text(recipient)
        expect(deliveries.nth(position).get_by_text("sent", exact=True)).to_be_visible()
        expect(deliveries.nth(position)).to_contain_text(re.compile(r"took it at \d\d:\d\d:\d\d in \d+ ms"))

    page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name="Inbox").click()
    rows = page.locator("a.row")
    expect(rows).to_have_count(3)
    rows.filter(has_text="bob@example.net").click()
    expect(page.get_by_role("heading", name="Agenda for Monday 🚀")).to_be_visible()
    expect(page.get_by_role("article")).to_contain_text("ten o'clock.")
    expect(page.locator("a.row.new")).to_have_count(2)

    page.get_by_role("button", name="Log out").first.click()
    expect(page).to_have_url(re.compile("/login/?$"))
    page.goto(server.url + "/inbox")
    expect(page).to_have_url(re.compile("/login/?$"))
    log_in(page, server.url, "ada", "not the password")
    expect(page.get_by_role("alert")).to_have_text(
        "That name and password do not go together. Check both and try again."
    )
    expect(page.get_by_label("Name", exact=True)).to_have_value("ada")


def test_a_log_in_keeps_the_page_and_says_when_no_answer_came(browser: Browser, server: Server) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        context.route("**/enter", lambda route: route.abort())
        page.goto(server.url + "/settings")
        expect(page.locator("[data-hydrated='1']")).to_be_attached()
        page.get_by_label("Name", exact=True).fill("ida")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text(re.compile("did not answer as it should"))
        context.unroute("**/enter")
        page.evaluate("window.is_the_same = true")
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(re.compile("/settings/?$"))
        assert page.evaluate("window.is_the_same")


def test_everything_from_log_in_to_status_is_done_by_keyboard_alone(page: Page, server: Server) -> None:
    keys = page.keyboard
    page.goto(server.url)
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    keys.type("kira")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.get_by_text("No mail here yet")).to_be_visible()
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    keys.press("c")
    expect(page.get_by_role("textbox", name="To", exact=True)).to_be_focused()
    keys.type("grace@example.com,")
    tab_to(page, page.get_by_role("textbox", name="Subject"))
    keys.type("By keyboard")
    tab_to(page, page.get_by_role("textbox", name="Message"))
    keys.type("No mouse was near.")
    keys.press("Control+Enter")
    expect(page).to_have_url(re.compile("/sent"))
    tab_to(page, page.get_by_role("listitem").locator("summary", has_text="History"))
    keys.press("Enter")
    expect(page.locator(".timeline")).to_contain_text("took it")
    keys.press("g")
    keys.press("i")
    expect(page.locator("a.row")).to_have_count(1)
    keys.press("j")
    keys.press("Enter")
    expect(page.get_by_role("article")).to_contain_text("No mouse was near.")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus; nobody presses it more than forty times."""
    expect(wanted).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if wanted.evaluate("it => it === document.activeElement"):
            return
    expect(wanted).to_be_focused()


def test_a_text_as_long_as_a_draft_may_be_is_sent_whole(page: Page, server: Server) -> None:
    log_in(page, server.url, "clara")
    text = ("世" * 999 + "\n") * (TEXT_LIMIT // 1000)
    compose(page, "grace@example.com", "Long", "")
    # Pasted, as people do it: what types for a test tells the page of each line on its own.
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.get_by_role("textbox", name="Message").press("ControlOrMeta+v")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"), timeout=60_000)
    expect(page.get_by_role("list", name="Deliveries").get_by_text("sent", exact=True)).to_be_visible(
        timeout=60_000
    )
    assert page.locator(".text").inner_text().count("世") == 999 * (TEXT_LIMIT // 1000)


def test_a_draft_is_kept_while_it_is_written_and_opens_again_from_drafts(page: Page, server: Server) -> None:
    log_in(page, server.url, "dora")
    compose(page, "grace@", "Unfinished", "First words")
    page.get_by_role("textbox", name="Message").press("End")
    expect(page.get_by_text(re.compile(r"Saved \d\d:\d\d"))).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Drafts").first.click()
    page.locator("a.row").filter(has_text="Unfinished").click()
    expect(page.get_by_role("button", name="Correct grace@")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("First words")


def test_whoever_names_nobody_is_told_so_until_somebody_is_named(page: Page, server: Server) -> None:
    log_in(page, server.url, "nils")
    compose(page, "", "Lunch", "At noon")
    page.get_by_role("button", name="Send", exact=True).click()
    says = page.get_by_text("Nobody to send to yet")
    expect(says.first).to_be_visible()
    expect(page.get_by_role("textbox", name="To", exact=True)).to_be_focused()
    # The focus that leaves saves; what is done after that is answered after that.
    page.get_by_role("button", name="Minimise").click()
    page.get_by_role("button", name="Restore").click()
    expect(says.first).to_be_visible()
    page.get_by_role("textbox", name="To", exact=True).press_sequentially("grace@example.com,")
    expect(says).to_have_count(0)


def test_a_bad_recipient_is_named_beside_the_field_which_has_the_focus_and_nothing_is_lost(
    page: Page, server: Server
) -> None:
    log_in(page, server.url, "bella")
    compose(page, "ann; bob@example.com", "Plans", "Text that must stay")
    page.get_by_role("button", name="Send", exact=True).click()
    to = page.get_by_role("textbox", name="To", exact=True)
    expect(page.locator("#composer0_says_to")).to_contain_text("ann")
    expect(to).to_be_focused()
    expect(page.get_by_role("button", name="Correct ann")).to_be_visible()
    expect(page.get_by_role("button", name="Edit bob@example.com")).to_be_visible()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("Text that must stay")
