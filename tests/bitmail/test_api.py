"""The HTTP API, as scripts call it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from urllib.parse import parse_qs

import httpx
import pyotp
import pytest
from sqlalchemy import text
from starlette import types
from starlette.types import Message, Receive, Send

from bitmail import forms, frontend
from bitmail.accounts import WRONG_NOW
from bitmail.current import SESSION_COOKIE
from bitmail.door import PER_ACCOUNT, Client
from bitmail.errors import LogInRefused, Refused
from bitmail.mailboxes import MailboxName
from bitmail.passwords import COMMON
from bitmail.refusal import REFUSAL_COOKIE
from bitmail.service import NoPages, Service
from bitmail.shield import BODY_LIMIT, Shield
from bitmail.tokens import Scope, Tokens
from bitmail.version import version
from mta.pruner import Pruner
from store import MemoryStore
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
            for page, way_in in (
                ("/", "/login"),
                ("/inbox", "/login"),
                ("/sent/", "/login?next=%2Fsent"),
                ("/compose?draft=x", "/login?next=%2Fcompose%3Fdraft%3Dx"),
            ):
                answer = await client.get(page)
                assert (answer.status_code, answer.headers["location"]) == (303, way_in)
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


def test_a_page_that_stays_gets_an_answer_for_its_frame_and_a_session_begins_in_the_browsers_zone(
    api: Api, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconnected: list[str] = []

    class Pages(NoPages):
        def is_open(self, token: str) -> bool:
            return token == "its token"

        def reconnect(self, token: str) -> None:
            reconnected.append(token)

    service.pages = Pages()
    monkeypatch.setattr(forms, "AGAIN", 0.0)

    async def calls() -> None:
        async with api() as client:
            typed = {"name": "ada", "password": PASSWORD, "stays": "its token"}
            for given, kept in (("Asia/Tokyo", "Asia/Tokyo"), ("Mars/Olympus", "UTC")):
                refused = await client.post("/enter", data=typed | {"password": "no"})
                entered = await client.post("/enter", data=typed | {"zone": given})
                for answer, asks in ((refused, "1"), (entered, "")):
                    frame = f'<!doctype html><body data-answer="{asks}">'
                    assert (answer.status_code, answer.text) == (200, frame)
                    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
                    policy = "default-src 'none'; frame-ancestors 'self'"
                    assert answer.headers["content-security-policy"] == policy
                assert REFUSAL_COOKIE in refused.cookies
                assert {reconnected.pop(), reconnected.pop()} == {"its token"}
                assert not reconnected, "who was refused is still who they were"
                session = service.model.sessions.find(client.cookies[SESSION_COOKIE])
                assert session is not None
                assert session.zone == kept
            elsewhere = await client.post("/enter", data=typed | {"stays": "of another host"})
            assert 'data-answer="1"' in elsewhere.text
            assert not reconnected

    asyncio.run(calls())


def test_who_asked_for_a_page_when_let_in_then_gets_it_and_is_led_to_no_other_site(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            typed = {"name": "ada", "password": PASSWORD}
            refused = await client.post("/enter", data=typed | {"password": "no", "next": "/sent?mail=7"})
            assert refused.headers["location"] == "/login?next=%2Fsent%3Fmail%3D7"
            for page, led_to in (
                ("/sent?mail=7", "/sent?mail=7"),
                ("https://evil.example/sent", "/sent"),
                ("//evil.example/sent", "/sent"),
                ("//evil.example", "/inbox"),
                ("/\\evil.example", "/inbox"),
                ("/leave", "/inbox"),
                ("/sent\r\nSet-Cookie: x=y", "/inbox"),
                ("/sent?q=\r\nSet-Cookie: x=y", "/sent?q=Set-Cookie%3A+x%3Dy"),
                ("javascript:alert(1)", "/inbox"),
                ("http://[", "/inbox"),
            ):
                entered = await client.post("/enter", data=typed | {"next": page})
                assert entered.headers["location"] == led_to, page
                assert "x" not in entered.cookies

    asyncio.run(calls())


def test_a_page_token_is_worth_nothing_without_the_cookie_of_its_session(service: Service) -> None:
    reached: list[str] = []

    async def inner(scope: types.Scope, _receive: Receive, _send: Send) -> None:
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


def test_a_token_may_do_what_it_was_made_for_until_it_expires_or_ends(service: Service, api: Api) -> None:
    tokens = service.model.tokens
    mail = {"to": "grace@example.com", "text": "x"}

    async def calls() -> None:
        async with logged_in(api()) as client:
            assert (await client.post("/api/logout")).status_code == 204
        async with api() as client:
            secrets = {
                scope: tokens.make("ada", f"to {scope}", [scope], days=1)
                for scope in (Scope.SEND, Scope.READ)
            }
            client.headers["Authorization"] = f"Bearer {secrets[Scope.SEND]}"
            sent = await client.post("/api/sendmail", json=mail)
            assert sent.status_code == 202
            address = f"/api/submissions/{sent.json()['submission']}"
            assert (await client.get(address)).status_code == 403
            assert (await client.post("/api/logout")).status_code == 401
            client.headers["Authorization"] = f"Bearer {secrets[Scope.READ]}"
            assert (await client.get(address)).status_code == 200
            assert (await client.post("/api/sendmail", json=mail)).status_code == 403
            token = next(token for token in tokens.of("ada") if Scope.READ in token.scopes)
            assert not tokens.end("eve", token.id)
            assert (await client.get(address)).status_code == 200
            assert tokens.end("ada", token.id)
            assert (await client.get(address)).status_code == 401
        assert all(secret not in repr(service.store.get({})) for secret in secrets.values())

    asyncio.run(calls())


def test_a_token_expires_and_a_bad_one_is_not_made() -> None:
    now = [1000.0]
    tokens = Tokens(MemoryStore(), clock=lambda: now[0])
    secret = tokens.make("ada", "backup", [Scope.READ], days=1)
    now[0] += 86_399
    assert tokens.find(secret) is not None
    now[0] += 1
    assert tokens.find(secret) is None
    for name, scopes, days in (("", [Scope.READ], 1), ("x", [], 1), ("x", [Scope.READ], 10_000)):
        with pytest.raises(Refused):
            tokens.make("ada", name, scopes, days)


def test_too_many_guesses_are_answered_with_the_time_to_wait(api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()), api() as client:
            guesses = [
                await client.post("/api/login", auth=("ada", "wrong password"))
                for _ in range(PER_ACCOUNT.free)
            ]
            assert {guess.status_code for guess in guesses} == {401}
            # The first waits are shorter than a slow machine takes for one guess; they double.
            while (
                answer := await client.post("/api/login", auth=("ada", "wrong password"))
            ).status_code != 429:
                guesses.append(answer)
                assert len(guesses) < PER_ACCOUNT.free + 8
            assert 0 < int(answer.headers["retry-after"]) <= PER_ACCOUNT.most

    asyncio.run(calls())


def test_a_second_factor_is_asked_for_by_form_and_by_header(service: Service, api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()), api() as client:
            model = service.model
            app = pyotp.TOTP(model.second_factor.begin("ada", "ada@localhost").secret)
            codes = model.second_factor.confirm("ada", app.now())
            refused = await client.post("/api/login", auth=("ada", PASSWORD))
            assert refused.status_code == 401
            assert "BitMail-Code" in refused.json()["error"]
            header = {"BitMail-Code": codes[0]}
            assert (
                await client.post("/api/login", auth=("ada", PASSWORD), headers=header)
            ).status_code == 200
            client.cookies.clear()
            first = await client.post("/enter", data={"name": "ada", "password": PASSWORD})
            assert (first.status_code, first.headers["location"]) == (303, "/login")
            assert SESSION_COOKIE not in client.cookies
            wrong = await client.post("/enter/code", data={"code": "nonsense"})
            assert (wrong.headers["location"], SESSION_COOKIE in client.cookies) == ("/login", False)
            right = await client.post("/enter/code", data={"code": codes[1]})
            assert (right.headers["location"], SESSION_COOKIE in client.cookies) == ("/inbox", True)

    asyncio.run(calls())


def test_a_new_password_ends_every_session_but_begins_one_for_this_browser(service: Service) -> None:
    model = service.model
    _, here = model.log_in("ada", PASSWORD)
    _, elsewhere = model.log_in("ada", PASSWORD)
    session = model.sessions.find(here)
    assert session is not None
    with pytest.raises(LogInRefused, match=WRONG_NOW):
        model.change_password(session, "not this one", "another horse battery", Client())
    with pytest.raises(LogInRefused, match=COMMON):
        model.change_password(session, PASSWORD, "password1", Client())
    assert model.sessions.find(elsewhere) is not None
    anew = model.change_password(session, PASSWORD, "another horse battery", Client())
    assert (model.sessions.find(here), model.sessions.find(elsewhere)) == (None, None)
    assert model.sessions.find(anew) is not None
    model.log_in("ada", "another horse battery")


def test_sessions_are_listed_and_ended_by_their_owner_alone(service: Service) -> None:
    model = service.model
    _, secret = model.log_in("ada", PASSWORD)
    model.log_in("eve", PASSWORD)
    (visit,) = model.sessions.of("ada")
    assert not model.end_session("eve", visit.id)
    assert model.sessions.find(secret) is not None
    assert model.end_session("ada", visit.id)
    assert model.sessions.find(secret) is None
    assert model.sessions.of("ada") == []


def test_submission_when_it_was_pruned_then_shown_as_before(
    api: Api, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.time() + 60

    async def calls() -> None:
        async with logged_in(api()) as client:
            mail = {"to": "grace@example.com; bob@example.net", "subject": "Hi", "text": "x"}
            address = (
                f"/api/submissions/{(await client.post('/api/sendmail', json=mail)).json()['submission']}"
            )
            async with asyncio.timeout(20):
                while True:
                    shown = (await client.get(address)).json()
                    if all(delivery["status"] == "sent" for delivery in shown["deliveries"]):
                        break
            sent = service.model.mailboxes.page("ada", MailboxName.SENT).mails
            with service.database.transaction() as connection:
                connection.execute(text("UPDATE spool_chores SET due = 0"))
            assert Pruner(service.database, 1.0, lambda: later).prune() == 1
            assert (await client.get(address)).json() == shown
            assert service.model.mailboxes.page("ada", MailboxName.SENT).mails == sent
            assert service.model.mailboxes.content("ada", sent[0].id).text.strip() == "x"

    asyncio.run(calls())
