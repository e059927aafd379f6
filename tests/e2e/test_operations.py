"""The operator's page in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.bitmail.conftest import PASSWORD, make_service
from tests.e2e.server import Server
from tests.e2e.test_danish import no_english_remains


def test_an_operator_sees_a_mail_go_out_and_takes_a_provider_out(browser: Browser, var: Path) -> None:
    server = Server(
        var, BITMAIL_OPERATORS="ada", BITMAIL_PROVIDERS="loopback?name=first loopback?name=second"
    )
    service = make_service(var)
    service.model.accounts.create("ada", PASSWORD)
    service.stop()
    server.start()
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(server.url)
    page.get_by_label("Name", exact=True).fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Operations").click()
    page.wait_for_url("**/ops")
    first = page.get_by_role("article", name="first")
    expect(first.get_by_text("in service")).to_be_visible()
    expect(page.get_by_role("figure")).to_have_count(2)

    answer = context.request.post(
        f"{server.url}/api/login",
        headers={"Authorization": "Basic " + _basic("ada", PASSWORD), "Origin": server.url},
    )
    session = answer.json()["session"]
    context.request.post(
        f"{server.url}/api/sendmail",
        data={"to": "grace@example.com", "subject": "Seen by the operator", "text": "x"},
        headers={"Authorization": f"Bearer {session}", "Origin": server.url},
    )
    there = page.get_by_role("region", name="Web servers").get_by_role("listitem")
    expect(there).to_have_count(1)
    expect(there).to_contain_text(f":{server.process_id}version")
    page.get_by_label("What is known of it").fill("seen by")
    page.get_by_role("button", name="Find", exact=True).click()
    found = page.get_by_role("region", name="Find a mail")
    expect(found.get_by_text("Seen by the operator")).to_be_visible()
    found.get_by_role("button", name="Show").first.click()
    expect(found.get_by_text("accepted, and on disk")).to_be_visible()

    first.get_by_role("button", name="Take out").click()
    expect(first.get_by_text("in service")).to_be_visible()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("ada took first out of service.")).to_be_visible()
    expect(first.get_by_text("out", exact=True)).to_be_visible(timeout=20_000)
    events = page.get_by_role("region", name="Events")
    expect(events.get_by_text("first is out of service until an operator puts it back.")).to_be_visible()
    page.screenshot(path=str(var.parent / "ops.png"), full_page=True)
    assert not complaints
    context.close()
    reads_it_in_danish(browser, server)
    assert server.stop() == 0
    assert not server.errors()


def reads_it_in_danish(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 1400}, locale="da-DK")
    page = context.new_page()
    page.goto(f"{server.url}/ops")
    page.get_by_label("Navn", exact=True).fill("ada")
    page.get_by_label("Adgangskode").fill(PASSWORD)
    page.get_by_role("button", name="Log ind").click()
    page.wait_for_url("**/ops")
    first = page.get_by_role("article", name="first")
    expect(first.get_by_text("ude af drift")).to_be_visible()
    first.get_by_role("button", name="Sæt i drift").click()
    expect(page.get_by_text("Sæt first i drift igen?")).to_be_visible()
    no_english_remains(page)
    page.get_by_role("button", name="Ja").click()
    expect(page.get_by_text("ada satte first i drift igen.")).to_be_visible()
    no_english_remains(page)
    context.close()


def _basic(name: str, password: str) -> str:
    import base64

    return base64.b64encode(f"{name}:{password}".encode()).decode()
