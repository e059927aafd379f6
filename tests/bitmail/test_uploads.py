"""Files on their way in: only with a session, only from our own pages, and only to the page they were given on."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from bitmail import frontend
from bitmail.current import SESSION_COOKIE
from bitmail.service import Service
from bitmail.shield import BODY_LIMIT, Shield
from tests.bitmail.conftest import PASSWORD


class Inside:
    """What is behind the shield: it says what it was told about the page."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        query = parse_qs(scope["query_string"].decode()).get("token", [""])[0]
        self.tokens.append(request.headers.get("reflex-client-token", query))
        await PlainTextResponse("taken")(scope, receive, send)


def post(service: Service, inside: Inside, secret: str, **headers: str) -> httpx.Response:
    shield = Shield(inside, frontend.CLIENT, (), service.secret)

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(shield)
        async with httpx.AsyncClient(transport=transport, base_url="http://mail.test") as client:
            given = {"Reflex-Client-Token": "page", "Cookie": f"{SESSION_COOKIE}={secret}"} | headers
            return await client.post("/_upload", headers=given, content=b"file")

    return asyncio.run(call())


@pytest.mark.parametrize("secret", ["", "no-such-session"])
def test_a_stranger_gets_nothing_in(service: Service, secret: str) -> None:
    inside = Inside()
    assert post(service, inside, secret).status_code == 404
    assert inside.tokens == []


def test_a_page_of_another_site_and_a_body_too_large_get_nothing_in(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    inside = Inside()
    assert post(service, inside, secret, Origin="https://evil.example").status_code == 403
    assert post(service, inside, secret, **{"Content-Length": str(BODY_LIMIT + 1)}).status_code == 413
    assert inside.tokens == []


def test_the_page_of_somebody_else_cannot_be_named_and_ones_own_is_that_of_the_websocket(
    service: Service,
) -> None:
    _, ada = service.model.log_in("ada", PASSWORD)
    _, eve = service.model.log_in("eve", PASSWORD)
    inside = Inside()
    for secret in (ada, eve, ada):
        assert post(service, inside, secret).text == "taken"
    assert inside.tokens[0] == inside.tokens[2] != inside.tokens[1]
    assert "page" not in inside.tokens

    async def connect() -> None:
        transport = httpx.ASGITransport(Shield(inside, frontend.CLIENT, (), service.secret))
        async with httpx.AsyncClient(transport=transport, base_url="http://mail.test") as client:
            await client.get("/_event/?token=page", headers={"Cookie": f"{SESSION_COOKIE}={ada}"})

    asyncio.run(connect())
    assert inside.tokens[3] == inside.tokens[0]


def test_what_was_uploaded_is_not_handed_out_by_the_same_address(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    inside = Inside()

    async def get() -> int:
        transport = httpx.ASGITransport(Shield(inside, frontend.CLIENT, (), service.secret))
        async with httpx.AsyncClient(transport=transport, base_url="http://mail.test") as client:
            answer = await client.get("/_upload/a.txt", headers={"Cookie": f"{SESSION_COOKIE}={secret}"})
            return answer.status_code

    assert asyncio.run(get()) == 404
    assert inside.tokens == []
