"""The HTTP API, as scripts call it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from bitmail import frontend
from bitmail.current import SESSION_COOKIE
from bitmail.service import Service
from bitmail.shield import BODY_LIMIT, Shield
from bitmail.version import version
from tests.bitmail.conftest import PASSWORD, logged_in

Api = Callable[[], httpx.AsyncClient]


def test_alive_and_version_answer_anyone(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            for path in ("/api/alive", "/api/version"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()) == (200, {"version": version()})

    asyncio.run(calls())


def test_a_script_logs_in_sends_watches_and_logs_out(api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            cookie = (await client.post("/api/login", auth=("ada", PASSWORD))).headers["set-cookie"]
            assert cookie.startswith(SESSION_COOKIE)
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            mail = {"to": "grace@example.com; bob@example.net", "subject": "Hi", "text": "x"}
            answers = [
                await client.post("/api/sendmail", json=mail, headers={"Idempotency-Key": "one"})
                for _ in range(2)
            ]
            assert [answer.status_code for answer in answers] == [202, 202]
            assert answers[0].json() == answers[1].json()
            other = await client.post(
                "/api/sendmail", json=mail | {"text": "y"}, headers={"Idempotency-Key": "one"}
            )
            assert other.status_code == 409
            submission = answers[0].json()["submission"]
            async with asyncio.timeout(20):
                while True:
                    shown = (await client.get(f"/api/submissions/{submission}")).json()
                    if all(delivery["status"] == "sent" for delivery in shown["deliveries"]):
                        break
            assert [delivery["recipient"] for delivery in shown["deliveries"]] == [
                "grace@example.com",
                "bob@example.net",
            ]
            assert shown["deliveries"][0]["attempts"][0].keys() == {
                "provider",
                "outcome",
                "at",
                "ms",
                "detail",
            }
            notices = (await client.get("/api/alive")).json()["notices"]
            assert {notice["submission"] for notice in notices} == {submission}
            assert (await client.get("/api/alive")).json()["notices"] == []
            async with logged_in(api(), "eve") as stranger:
                assert (await stranger.get(f"/api/submissions/{submission}")).status_code == 404
            assert (await client.post("/api/logout")).status_code == 204
            assert (await client.get(f"/api/submissions/{submission}")).status_code == 401

    asyncio.run(calls())


def test_without_a_session_nothing_is_sent_and_nothing_is_told(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            assert (await client.post("/api/sendmail", json={"to": "a@example.com"})).status_code == 401
            assert (await client.get("/api/submissions/1")).status_code == 401
            assert (await client.post("/api/logout")).status_code == 401
            assert "notices" not in (await client.get("/api/alive")).json()
            assert (await client.post("/api/login", auth=("ada", "short"))).status_code == 401
            assert (
                await client.post("/api/login", headers={"Authorization": "Basic ///"})
            ).status_code == 401

    asyncio.run(calls())


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (b'{"to": "ann; bob@example.com"}', "to", "ann"),
        (b'{"to": ["a@example.com"]}', "to", ""),
        (b'{"to": "a@example.com", "surprise": 1}', "surprise", ""),
        (b'{"to": "a@example.com", "attachments": [{"name": "x", "content": "%"}]}', "attachments.0", "x"),
        (b"no json", "body", ""),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused_naming_the_field(
    api: Api, body: bytes, field: str, value: str
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            answer = await client.post("/api/sendmail", content=body)
            assert answer.status_code == 422
            error = answer.json()["errors"][0]
            assert (error["field"], error["value"]) == (field, value)
            assert error["reason"]

    asyncio.run(calls())


def test_a_finished_mail_of_somebody_else_is_refused(api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            for sender in (b"From: eve@localhost", b"From: ada@localhost\r\nFrom: eve@localhost"):
                answer = await client.post(
                    "/api/sendmail",
                    content=sender + b"\r\nTo: a@example.com\r\n\r\nx",
                    headers={"Content-Type": "message/rfc822"},
                )
                assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "From")

    asyncio.run(calls())


def test_the_shield_refuses_other_origins_large_bodies_and_guards_the_pages(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            foreign = await client.post(
                "/enter", data={"name": "a"}, headers={"Origin": "https://evil.example"}
            )
            assert foreign.status_code == 403
            assert (await client.post("/_upload")).status_code == 404
            large = await client.post(
                "/api/sendmail", headers={"Content-Length": str(BODY_LIMIT + 1)}, content=b""
            )
            assert large.status_code == 413
            for page in ("/", "/inbox", "/sent/", "/compose?draft=x"):
                answer = await client.get(page)
                assert (answer.status_code, answer.headers["location"]) == (303, "/login")
            policy = (await client.get("/api/alive")).headers["content-security-policy"]
            assert "unsafe-eval" not in policy
            assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]

    asyncio.run(calls())


def test_the_log_in_form_gives_a_cookie_or_says_why_not(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            refused = await client.post("/enter", data={"name": "ada", "password": "short"})
            assert (refused.status_code, refused.headers["location"]) == (303, "/login")
            assert SESSION_COOKIE not in client.cookies
            entered = await client.post("/enter", data={"name": "ada", "password": PASSWORD})
            assert entered.headers["location"] == "/inbox"
            assert (await client.get("/login")).headers["location"] == "/inbox"
            await client.post("/leave")
            assert (await client.get("/inbox")).headers["location"] == "/login"

    asyncio.run(calls())


def test_a_page_token_is_worth_nothing_without_the_cookie_of_its_session(service: Service) -> None:
    reached: list[str] = []

    async def inner(scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(parse_qs(scope["query_string"].decode())["token"][0])

    async def connect(cookie: str, host: str = "mail.test", origin: str = "http://mail.test") -> None:
        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            assert message["type"] == "websocket.close"

        headers = [(b"host", host.encode()), (b"origin", origin.encode()), (b"cookie", cookie.encode())]
        await Shield(inner, frontend.CLIENT, (), service.secret)(
            {
                "type": "websocket",
                "path": "/_event/",
                "query_string": b"token=stolen&EIO=4",
                "headers": headers,
            },
            receive,
            send,
        )

    async def calls() -> None:
        await connect(f"{SESSION_COOKIE}=mine")
        await connect(f"{SESSION_COOKIE}=mine")
        await connect(f"{SESSION_COOKIE}=theirs")
        await connect("")
        await connect(f"{SESSION_COOKIE}=mine", origin="https://evil.example")

    asyncio.run(calls())
    assert reached[0] == reached[1]
    assert len(set(reached)) == 3
    assert len(reached) == 4, "a page of another site got through"
    assert "stolen" not in "".join(reached)
