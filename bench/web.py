"""`python -m bench.web`: how soon the page answers; a real Chromium and a real server, medians of ten."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from bench.figures import Figure, report
from bitmail import frontend
from bitmail.service import Service
from bitmail.settings import Settings
from mta.incoming import IncomingMail
from tests.browser import chromium
from tests.e2e.conftest import FLAGS
from tests.e2e.server import Server

PASSWORD = "correct horse battery"  # noqa: S105 - of people that this makes up
TIMES = 10
FEW, MANY = 100, 100_000
UNTIL = """async ([click, seen, is_there]) => {
  const began = performance.now();
  const shown = () => { const it = document.querySelector(seen); return Boolean(it && it.getClientRects().length); };
  document.querySelector(click).click();
  while (shown() !== is_there) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
"""Milliseconds from a click to the first frame in which something is shown, or is shown no more."""
LISTED = "[data-hydrated='1'] .rows a.row, [data-hydrated='1'] .rows .note"
"""What a list shows once it can be used."""
USABLE = """const look = () => {
  const shown = document.querySelector("LISTED");
  if (shown && shown.getClientRects().length) window.took = performance.now() - began;
  else requestAnimationFrame(look);
};
let began;
addEventListener("submit", () => { began = performance.now(); look(); });""".replace("LISTED", LISTED)
"""Keeps how long it took, in milliseconds from submitting a form, until a list could be used."""


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="bench.web")
    parser.add_argument("--mails", type=int, default=MANY, help="in the big mailbox")
    parser.add_argument("--times", type=int, default=TIMES, help="each is measured")
    arguments = parser.parse_args()
    frontend.build()
    path = chromium(print)
    with tempfile.TemporaryDirectory(prefix="bitmail-") as name, sync_playwright() as playwright:
        var = Path(name)
        fill(var, {"few": FEW, "many": arguments.mails})
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        server = Server(var, BITMAIL_UNDO="30", BITMAIL_LOCAL_DELIVERY="on")
        began = time.perf_counter()
        server.start()
        started = Figure("web", "start of the server", time.perf_counter() - began, "s")
        try:
            report([started, *measure(browser, server.url, arguments.mails, arguments.times)])
        finally:
            browser.close()
            server.stop()
    return 0


def fill(var: Path, accounts: dict[str, int]) -> None:
    """Make accounts with so many mails each."""
    service = Service(Settings(_env_file=None, var=var))  # type: ignore[call-arg]
    try:
        service.model.log_in("sender", PASSWORD)
        service.model.preferences.set("sender", "undo", "0")
        for name, count in accounts.items():
            service.model.log_in(name, PASSWORD)
            raw = f"From: Grace <grace@example.com>\nTo: {name}@localhost\nSubject: Notes\n\nSome words.\n".encode()
            service.model.receive(
                IncomingMail("first", "grace@example.com", f"{name}@localhost", raw, 1.79e9)
            )
            (first,) = service.store.get({"user": name, "mailbox": "INBOX"}, limit=1)
            more = [dict(first.data) | {"arrival": str(number), "indexed": "1"} for number in range(1, count)]
            for start in range(0, len(more), 1000):
                service.store.put_many(more[start : start + 1000])
    finally:
        service.stop()


def measure(browser: Browser, url: str, mails: int, times: int) -> list[Figure]:
    """Every figure."""
    figures = [Figure("web", "log in and Inbox, first load over the wire", first_load(browser, url), "KB")]

    def add(figure: str, samples: list[float], versus: str = "", base: float = 0.0) -> float:
        value = median(samples)
        figures.append(Figure("web", figure, value, "ms", versus, value / base if base else None))
        return value

    add("log-in submitted to Inbox usable", [log_in_once(browser, url) for _ in range(times)])
    few, _ = log_in(browser, url, "few")
    opened = add(f"a mail opened, of {FEW}", repeat(few, times, open_mail))
    add("Compose clicked to ready", repeat(few, times, compose))
    add("Send clicked to queued, on disk", repeat(few, times, send))
    many, _ = log_in(browser, url, "many")
    add(f"a mail opened, of {mails:,}", repeat(many, times, open_mail), f"of {FEW}", opened)
    turned = add(f"a mailbox of {FEW} opened", repeat(few, times, turn))
    add(f"a mailbox of {mails:,} opened", repeat(many, times, turn), f"of {FEW}", turned)
    sender, _ = log_in(browser, url, "sender")
    few.goto(f"{url}/inbox")
    add("a mail sent by one shown in another's open Inbox", [arrival(sender, few, n) for n in range(times)])
    return figures


