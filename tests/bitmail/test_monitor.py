"""Health and metrics of the web server, as a supervisor and Prometheus ask for them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bitmail import frontend
from bitmail.api import api
from bitmail.current import serving
from bitmail.monitor import HARDENED, Monitor
from bitmail.service import Service
from bitmail.shield import Shield
from mta.configuration import ConfigurationError, read_settings
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD, logged_in, make_service
from tests.mta.scripted import wait_until

SECRET = "a secret that nobody guesses"


def monitored(service: Service, **options: float) -> Monitor:
    shield = Shield(api(), frontend.CLIENT, service.settings.allowed_origins(), service.secret)
    return Monitor(shield, service, **options)


def client(app: Monitor, address: str = "127.0.0.1", name: str = "localhost:3000") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 40_000)), base_url=f"http://{name}"
    )


def ask(
    app: Monitor, path: str, *, address: str = "127.0.0.1", name: str = "localhost", **headers: str
) -> Any:
    async def asked() -> httpx.Response:
        async with client(app, address, name) as web:
            return await web.get(path, headers=headers)

    return asyncio.run(asked())


def value(text: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_health_when_all_is_well_then_yes_also_by_another_name(tmp_path: Path) -> None:
    service = make_service(tmp_path, origins="https://mail.example.com")
    app = monitored(service)
    for path in ("/health/live", "/health/ready"):
        answer = ask(app, path, name="10.0.0.7")
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert ask(app, "/api/alive", name="10.0.0.7").status_code == 421
    service.stop()


def test_ready_when_the_database_takes_no_write_then_no_within_the_time_out(service: Service) -> None:
    app = monitored(service, ready_seconds=0.2)
    with closing(sqlite3.connect(service.settings.var / "bitmail.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ask(app, "/health/ready").status_code == 503
        app = monitored(service)  # its own event loop ended with the question
        assert ask(app, "/health/live").status_code == 200
        other.execute("ROLLBACK")
    wait_until(lambda: ask(monitored(service), "/health/ready").status_code == 200)


def test_ready_when_the_store_server_is_away_then_no_though_the_spool_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(tmp_path)
    app = monitored(service)

    def away(_: Any) -> Any:
        from store import StoreUnavailable

        raise StoreUnavailable("gone")

    monkeypatch.setattr(service.store.inner, "perform", away)
    answer = ask(app, "/health/ready")
    assert answer.status_code == 503
    assert "gone" not in answer.text
    service.container.prove_writable()
    service.stop()


@pytest.mark.parametrize(
    ("address", "name", "headers", "status"),
    [
        ("127.0.0.1", "localhost:3000", {}, 200),
        ("::1", "[::1]:3000", {}, 200),
        ("192.0.2.7", "localhost", {}, 401),
        ("127.0.0.1", "localhost", {"X-Forwarded-For": "192.0.2.7"}, 401),
        ("127.0.0.1", "rebound.example.com", {}, 401),
        ("", "localhost", {}, 401),
    ],
)
def test_metrics_when_no_secret_is_set_then_only_programs_on_this_host_read_them(
    service: Service, address: str, name: str, headers: dict[str, str], status: int
) -> None:
    assert ask(monitored(service), "/metrics", address=address, name=name, **headers).status_code == status


def test_metrics_when_a_secret_is_set_then_only_who_knows_it_reads_them(tmp_path: Path) -> None:
    service = make_service(tmp_path, metrics_secret=SECRET)
    app = monitored(service)
    assert ask(app, "/metrics").status_code == 401
    assert ask(app, "/metrics", authorization="Bearer wrong").status_code == 401
    assert ask(app, "/metrics", address="192.0.2.7", authorization=f"Bearer {SECRET}").status_code == 200
    service.stop()


def test_a_short_secret_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from bitmail.settings import Settings

    monkeypatch.setenv("BITMAIL_METRICS_SECRET", "short")
    with pytest.raises(ConfigurationError, match=r"BITMAIL_METRICS_SECRET.*16"):
        read_settings(Settings)


def test_metrics_after_log_ins_and_a_mail_then_they_count_both(service: Service) -> None:
    app = monitored(service)

    async def use() -> str:
        async with client(app) as web, logged_in(client(app)) as ada:
            assert (await ada.post("/api/login", auth=("ada", "wrong password"))).status_code == 401
            sent = await ada.post("/api/sendmail", json={"to": "g@example.com", "subject": "x", "text": "x"})
            id = sent.json()["submission"]
            await asyncio.to_thread(wait_until, lambda: _is_sent(service, id))
            lag = asyncio.create_task(service.metrics.watch_loop())
            await asyncio.to_thread(
                wait_until, lambda: value(_text(service), "bitmail_event_loop_lag_seconds_count") > 0
            )
            lag.cancel()
            return (await web.get("/metrics")).text

    text = asyncio.run(use())
    assert value(text, "bitmail_log_ins_total", outcome="let in") == 1
    assert value(text, "bitmail_log_ins_total", outcome="refused") == 1
    assert value(text, "bitmail_log_ins_total", outcome="throttled") == 0
    assert value(text, "bitmail_requests_total", area="api", status="202") == 1
    assert value(text, "bitmail_attempts_total", provider="loopback", outcome="accepted") == 1
    assert value(text, "bitmail_store_seconds_count", operation="get") > 0
    assert "ada" not in text
    assert "example.com" not in text


def test_guessing_on_and_on_is_counted_as_throttled(service: Service) -> None:
    from bitmail.door import Client
    from bitmail.errors import LogInRefused

    service.model.log_in("ada", PASSWORD)
    for _ in range(11):
        with pytest.raises(LogInRefused):
            service.model.door.enter("ada", "wrong password", Client("192.0.2.7"))
    text = _text(service)
    assert value(text, "bitmail_log_ins_total", outcome="refused") == 10
    assert value(text, "bitmail_log_ins_total", outcome="throttled") == 1


def test_clients_when_pages_connect_and_leave_then_as_many_as_are_there(service: Service) -> None:
    seen: list[float] = []

    async def page(*_: Any) -> None:
        seen.append(value(_text(service), "bitmail_web_clients"))
        raise ConnectionError

    scope = {"type": "websocket", "path": "/_event", "headers": []}
    never: Callable[..., Any] = page
    with serving(service), pytest.raises(ConnectionError):
        asyncio.run(Monitor(page, service)(scope, never, never))
    assert seen == [1]
    assert value(_text(service), "bitmail_web_clients") == 0


def _text(service: Service) -> str:
    return service.metrics.text().decode()


def _is_sent(service: Service, id: str) -> bool:
    found = service.container.submission(id)
    return found is not None and all(one.status is Status.SENT for one in found.deliveries)


def test_every_answer_of_the_monitor_when_asked_then_with_the_headers_of_the_shield(service: Service) -> None:
    app = monitored(service)
    answers = [ask(app, path) for path in ("/health/live", "/health/ready", "/metrics")]
    answers.append(ask(app, "/metrics", address="10.0.0.1"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 401]

    async def posted() -> tuple[httpx.Response, httpx.Response]:
        async with client(app, "127.0.0.1", "localhost") as web:
            return await web.post("/health/live"), await web.get("https://localhost/health/live")

    refused, secure = asyncio.run(posted())
    assert refused.status_code == 405
    assert "strict-transport-security" in secure.headers
    for answer in (*answers, refused, secure):
        found = dict(answer.headers)
        assert {name: answer.headers[name] for name in HARDENED} == HARDENED
        assert (answer.url.scheme == "https") == ("strict-transport-security" in found)
