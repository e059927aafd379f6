"""Attacks by mail, opened one after the other in the real page: nothing runs, nothing leaves, nothing is covered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from bitmail.mailboxes import MailboxName
from mta.incoming import IncomingMail
from tests.bitmail.conftest import make_service
from tests.corpus.hostile.attacks import Attack, attacks
from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import PASSWORD, log_in

OPEN = """
async ({ id, subject, framed }) => {
  document.querySelector(`a.row[href*='mail=${id}']`).click();
  const until = performance.now() + 15000;
  for (;;) {
    const frame = document.querySelector('iframe.paper');
    const shown = document.querySelector('article h1')?.textContent === subject;
    // Its height is set once it has loaded.
    const ready = framed ? frame?.getAttribute('src') === `/mail/${id}/view?images=0` && frame.style.height : !frame;
    if (shown && ready) return true;
    if (performance.now() > until) return false;
    await new Promise(requestAnimationFrame);
  }
}
"""
"""Clicks on a mail and waits until it is shown."""
FINDINGS = """
() => {
  const found = [];
  if (window.ran || document.title === 'ran') found.push('a script ran');
  const frame = document.querySelector('iframe.paper');
  const places = [[8, 8], [8, innerHeight - 8], [innerWidth - 8, 8], [innerWidth / 4, innerHeight / 2]];
  if (places.some(([x, y]) => document.elementFromPoint(x, y) === frame && frame)) found.push('the frame covers');
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth + 1 || page.scrollHeight > innerHeight + 1) found.push('the page grew');
  const documents = [document.querySelector('article')];
  if (frame) {
    const inner = frame.contentDocument;
    if (!inner || !/^\\/mail\\/\\d+\\/view$/.test(inner.location.pathname)) return [...found, 'the frame went away'];
    documents.push(inner.documentElement);
    const box = frame.getBoundingClientRect(), around = frame.parentElement.getBoundingClientRect();
    if (box.left < around.left - 1 || box.right > around.right + 1) found.push('the frame is too wide');
    if (inner.querySelector(`script,iframe,frame,object,embed,form,input,button,textarea,select,link,base,svg,math,
      video,audio,source,track,dialog,template,portal,[popover],[id],[srcset],[ping],[background],[action],
      [contenteditable],[autofocus],[srcdoc]`)) found.push('an element that is not allowed');
    for (const one of inner.querySelectorAll('*'))
      if (/fixed|absolute|sticky/.test(inner.defaultView.getComputedStyle(one).position)) found.push('it is placed');
  }
  for (const one of documents) for (const element of one.querySelectorAll('*')) {
    for (const { name, value } of element.attributes)
      if (/^on/i.test(name)) found.push(`${element.tagName} has ${name}`);
    const href = element.tagName === 'A' ? element.getAttribute('href') : null;
    if (href === null) continue;
    if (!/^(https?|tel|mailto):$/.test(element.protocol)) found.push(`a link leads to ${href}`);
    if (element.host === location.host && !/^[/](mail|compose|inbox)[/?]/.test(href))
      found.push(`a link leads to ${href}`);
  }
  return found;
}
"""
"""What is wrong with the page as it is now."""


@pytest.fixture
def filed(var: Path) -> Iterator[tuple[Server, dict[int, Attack], list[int | None]]]:
    """A server with every attack in ada's INBOX; the ids of the mails, and where the pages of the list begin."""
    service = make_service(var)
    service.model.log_in("ada", PASSWORD)
    sent = list(attacks())
    for number, attack in enumerate(sent):
        service.model.receive(
            IncomingMail(str(number), "eve@example.com", "ada@localhost", attack.raw, 1.8e9 + number)
        )
    by_subject = {attack.subject: attack for attack in sent}
    mails: dict[int, Attack] = {}
    starts: list[int | None] = [None]
    while True:
        page = service.model.mailboxes.page("ada", MailboxName.INBOX, starts[-1])
        mails |= {mail.id: by_subject[mail.subject] for mail in page.mails}
        if page.older is None:
            break
        starts.append(page.older)
    service.stop()
    server = Server(var)
    server.start()
    yield server, mails, starts
    assert server.stop() == 0
    assert not server.errors()


def test_attacks_by_mail_when_opened_then_none_runs_loads_covers_or_leads_away(
    browser: Browser, filed: tuple[Server, dict[int, Attack], list[int | None]]
) -> None:
    server, mails, starts = filed
    assert len(mails) >= 150
    context = browser.new_context(viewport={"width": 1280, "height": 800}, bypass_csp=False)
    page = context.new_page()
    events: list[str] = []
    _watch(page, server.url, events)
    log_in(page, server.url, "ada")
    expect(page.locator("a.row").first).to_be_visible()
    events.clear()
    failures: dict[str, list[str]] = {}
    opened = 0
    for start in starts:
        if start is not None:
            page.goto(f"{server.url}/inbox?before={start}")
            expect(page.locator("[data-hydrated='1']")).to_be_attached()
        expect(page.locator("a.row").first).to_be_visible()
        for id in [
            _id(row) for row in page.locator("a.row").evaluate_all("rows => rows.map(row => row.href)")
        ]:
            attack = mails[id]
            found = [*_open(page, id, attack), *events]
            events.clear()
            if found:
                failures[f"{attack.subject}: {attack.raw[-150:]!r}"] = found
            opened += 1
    context.close()
    assert opened == len(mails)
    assert not failures, "\n".join(f"{mail}\n    {found}" for mail, found in failures.items())


def _open(page: Page, id: int, attack: Attack) -> list[str]:
    """Click on the mail, wait until it is shown, and say what is wrong then."""
    asked = {"id": id, "subject": attack.subject, "framed": attack.has_frame}
    if not page.evaluate(OPEN, asked):
        return ["it was not shown"]
    found: list[Any] = page.evaluate(FINDINGS)
    return [str(one) for one in found]


def _watch(page: Page, url: str, events: list[str]) -> None:
    """Write down whatever must not happen."""

    def caught(route: Route) -> None:
        events.append(f"it asked for {route.request.url}")
        route.abort()

    def asked(dialog: Any) -> None:
        events.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def went(frame: Any) -> None:
        if frame == page.main_frame and not frame.url.startswith(f"{url}/inbox") and len(events) < 1000:
            events.append(f"the page went to {frame.url}")

    page.context.route(lambda asked: not asked.startswith((f"{url}/", "data:")), caught)
    page.on("dialog", asked)
    page.on("framenavigated", went)
    page.on("popup", lambda other: events.append(f"a window opened: {other.url}"))
    page.on("pageerror", lambda error: events.append(f"an error: {error}"))
    # The browser tells here of each breach of a Content-Security-Policy and of the sandbox, in frames as well.
    page.on("console", lambda said: events.append(said.text) if said.type in ("error", "warning") else None)
    page.on("download", lambda download: events.append(f"a download: {download.url}"))


def _id(href: str) -> int:
    return int(href.partition("mail=")[2].partition("&")[0])
