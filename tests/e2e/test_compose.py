"""What a person does while writing: people, files, second thoughts, and windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import PASSWORD, compose, log_in

GIVE_FILES = """(form, [kind, names, size]) => {
    const data = new DataTransfer();
    const file = name => new File(["x".repeat(size || name.indexOf("empty") && 10)], name, {type: "text/plain"});
    for (const name of names) data.items.add(file(name));
    const given = kind === "paste" ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true})
        : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
    form.dispatchEvent(given);
}"""
"""No test can reach the clipboard or the desktop, so the browser's own events are made here."""


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which a mail that was sent can be called back."""
    server = Server(tmp_path_factory.mktemp("var"), BITMAIL_UNDO="4")
    server.start()
    yield server
    assert server.stop() == 0
    assert not server.errors()


def new_mail(page: Page) -> Locator:
    page.get_by_role("button", name="Compose").first.click()
    expect(page.get_by_role("textbox", name="To", exact=True)).to_be_focused()
    return page.get_by_role("textbox", name="To", exact=True)


def chips(page: Page) -> Locator:
    return page.locator(".chip")


def test_people_are_typed_pasted_corrected_and_removed_by_keyboard_alone(page: Page, server: Server) -> None:
    log_in(page, server.url, "flora")
    to = new_mail(page)
    to.press_sequentially("grace@example.com;bob@,")
    expect(chips(page)).to_have_text(["grace@example.com", "bob@"])
    expect(page.locator("#composer0_says_to")).to_contain_text("bob@: the part after the @ is missing")
    to.press("Backspace")
    expect(to).to_have_value("bob@")
    to.press_sequentially("example.net")
    to.press("Enter")
    expect(chips(page)).to_have_text(["grace@example.com", "bob@example.net"])
    expect(page.locator("#composer0_says_to")).to_be_hidden()
    to.fill('"Doe, Ann" <ann@example.com>\ncarl@example.com dora@example.com; ;')
    to.press("Tab")
    expect(chips(page)).to_have_text(
        ["grace@example.com", "bob@example.net", "Doe, Ann", "carl@example.com", "dora@example.com"]
    )
    page.get_by_role("button", name="Remove carl@example.com").press("Enter")
    page.get_by_role("button", name="Edit grace@example.com").press("Enter")
    expect(to).to_have_value("grace@example.com")
    expect(chips(page)).to_have_text(["bob@example.net", "Doe, Ann", "dora@example.com"])


def test_whom_one_wrote_to_is_offered_and_picked_by_keyboard(page: Page, server: Server) -> None:
    log_in(page, server.url, "gerda")
    compose(page, "Grace Hopper <grace@example.com>", "Hi", "x")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))
    to = new_mail(page)
    to.press_sequentially("ho")
    expect(page.get_by_role("option", name="Grace Hopper")).to_have_attribute("aria-selected", "true")
    to.press("p")
    to.press("Enter")  # before anything is shown for the last letter
    expect(chips(page)).to_have_text(["Grace Hopper"])
    expect(to).to_have_value("")
    expect(page.get_by_role("option")).to_have_count(0)


def test_files_come_by_dialog_drop_and_paste_stay_with_the_draft_and_can_be_taken_out(
    page: Page, server: Server
) -> None:
    log_in(page, server.url, "helga")
    new_mail(page)
    page.get_by_role("textbox", name="Subject").fill("Files")
    files: list[Any] = [{"name": "Prüfbericht.txt", "mimeType": "text/plain", "buffer": b"x" * 400_000}]
    page.get_by_label("Attach files").set_input_files(files)
    rows = page.get_by_role("list", name="Attachments").get_by_role("listitem")
    expect(rows).to_contain_text(["Prüfbericht.txt"])
    form = page.locator("form[name=composer0]")
    form.evaluate(GIVE_FILES, ["drop", ["dropped.txt", "empty.txt"]])
    expect(page.get_by_role("button", name="Remove empty.txt")).to_be_visible()
    form.evaluate(GIVE_FILES, ["paste", ["pasted.txt"]])
    expect(page.get_by_role("button", name="Remove pasted.txt")).to_be_visible()
    page.get_by_role("button", name="Remove dropped.txt").click()
    expect(rows).to_have_count(3)
    page.reload()
    expect(rows).to_contain_text(["Prüfbericht.txt", "empty.txt", "pasted.txt"])
    form.evaluate(GIVE_FILES, ["drop", ["film.mp4"], 19 * 1024 * 1024])
    expect(page.locator("#composer0_says_attachments")).to_contain_text("“film.mp4” has 19.0 MB")
    expect(rows).to_have_count(3)


def test_files_that_are_there_before_what_is_said_of_their_announcement_are_not_waited_for(
    page: Page, server: Server
) -> None:
    held: list[str | bytes] = []
    is_held = False

    def meet(route: WebSocketRoute) -> None:
        def say(message: str | bytes) -> None:
            if is_held and "uploading" in str(message):
                held.append(message)
            else:
                route.send(message)

        route.connect_to_server().on_message(say)
        routes.append(route)

    routes: list[WebSocketRoute] = []
    page.route_web_socket(re.compile("/_event"), meet)
    log_in(page, server.url, "ines")
    new_mail(page)
    files: list[Any] = [{"name": "Quick.txt", "mimeType": "text/plain", "buffer": b"x"}]
    is_held = True
    page.get_by_label("Attach files").set_input_files(files)
    expect(page.get_by_role("button", name="Remove Quick.txt")).to_be_visible()
    page.get_by_role("button", name="Rich text").click()
    expect(page.get_by_role("button", name="Plain text")).to_be_visible()  # so what was said before has come
    assert held
    is_held = False
    for message in held:
        routes[-1].send(message)
    page.get_by_role("button", name="Plain text").click()
    expect(page.get_by_role("button", name="Rich text")).to_be_visible()  # so that was heard, too
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_a_mail_is_called_back_edited_and_sent_once(page: Page, patient: Server) -> None:
    log_in(page, patient.url, "ida")
    compose(page, "grace@example.com; bob@example.net", "Second thoughts", "first words")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status", name="Done")).to_contain_text("Queued for 2 people")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    message = page.get_by_role("textbox", name="Message")
    expect(message).to_have_value("first words")
    expect(chips(page)).to_have_text(["grace@example.com", "bob@example.net"])
    message.fill("second words")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("status", name="Done")).to_contain_text("Queued for 2 people")
    page.get_by_role("link", name="Inbox").first.click()
    expect(page.locator("a.row")).to_have_count(2, timeout=20_000)
    expect(page.locator("a.row").filter(has_text="second words")).to_have_count(2)


def test_what_is_missing_is_asked_about_and_a_discarded_draft_comes_back(page: Page, patient: Server) -> None:
    log_in(page, patient.url, "jutta")
    compose(page, "grace@example.com", "", "See the attached plan")
    page.keyboard.press("Control+Enter")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("The subject is empty.")
    expect(question).to_contain_text("You wrote “attached”, and no file is attached.")
    question.get_by_role("button", name="Write on").click()
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    page.get_by_role("button", name="Discard").click()
    question.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("See the attached plan")


def test_a_text_is_made_rich_kept_and_made_plain_again(page: Page, server: Server) -> None:
    log_in(page, server.url, "nora")
    compose(page, "grace@example.com", "Rich", "One\ntwo\n\nThree <b>")
    page.get_by_role("button", name="Rich text").click()
    editor = page.get_by_role("group", name="Message").locator("[contenteditable=true]")
    expect(editor).to_have_text("OnetwoThree <b>", timeout=10_000)
    editor.press("Control+End")
    page.keyboard.press("Control+b")
    editor.press_sequentially(" bold")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Drafts").first.click()
    page.locator("a.row").filter(has_text="Rich").click()
    expect(editor.locator("strong")).to_have_text("bold", timeout=10_000)
    page.get_by_role("button", name="Plain text").click()
    expect(page.get_by_role("textbox", name="Message")).to_have_value("One\ntwo\n\nThree <b> bold")


def test_a_mail_is_answered_in_its_thread(page: Page, server: Server) -> None:
    log_in(page, server.url, "olga")
    compose(page, "grace@example.com", "Question", "Shall we?")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))
    page.get_by_role("link", name="Inbox").first.click()
    page.locator("a.row").click()
    page.get_by_role("button", name="Reply", exact=True).click()
    expect(page.get_by_role("textbox", name="Subject")).to_have_value("Re: Question")
    expect(chips(page)).to_have_text(["grace@example.com"])
    expect(page.get_by_role("textbox", name="Message")).to_have_value(re.compile("wrote:\n> Shall we\\?$"))
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()


def test_several_windows_stay_open_over_the_mailboxes_and_a_reload(page: Page, server: Server) -> None:
    log_in(page, server.url, "karla")
    compose(page, "one@example.com", "One", "first")
    page.get_by_role("button", name="Minimise").click()
    page.get_by_role("button", name="Compose").first.click()
    windows = page.get_by_role("dialog")
    expect(windows).to_have_count(2)
    expect(windows.nth(1).get_by_role("textbox", name="To", exact=True)).to_be_focused()
    windows.nth(1).get_by_role("textbox", name="Message").fill("second")
    page.get_by_role("link", name="Sent").first.click()
    expect(page).to_have_url(re.compile("/sent"))
    expect(windows.nth(1).get_by_role("textbox", name="Message")).to_have_value("second")
    page.reload()
    expect(windows.nth(1).get_by_role("textbox", name="Message")).to_have_value("second")
    windows.nth(0).get_by_role("button", name="Restore").click()
    expect(windows.nth(0).get_by_role("textbox", name="Message")).to_have_value("first")
    windows.nth(0).get_by_role("button", name="Close").click()
    expect(windows).to_have_count(1)


def test_what_was_typed_a_moment_ago_survives_a_reload_and_the_end_of_the_session(
    page: Page, browser: Browser, server: Server
) -> None:
    log_in(page, server.url, "petra")
    compose(page, "grace@example.com", "Unsaved", "first")
    message = page.get_by_role("textbox", name="Message")
    message.press_sequentially(" second")
    page.reload()
    expect(message).to_have_value("first second")
    page.context.clear_cookies()
    page.reload()
    expect(page).to_have_url(re.compile("/login"))
    log_in(page, server.url, "petra")
    expect(message).to_have_value("first second")
    message.press_sequentially(" third")
    other = browser.new_context().new_page()
    log_in(other, server.url, "petra")
    other.goto(server.url + "/settings")
    other.get_by_role("button", name="Log out everywhere else").click()
    expect(other.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(1)
    other.context.close()
    over = page.get_by_role("dialog", name="Log in again")
    expect(over.get_by_label("Name")).to_have_value("petra")
    expect(over.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(over).to_have_count(0)
    expect(message).to_have_value("first second third")
    expect(chips(page)).to_have_text(["grace@example.com"])
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("() => sessionStorage.getItem('bitmail.composer0') === null")


def test_a_narrow_window_is_written_in_full_screen(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 700})
    log_in(page, server.url, "lotte")
    compose(page, "grace@example.com", "Narrow", "words")
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == pytest.approx((0, 0, 390, 700), abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("draft="))


def test_contacts_are_made_found_written_to_carried_out_and_in(
    page: Page, server: Server, tmp_path: Path
) -> None:
    log_in(page, server.url, "mona")
    page.get_by_role("link", name="Contacts").first.click()
    page.get_by_role("link", name="New").click()
    page.get_by_label("Name", exact=True).fill("Hopper, Grace")
    page.get_by_label("Address").fill("grace@")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text(["grace@: the part after the @ is missing"])
    page.get_by_label("Address").fill("grace@example.com")
    page.get_by_label("Groups").fill("Navy")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("a.row")).to_contain_text(["Hopper, Grace"])
    page.get_by_role("button", name="Write").click()
    expect(chips(page)).to_have_text(["Hopper, Grace"])
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("No contacts yet")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("a.row")).to_have_count(1)
    page.get_by_role("link", name="Contacts").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export vCard").click()
    download.value.save_as(tmp_path / "contacts.vcf")
    card = (tmp_path / "contacts.vcf").read_text().replace("grace@", "other@")
    (tmp_path / "other.vcf").write_text(card)
    page.get_by_label("Import vCard or CSV").set_input_files(tmp_path / "other.vcf")
    expect(page.get_by_text("1 contact imported.")).to_be_visible()
    expect(page.locator("a.row")).to_have_count(2)
