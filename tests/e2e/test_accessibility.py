"""Every page in both themes, as axe-core judges it by WCAG 2.2 AA."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import compose, log_in

RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = (
    (390, "light"),
    (390, "dark"),
    (1280, "dark"),
    (1280, "light"),
)
"""Widths and themes in which each page is judged; what is done on a page is done in the last."""


def faults(page: Page) -> list[str]:
    """What axe finds, a line for each element."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{fault['id']}: {node['html'][:200]}" for fault in found for node in fault["nodes"]]


def test_no_page_has_a_fault_that_axe_can_find(browser: Browser, server: Server) -> None:
    # axe is put into the page as a script, which the page's own policy forbids; and what is still fading in is not
    # what anybody reads.
    context = browser.new_context(reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    found: dict[str, list[str]] = {}

    def judge(name: str, ready: Callable[[], None]) -> None:
        ready()
        for width, theme in LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=theme)
            if faulty := faults(page):
                found[f"{name}, {width}, {theme}"] = faulty

    page.goto(server.url)
    judge("log in", lambda: expect(page.get_by_role("button", name="Log in")).to_be_visible())
    log_in(page, server.url, "axel")
    judge("empty inbox", lambda: expect(page.get_by_text("No mail here yet")).to_be_visible())
    compose(
        page,
        "grace@example.com; bob@",
        "Notes",
        "Some words\n\n> one\n> two\n> three\n> four\n\nhttps://example.com/",
    )
    judge("compose", lambda: expect(page.locator(".chip.err")).to_be_visible())
    page.get_by_role("button", name=re.compile("Remove.*bob")).click()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page).to_have_url(re.compile("/sent"))
    judge("sent", lambda: expect(page.get_by_role("list", name="Deliveries")).to_contain_text("took it"))
    page.goto(f"{server.url}/inbox")
    page.locator("a.row").first.click()
    judge("reading", lambda: expect(page.get_by_role("article")).to_contain_text("Some words"))
    for path, words in (
        ("/drafts", "No drafts"),
        ("/trash", "empty"),
        ("/search?q=nothing", "Nothing"),
        ("/contacts", "grace@example.com"),
        ("/settings", "What happened"),
    ):
        page.goto(server.url + path)
        judge(path, lambda words=words: expect(page.get_by_text(re.compile(words)).first).to_be_visible())  # type: ignore[misc]
    context.close()
    assert not found, "\n".join(f"{page}: {line}" for page, lines in found.items() for line in lines)