def repeat(page: Page, times: int, once: Callable[[Page], float]) -> list[float]:
    """The same several times."""
    return [once(page) for _ in range(times)]


def a_page(browser: Browser) -> Page:
    """A page of a person who was never here; measuring needs scripts of its own, which the page forbids."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=True).new_page()
    page.add_init_script(USABLE)
    return page


def log_in(browser: Browser, url: str, name: str) -> tuple[Page, float]:
    """Log in; the page, and milliseconds until its Inbox can be used."""
    page = a_page(browser)
    page.goto(url)
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.locator(LISTED).first.wait_for()
    return page, float(page.evaluate("took"))


def log_in_once(browser: Browser, url: str) -> float:
    """The same, and the page is closed: open pages of one person are told of all that the others do."""
    page, took = log_in(browser, url, "few")
    page.context.close()
    return took


def first_load(browser: Browser, url: str) -> float:
    """Kilobytes that come over the wire for the log-in page and Inbox together, with nothing cached."""
    page = a_page(browser)
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("Network.enable")
    octets = [0]
    session.on(
        "Network.loadingFinished",
        lambda event: octets.__setitem__(0, octets[0] + int(event["encodedDataLength"])),
    )
    page.goto(url)
    expect(page.locator("[data-hydrated='1']")).to_be_attached()
    page.get_by_label("Name", exact=True).fill("few")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.locator(".rows a.row").first.wait_for()
    page.context.close()
    return octets[0] / 1000


def open_mail(page: Page) -> float:
    """Open the newest mail."""
    home(page)
    return float(page.evaluate(UNTIL, [".rows a.row", "article h1", True]))


def compose(page: Page) -> float:
    """Begin a mail."""
    home(page)
    took = float(page.evaluate(UNTIL, [".rail [aria-label=Compose]", ".composer textarea.words", True]))
    page.locator(".composer header [aria-label^=Close]").click()
    expect(page.locator(".composer")).to_have_count(0)
    return took


def send(page: Page) -> float:
    """Send a mail."""
    home(page)
    page.locator(".rail [aria-label=Compose]").click()
    page.locator(".composer textarea.words").first.wait_for()
    page.get_by_role("textbox", name="To", exact=True).fill("grace@example.com")
    page.get_by_role("textbox", name="Subject").fill("Bench")
    page.get_by_role("textbox", name="Message").fill("Some words.")
    expect(page.locator(".chip")).to_have_count(1)
    return float(page.evaluate(UNTIL, [".composer button[type=submit]", ".composer", False]))


def turn(page: Page) -> float:
    """Go to Inbox from another place."""
    page.locator(".rail a[aria-label=Archive]").click()
    page.get_by_text("Nothing archived yet").wait_for()
    return float(page.evaluate(UNTIL, [".rail a[aria-label=Inbox]", ".rows a.row", True]))


def arrival(sender: Page, receiver: Page, number: int) -> float:
    """Milliseconds from Send of one to the row in the other's open Inbox."""
    subject = f"Between us {number}"
    home(sender)
    sender.locator(".rail [aria-label=Compose]").click()
    sender.locator(".composer textarea.words").first.wait_for()
    sender.get_by_role("textbox", name="To", exact=True).fill("few@localhost")
    sender.get_by_role("textbox", name="Subject").fill(subject)
    expect(sender.locator(".chip")).to_have_count(1)
    began = time.perf_counter()
    sender.locator(".composer button[type=submit]").click()
    receiver.locator("a.row").filter(has_text=subject).first.wait_for()
    return (time.perf_counter() - began) * 1000


def home(page: Page) -> None:
    """Be in Inbox, with no mail open."""
    page.goto(re.sub(r"(https?://[^/]+).*", r"\1/inbox", page.url))
    page.locator(LISTED).first.wait_for()


if __name__ == "__main__":
    sys.exit(main())
