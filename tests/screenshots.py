"""Pictures of every page, for the docs: made by `./fab screenshots` from a server of its own with mail in it."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bitmail.places import MailboxName
from bitmail.service import Service
from bitmail.settings import Settings
from mta.incoming import IncomingMail
from tests.browser import chromium
from tests.e2e.conftest import FLAGS
from tests.e2e.server import Server

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery"
SIZES = {"wide": (1280, 800), "narrow": (390, 800)}
THEMES = ("light", "dark")
NEWS = """<table width="100%" cellpadding="0" style="max-width: 560px"><tr>
<td style="background: #eef3ff; padding: 24px; border-radius: 10px">
<h2 style="margin: 0 0 8px">Harbour opening on Saturday</h2>
<p style="margin: 0">The new bridge opens at ten. <a href="https://example.com/harbour">See the programme</a>.</p>
</td></tr></table><p>Bring warm clothes.</p>"""
MAILS = (
    (
        "Grace Hopper",
        "grace@example.com",
        "Agenda for Monday",
        "text",
        "Ten o'clock, in the small room. I bring the figures.",
    ),
    (
        "Bo Larsen",
        "bo@example.net",
        "Re: The boat",
        "text",
        "Saturday suits me.\n\n> Shall we sail on Saturday?\n> The wind is fair.\n> Bring a jacket.\n> Ada\n",
    ),
    ("Harbour News", "news@example.org", "Harbour opening on Saturday", "html", NEWS),
    ("李小龍", "li@example.org", "週末的晚餐 🍜", "text", "星期六晚上七點，老地方見。"),
    (
        "Dora Diaz",
        "dora@example.com",
        "Invoice 1042",
        "text",
        "The invoice is attached. Payment within thirty days.",
    ),
    ("سارة", "sara@example.net", "موعد الاجتماع", "text", "نلتقي يوم الاثنين في العاشرة."),
)


def fill(var: Path) -> None:
    """Put mail into the account of Ada, before the server runs."""
    service = Service(Settings(_env_file=None, var=var))  # type: ignore[call-arg]
    try:
        service.model.log_in("ada", PASSWORD)
        service.model.preferences.set("ada", "display_name", "Ada Lovelace")
        for number, (name, address, subject, kind, body) in enumerate(MAILS):
            head = f"From: {name} <{address}>\nTo: ada@localhost\nSubject: {subject}\nMIME-Version: 1.0\n"
            raw = f"{head}Content-Type: text/{'html' if kind == 'html' else 'plain'}; charset=utf-8\n\n{body}".encode()
            service.model.receive(
                IncomingMail(f"{number}", address, "ada@localhost", raw, 1_795_600_000.0 + 5000 * number)
            )
        page = service.model.mailboxes.page("ada", MailboxName.INBOX)
        for mail in page.mails[3:]:
            service.model.mailboxes.mark_read("ada", mail.id)
        service.model.mailboxes.set_starred("ada", [page.mails[1].id], True)
    finally:
        service.stop()


def pictures(page: Page, url: str, folder: Path, name: str) -> None:
    """Take every picture in one size and theme."""

    def shoot(what: str) -> None:
        page.wait_for_timeout(250)  # what appears does so in 120 ms
        page.screenshot(path=folder / f"{what}-{name}.png")

    page.goto(url)
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    shoot("log-in")
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("a.row").first).to_be_visible()
    shoot("inbox")
    page.locator("a.row").filter(has_text="Harbour").click()
    expect(page.frame_locator(".paper").get_by_role("heading")).to_be_visible()
    shoot("reading")
    page.goto(f"{url}/inbox")
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    page.get_by_role("button", name="Compose").locator("visible=true").click()
    expect(page).to_have_url(re.compile("draft="))
    page.get_by_role("textbox", name="To", exact=True).fill(
        "Grace Hopper <grace@example.com>; bo@example.net; ann@"
    )
    page.get_by_role("textbox", name="Subject").fill("Agenda for Monday")
    page.get_by_role("textbox", name="Message").fill("Dear all,\n\nten o'clock, in the small room.\n\nAda")
    expect(page.locator(".chip.err")).to_be_visible()
    shoot("compose")
    page.get_by_role("button", name=re.compile("Remove.*ann")).click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))
    expect(page.get_by_role("list", name="Deliveries")).to_contain_text("took it")
    shoot("status")
    for path, what in (
        ("/contacts", "contacts"),
        ("/settings", "settings"),
        ("/search?q=saturday", "search"),
    ):
        page.goto(url + path)
        expect(page.locator("[data-hydrated='1']")).to_be_attached()
        shoot(what)


def take(browser: Browser, folder: Path) -> None:
    """Take every picture in each size and theme."""
    for theme in THEMES:
        for size, (width, height) in SIZES.items():
            with tempfile.TemporaryDirectory(prefix="bitmail-") as var:
                fill(Path(var))
                server = Server(Path(var))
                server.start()
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=theme,  # type: ignore[arg-type]
                    timezone_id="Europe/Copenhagen",
                )
                pictures(context.new_page(), server.url, folder, f"{size}-{theme}")
                context.close()
                server.stop()


def main(folder: Path = ROOT / "docs" / "pictures") -> int:
    """Take the pictures into a folder; the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    path = chromium(print)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        take(browser, folder)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures are in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
