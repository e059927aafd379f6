"""What the page tells of a mail that a relay refused, and what its author can do about it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import compose, log_in
from tests.fakes.smtp import FakeRelay, say


def test_a_refused_recipient_is_explained_tried_again_and_corrected(page: Page, var: Path) -> None:
    words = "550 5.1.1 no such user"
    with FakeRelay({"rcpt": [say(words), say("250 ok"), say(words)]}) as relay:
        provider = f"smtp://127.0.0.1:{relay.port}?tls=none&name=relay&concurrency=1"
        server = Server(var, BITMAIL_PROVIDERS=provider, BITMAIL_WHEN_DOWN="wait")
        server.start()
        try:
            log_in(page, server.url, "ada")
            compose(page, "grace@example.com", "Plans", "The words")
            page.get_by_role("button", name="Send", exact=True).click()
            delivery = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
            expect(delivery).to_contain_text("this mailbox does not exist", timeout=20_000)
            expect(page.locator("a.row").first).to_contain_text("failed")
            delivery.get_by_text("History").click()
            expect(page.locator(".timeline li")).to_have_count(3)
            expect(page.locator(".timeline")).to_contain_text(words)
            page.get_by_role("button", name="Try grace@example.com again now").click()
            expect(page.locator(".timeline")).to_contain_text("relay took it", timeout=20_000)
            expect(page.locator("a.row").first).to_contain_text("sent")

            compose(page, "gracie@example.com", "More", "Other words")
            page.get_by_role("button", name="Send", exact=True).click()
            expect(page.get_by_text("this mailbox does not exist").first).to_be_visible(timeout=20_000)
            page.get_by_role("button", name="Correct the address and send again").click()
            expect(page).to_have_url(re.compile("draft="))
            expect(page.locator(".chip")).to_have_text(["gracie@example.com"])
            expect(page.get_by_role("textbox", name="Message")).to_have_value(re.compile("Other words"))
        finally:
            page.close()
            server.stop()
