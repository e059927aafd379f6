"""Mailboxes in the browser: selecting, moving, undoing, searching, folders, shortcuts, and all of it live."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import PASSWORD, log_in

Fill = Callable[..., None]


@pytest.fixture
def fill(server: Server) -> Fill:
    """Has mail come in for a person, by way of the loopback: one from each of so many people."""

    def filled(name: str, count: int, subject: str = "Notes", text: str = "Words", key: str = "1") -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            session = client.post("/api/login", auth=(name, PASSWORD)).json()["session"]
            client.headers["Authorization"] = f"Bearer {session}"
            for number in range(1, count + 1):
                mail = {
                    "to": f"person{number}@example.com",
                    "subject": f"{subject} {number}",
                    "text": text,
                }
                answer = client.post(
                    "/api/sendmail", json=mail, headers={"Idempotency-Key": f"{name}-{key}-{number}"}
                )
                assert answer.status_code == 202
                submission = answer.json()["submission"]
                while True:  # one after the other, so that they lie in this order
                    shown = client.get(f"/api/submissions/{submission}").json()
                    if shown["deliveries"][0]["status"] == "sent":
                        break

    return filled


def rows(page: Page) -> Locator:
    return page.locator("a.row")


def row(page: Page, words: str) -> Locator:
    return rows(page).filter(has_text=words)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True).locator("visible=true").first


def place(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name=name, exact=True)


def test_a_range_is_selected_with_shift_archived_undone_and_deleted_for_good(
    page: Page, server: Server, fill: Fill
) -> None:
    fill("hedy", 5)
    log_in(page, server.url, "hedy")
    expect(rows(page)).to_have_count(5)
    expect(page).to_have_title("(5) Inbox · BitMail")
    ticks = page.get_by_role("checkbox")
    ticks.nth(1).click()
    ticks.nth(3).click(modifiers=["Shift"])
    expect(page.get_by_text("3 selected")).to_be_visible()
    button(page, "Archive").click()
    expect(rows(page)).to_have_count(2)
    expect(page).to_have_title("(2) Inbox · BitMail")
    button(page, "Undo").click()
    expect(rows(page)).to_have_count(5)

    row(page, "Notes 3").click()
    expect(page.get_by_role("article")).to_contain_text("Words")
    button(page, "Delete").click()
    expect(page).to_have_url(re.compile("/inbox$"))
    expect(row(page, "Notes 3")).to_have_count(0)
    place(page, "Trash").click()
    expect(rows(page)).to_have_count(1)
    button(page, "Empty Trash").click()
    page.get_by_role("dialog", name="Empty Trash").get_by_role("button", name="Empty Trash").click()
    expect(page.get_by_text("1 mail deleted for good.")).to_be_visible()
    expect(page.get_by_text("Trash is empty")).to_be_visible()


def test_a_click_with_ctrl_opens_the_mail_in_another_tab_and_a_plain_one_here(
    page: Page, server: Server, fill: Fill
) -> None:
    fill("mary", 2)
    log_in(page, server.url, "mary")
    with page.context.expect_page() as opened:
        row(page, "Notes 2").click(modifiers=["ControlOrMeta"])
    expect(opened.value.get_by_role("article")).to_contain_text("Notes 2")
    expect(page).to_have_title("(1) Inbox · BitMail")  # so this page heard of it
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page).to_have_url(re.compile("/inbox/?$"))
    row(page, "Notes 1").click()
    expect(page.get_by_role("article")).to_contain_text("Notes 1")
    expect(page).to_have_url(re.compile(r"/inbox\?mail=\d+$"))
    expect(page).to_have_title("Inbox · BitMail")
    page.go_back()
    expect(page.get_by_role("article")).to_have_count(0)


def test_a_mail_is_dragged_into_a_folder_whose_address_goes_back_and_forward(
    page: Page, server: Server, fill: Fill
) -> None:
    fill("jane", 2)
    log_in(page, server.url, "jane")
    button(page, "New folder").click()
    dialog = page.get_by_role("dialog", name="New folder").locator("visible=true")
    dialog.get_by_role("textbox").fill("Inbox")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("already")
    dialog.get_by_role("textbox").fill("Travel")
    dialog.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile(r"/folder\?id=\d+$"))
    expect(page).to_have_title("(2) Travel · BitMail")
    place(page, "Inbox").click()
    expect(rows(page)).to_have_count(2)
    row(page, "Notes 1").drag_to(place(page, "Travel"))
    expect(rows(page)).to_have_count(1)
    place(page, "Travel").click()
    row(page, "Notes 1").click()
    expect(page.get_by_role("article")).to_contain_text("Notes 1")
    page.reload()
    expect(page.get_by_role("article")).to_contain_text("Notes 1")
    expect(rows(page)).to_have_count(1)
    page.go_back()
    expect(page.get_by_text("Pick a mail")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(re.compile("/inbox"))
    expect(row(page, "Notes 2")).to_be_visible()
    page.go_forward()
    expect(row(page, "Notes 1")).to_be_visible()


def test_a_search_shows_what_it_finds_and_where_and_filters_show_less(
    page: Page, server: Server, fill: Fill
) -> None:
    fill("kate", 2, subject="Compiler", text="The linker is done")
    fill("kate", 1, subject="Lunch", text="At noon", key="2")
    log_in(page, server.url, "kate")
    expect(rows(page)).to_have_count(3)
    search = page.get_by_role("searchbox", name="Search")
    search.fill("linker from:person2")
    search.press("Enter")
    expect(page).to_have_url(re.compile(r"/search\?q=linker"))
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("Inbox")
    search.fill('subject:" OR (')
    search.press("Enter")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("link", name="Close search").click()
    page.get_by_role("button", name="Star Lunch 1").click(force=True)
    expect(page.get_by_role("button", name="Star Lunch 1")).to_have_attribute("aria-pressed", "true")
    button(page, "Show and sort").click()
    page.get_by_role("button", name="Only starred").click()
    expect(page).to_have_url(re.compile("only=starred"))
    expect(rows(page)).to_have_count(1)
    page.get_by_role("link", name="Show all").click()
    expect(rows(page)).to_have_count(3)
    button(page, "Show and sort").click()
    page.get_by_role("button", name="Oldest first").click()
    expect(rows(page).first).to_contain_text("Compiler 1")


def test_the_list_is_worked_by_keyboard_alone(page: Page, server: Server, fill: Fill) -> None:
    fill("mary", 3)
    log_in(page, server.url, "mary")
    expect(rows(page)).to_have_count(3)
    keys = page.keyboard
    keys.press("?")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    expect(page.locator("#help")).to_be_focused()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_be_hidden()
    keys.press("j")
    expect(button(page, "Open Notes 3")).to_be_focused()
    keys.press("j")
    expect(button(page, "Open Notes 2")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_role("article")).to_contain_text("Notes 2")
    keys.press("u")
    expect(page.get_by_text("Pick a mail")).to_be_visible()
    keys.press("s")
    expect(page.get_by_role("button", name="Star Notes 2")).to_have_attribute("aria-pressed", "true")
    keys.press("x")
    expect(page.get_by_text("1 selected")).to_be_visible()
    keys.press("#")
    expect(rows(page)).to_have_count(2)
    expect(button(page, "Open Notes 1")).to_be_focused()
    keys.press("/")
    expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
    keys.type("jx#e?")
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("jx#e?")
    expect(rows(page)).to_have_count(2)
    page.get_by_role("searchbox", name="Search").blur()
    keys.press("g")
    keys.press("t")
    expect(page).to_have_url(re.compile("/sent"))
    page.goto(server.url + "/settings")
    page.get_by_label("Keyboard shortcuts").select_option("0")
    expect(page.locator(".app")).to_have_attribute("data-shortcuts", "0")
    place(page, "Inbox").click()
    expect(rows(page)).to_have_count(2)
    keys.press("?")
    row(page, "Notes 1").hover()
    page.get_by_role("button", name="Star Notes 1").click()
    expect(page.get_by_role("button", name="Star Notes 1")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("dialog", name="Shortcuts")).to_have_count(0)


def test_what_is_done_in_one_browser_is_seen_in_another_at_once(
    page: Page, browser: Browser, server: Server, fill: Fill
) -> None:
    fill("nora", 1)
    context = browser.new_context()
    other = context.new_page()
    for one in (page, other):
        log_in(one, server.url, "nora")
        expect(rows(one)).to_have_count(1)
    fill("nora", 1, subject="Fresh", key="2")
    for one in (page, other):
        expect(rows(one)).to_have_count(2)
        expect(one).to_have_title("(2) Inbox · BitMail")
    row(page, "Fresh").click()
    expect(other.locator("a.row.new")).to_have_count(1)
    expect(other).to_have_title("(1) Inbox · BitMail")
    button(page, "Archive").click()
    expect(rows(other)).to_have_count(1)
    context.close()


def test_a_narrow_window_shows_one_pane_and_back_returns_to_the_list(
    page: Page, server: Server, fill: Fill
) -> None:
    fill("oda", 2)
    page.set_viewport_size({"width": 390, "height": 800})
    log_in(page, server.url, "oda")
    expect(rows(page)).to_have_count(2)
    expect(page.get_by_role("article")).to_be_hidden()
    row(page, "Notes 1").click()
    expect(page.get_by_role("article")).to_be_visible()
    expect(rows(page).first).to_be_hidden()
    page.get_by_role("link", name="Back").click()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_be_visible()
    page.locator("summary").filter(has_text="Inbox").click()
    page.get_by_role("link", name="Archive").locator("visible=true").click()
    expect(page.get_by_text("Nothing archived yet")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_list_of_conversations_has_one_row_for_each_and_opens_all_of_it(
    page: Page, server: Server, fill: Fill
) -> None:
    fill("tove", 2)
    log_in(page, server.url, "tove")
    row(page, "Notes 1").click()
    button(page, "Reply").click()
    page.get_by_role("textbox", name="Message").fill("An answer")
    button(page, "Send").click()
    expect(page).to_have_url(re.compile("/sent"))  # where the page goes by itself
    place(page, "Inbox").click()
    expect(rows(page)).to_have_count(3)
    button(page, "Show and sort").click()
    button(page, "Conversations").click()
    talk = row(page, "Notes 1")
    expect(rows(page)).to_have_count(2)
    expect(talk.locator(".size")).to_have_text("4")
    talk.click()
    expect(page.get_by_text("All mails of this conversation")).to_be_visible()
    expect(rows(page)).to_have_count(4)
    place(page, "Inbox").click()
    expect(rows(page)).to_have_count(2)
    page.reload()
    expect(rows(page)).to_have_count(2)
    button(page, "Show and sort").click()
    button(page, "Every mail on its own").click()
    expect(rows(page)).to_have_count(3)
