"""What a person sees when the sending is done by `python -m mta` beside the web server."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.server import Sender, Server
from tests.e2e.test_the_whole_path import compose, log_in


def test_a_person_sends_and_sees_statuses_and_mail_come_live_with_the_container_beside(
    page: Page, var: Path
) -> None:
    server, sender = Server(var, BITMAIL_CONTAINER="beside"), Sender(var)
    server.start()
    log_in(page, server.url, "ada")
    compose(page, "grace@example.com", "Beside", "Written before anybody sends")
    page.get_by_role("button", name="Send", exact=True).click()
    deliveries = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    expect(deliveries.get_by_text("queued", exact=True)).to_be_visible()
    sender.start()
    expect(deliveries.get_by_text("sent", exact=True)).to_be_visible(timeout=10_000)
    expect(
        page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name="Inbox")
    ).to_contain_text("1", timeout=10_000)
    page.get_by_role("navigation", name="Mailboxes").get_by_role("link", name="Inbox").click()
    expect(page.locator("a.row").filter(has_text="grace@example.com")).to_have_count(1)
    assert sender.stop() == 0
    assert server.stop() == 0
    assert not server.errors()
    assert not sender.errors()
