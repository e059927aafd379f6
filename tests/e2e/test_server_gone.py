"""What a person sees while the server is away, and once it is back."""

from __future__ import annotations

import socket
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from redis import Redis

from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import compose, log_in
from tests.redis_server import redis_server
from tests.store import postgres


def test_the_page_says_that_the_server_is_gone_and_goes_on_by_itself_with_what_was_typed(
    browser: Browser, var: Path
) -> None:
    server = Server(var)
    server.start()
    page = browser.new_page()
    log_in(page, server.url, "ada")
    compose(page, "grace@example.com", "Plans", "Written before")
    server.kill()
    message = page.get_by_role("textbox", name="Message")
    message.press_sequentially(" and while it is away")
    to = page.get_by_role("textbox", name="To", exact=True)
    to.press_sequentially("bob@example.net;")
    to.press_sequentially("carl@exam")
    expect(page.get_by_role("alert").filter(has_text="The server does not answer")).to_be_visible(
        timeout=20_000
    )
    server.start()
    expect(page.get_by_role("alert").filter(has_text="The server does not answer")).to_be_hidden(
        timeout=60_000
    )
    expect(message).to_have_value("Written before and while it is away")
    expect(to).to_have_value("carl@exam")
    to.press_sequentially("ple.org")
    expect(page.locator(".chip")).to_have_text(["grace@example.com", "bob@example.net"])
    page.get_by_role("button", name="Send", exact=True).click()
    deliveries = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    expect(deliveries.get_by_text("sent", exact=True)).to_have_count(3, timeout=20_000)
    page.close()
    server.stop()


def test_the_page_when_the_database_is_away_then_says_so_and_goes_on_by_itself(
    browser: Browser, var: Path
) -> None:
    with postgres.private_postgres("fsync=off") as url:
        server = Server(var, BITMAIL_DATABASE_URL=url)
        server.start()
        page = browser.new_page()
        log_in(page, server.url, "ada")
        compose(page, "grace@example.com", "Plans", "Written before")
        postgres.stop(postgres.folder_of(url))
        go_on_while_it_is_away(page)
        postgres.start(postgres.folder_of(url))
        expect_back(page)
        page.close()
        server.stop()


def test_the_page_when_redis_is_away_and_comes_back_empty_then_says_so_and_nothing_typed_is_lost(
    browser: Browser, var: Path
) -> None:
    port = free_port()
    server = Server(var, BITMAIL_REDIS_URL=f"redis://127.0.0.1:{port}/0")
    with redis_server("127.0.0.1", port):
        server.start()
        page = browser.new_page()
        log_in(page, server.url, "ada")
        compose(page, "grace@example.com", "Plans", "Written before")
    go_on_while_it_is_away(page)
    with redis_server("127.0.0.1", port):
        expect_back(page)
        page.close()
        server.stop()


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_page_when_nobody_touches_it_for_long_then_nothing_of_it_is_forgotten(
    browser: Browser, var: Path, is_shared: bool
) -> None:
    port = free_port()
    shared = {"BITMAIL_REDIS_URL": f"redis://127.0.0.1:{port}/0"} if is_shared else {}
    server = Server(var, REFLEX_REDIS_TOKEN_EXPIRATION="3", **shared)  # an hour elsewhere
    with redis_server("127.0.0.1", port) if is_shared else nullcontext():
        server.start()
        page = browser.new_page()
        log_in(page, server.url, "ada")
        compose(page, "grace@example.com", "Plans", "Written before")
        expect(page.get_by_text("Saved")).to_be_visible()
        page.wait_for_timeout(7000)
        page.get_by_role("textbox", name="Message").press_sequentially(" and after")
        send(page, "Written before and after")
        expect_sent(page)
        page.close()
        server.stop()


@pytest.mark.parametrize("act", ["type", "list"])
def test_the_page_when_redis_forgets_it_then_connects_anew_and_nothing_typed_is_lost(
    browser: Browser, var: Path, act: str
) -> None:
    port = free_port()
    server = Server(var, BITMAIL_REDIS_URL=f"redis://127.0.0.1:{port}/0")
    with redis_server("127.0.0.1", port), closing(Redis(port=port)) as redis:
        server.start()
        page = browser.new_page()
        log_in(page, server.url, "ada")
        compose(page, "grace@example.com", "Plans", "Written before")
        expect(page.get_by_text("Saved")).to_be_visible()
        redis.flushall()
        with page.expect_websocket():
            if act == "type":
                page.get_by_role("textbox", name="Message").press_sequentially(" and after")
            else:
                page.get_by_role("link", name="Archive").click()
        expect(page.locator("[data-hydrated='1']")).to_be_attached()
        send(page, "Written before and after" if act == "type" else "Written before")
        expect_sent(page)
        page.close()
        server.stop()


def go_on_while_it_is_away(page: Page) -> None:
    """A click, after which the page says what it has to, and more words."""
    page.get_by_role("link", name="Archive").click()
    expect(page.get_by_role("alert").filter(has_text="The server does not answer")).to_be_visible()
    page.get_by_role("textbox", name="Message").press_sequentially(" and while it is away")


def expect_back(page: Page) -> None:
    """The page goes on with all that was written, and sends it."""
    away = page.get_by_role("alert").filter(has_text="The server does not answer")
    expect(away).to_be_hidden(timeout=60_000)
    send(page, "Written before and while it is away")
    expect_sent(page)


def send(page: Page, text: str) -> None:
    """Send what is still there."""
    expect(page.get_by_role("textbox", name="Message")).to_have_value(text)
    page.get_by_role("button", name="Send", exact=True).click()


def expect_sent(page: Page) -> None:
    """What was sent is shown, once."""
    deliveries = page.get_by_role("list", name="Deliveries").get_by_role("listitem")
    expect(deliveries.get_by_text("sent", exact=True)).to_have_count(1)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        return int(free.getsockname()[1])
