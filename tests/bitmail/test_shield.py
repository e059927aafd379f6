"""The shield in front of every route: headers on every answer, and nothing changed for pages of other sites."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from starlette.routing import Route

from bitmail import frontend
from bitmail.bitmail import http
from bitmail.current import SESSION_COOKIE
from bitmail.rates import Pace, Room, TooSlow, hurried
from bitmail.routes import GUARDED, HOOKS, LOG_IN
from bitmail.service import Service
from bitmail.shield import AWAY, SAFE_METHODS, Shield
from store import Database, StoreUnavailable
from tests.bitmail.conftest import PASSWORD

ROUTES = [
    (method, re.sub(r"\{[^}]*\}", "1", route.path))
    for route in http.routes
    if isinstance(route, Route)
    for method in sorted(route.methods or ())
]
EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def client(service: Service, origins: tuple[str, ...] = ()) -> httpx.AsyncClient:
    shield = Shield(http, frontend.CLIENT, origins, service.secret)
    base = origins[0] if origins else "http://mail.test"
    return httpx.AsyncClient(transport=httpx.ASGITransport(shield, raise_app_exceptions=False), base_url=base)


def test_anything_when_the_database_is_away_then_a_sentence_says_so_and_when_to_ask_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = service.model.log_in("ada", PASSWORD)[1]

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    for name in ("look", "read", "transaction", "write", "write_soon"):
        monkeypatch.setattr(Database, name, away)

    async def calls() -> None:
        async with client(service) as asked:
            asked.cookies.set(SESSION_COOKIE, secret)
            asked.headers["Authorization"] = f"Bearer {secret}"
            for path in ("/", *GUARDED, "/_upload"):
                answer = await asked.request("POST" if path == "/_upload" else "GET", path)
                assert (answer.status_code, answer.text) == (503, f"{AWAY}\n"), path
                assert answer.headers["retry-after"] == "5"
            statuses = set()
            for method, path in ROUTES:
                answer = await asked.request(method, path)
                statuses.add(answer.status_code)
                if answer.status_code == 503 and path.startswith("/api/") and method != "HEAD":
                    assert answer.json() == {"error": AWAY}
            assert 503 in statuses
            assert 500 not in statuses

    asyncio.run(calls())


@pytest.mark.parametrize("origins", [(), ("https://mail.test",)])
def test_security_headers_when_anything_is_asked_then_on_every_answer(
    service: Service, origins: tuple[str, ...]
) -> None:
    async def calls() -> None:
        async with client(service, origins) as asked:
            more = [("GET", path) for path in ("/", LOG_IN, "/no/such/page", "/_event/", "/_upload", "/%00")]
            for known in (False, True):
                if known:
                    asked.cookies.set(SESSION_COOKIE, service.model.log_in("ada", PASSWORD)[1])
                for method, path in [*ROUTES, *more]:
                    if path.startswith("/account/delete"):
                        continue
                    answer = await asked.request(method, path)
                    found = answer.headers
                    assert EVERYWHERE.items() <= dict(found).items(), (method, path)
                    assert "default-src 'none'" in found["content-security-policy"]
                    assert "unsafe-eval" not in found["content-security-policy"]
                    assert found["referrer-policy"] in ("same-origin", "no-referrer")
                    assert "camera=()" in found["permissions-policy"]
                    assert found["x-frame-options"] in ("DENY", "SAMEORIGIN")
                    assert ("strict-transport-security" in found) == bool(origins)

    asyncio.run(calls())


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://mail.test.evil.example", "http://MAIL"]
)
def test_page_of_another_site_when_changing_anything_then_refused(service: Service, origin: str) -> None:
    changing = [(m, path) for m, path in ROUTES if m not in SAFE_METHODS and not path.startswith(HOOKS)]
    assert len(changing) >= 8

    async def calls() -> None:
        async with client(service) as asked:
            secret = service.model.log_in("ada", PASSWORD)[1]
            asked.cookies.set(SESSION_COOKIE, secret)
            asked.headers["Authorization"] = f"Bearer {secret}"
            before = service.store.count({})
            for method, path in changing:
                answer = await asked.request(method, path, headers={"Origin": origin}, data={"name": "x"})
                assert answer.status_code == 403, (method, path)
            assert service.store.count({}) == before
            assert service.model.sessions.find(secret) is not None

    asyncio.run(calls())


@pytest.mark.parametrize(
    "path",
    [
        *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2frxconfig.py", "/assets/%00"),
        *("/assets/reflex-env-../../x.js", "/mail/1/file/..%2f..%2fx", "/mail/%00/view", "//evil.example/"),
        *("/login/%0d%0aSet-Cookie:x=y", "/inbox%0d%0aLocation:https://evil.example", "/\\evil.example"),
        *(
            "/enter/../account/delete",
            "/contacts.vcf/../../x",
            "/api/suppressions/..%2f..%2f",
            "/.env",
            "/.git/HEAD",
        ),
    ],
)
def test_odd_path_when_asked_for_then_leads_nowhere(service: Service, path: str) -> None:
    async def call() -> None:
        async with client(service) as asked:
            answer = await asked.request("GET", f"http://mail.test{path}")
            assert answer.status_code in (303, 307, 400, 401, 404, 405)
            assert answer.headers.get("location", "/").startswith(("/", "http://mail.test/"))
            assert not answer.headers.get("location", "/").startswith("//")
            assert "set-cookie" not in answer.headers
            assert "root:" not in answer.text

    asyncio.run(call())


def test_other_host_when_origins_are_set_then_refused_and_never_led_to(service: Service) -> None:
    async def calls() -> None:
        async with client(service, ("https://mail.test",)) as asked:
            for host in ("evil.example", "mail.test.evil.example", "mail.test:1", "", "mail.test\t"):
                answer = await asked.get("/", headers={"Host": host})
                assert answer.status_code == 421
        async with client(service) as asked:
            answer = await asked.get("/", headers={"Host": "evil.example"})
            assert answer.headers["location"] == LOG_IN

    asyncio.run(calls())


def test_pace_when_exceeded_then_waits_as_long_as_it_takes_to_come_down() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0], per_second=10, at_once=20)
    assert [pace.wait_for(1) for _ in range(20)] == [0.0] * 20
    assert pace.wait_for(5) == pytest.approx(0.5)
    now[0] += 10
    assert pace.wait_for(20) == 0.0
    assert pace.wait_for(1) == pytest.approx(0.1)


def test_room_when_full_then_only_for_that_session() -> None:
    room = Room()
    inside = [room.entered(7) for _ in range(50)]
    assert all(one.__enter__() for one in inside)
    with room.entered(7) as has_room:
        assert not has_room
    with room.entered(8) as has_room:
        assert has_room
    for one in inside:
        one.__exit__(None, None, None)
    with room.entered(7) as has_room:
        assert has_room


def test_body_when_it_trickles_then_given_up() -> None:
    now = [0.0]

    async def receive() -> dict[str, object]:
        now[0] += 20
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> None:
        body = hurried(receive, lambda: now[0])
        for _ in range(3):
            await body()

    with pytest.raises(TooSlow):
        asyncio.run(read())
