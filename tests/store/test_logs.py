"""Log lines: whole, on one line, and without what they must not say."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from store import logs
from store.proxy import ProxyStore, StoreServer
from tests.fakes.http import FakeService, Reply, reply
from tests.fakes.http import Request as Asked

LOG = logging.getLogger("bitmail.test")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged, as JSON."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.excepthook, threading.excepthook)
    stream = io.StringIO()
    logs.set_up(logs.Form.AUTO, logs.Level.INFO, stream=stream)
    yield stream
    root.handlers[:], sys.excepthook, threading.excepthook = before[0], before[2], before[3]
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_when_no_terminal_then_one_json_object_with_what_it_is_about(written: io.StringIO) -> None:
    with logs.about(request="r1", submission="s1"):
        LOG.warning("a relay is\nslow", extra={"provider": "smtp"})
    LOG.info("later")
    first, second = lines(written)
    assert first["level"] == "warning"
    assert first["message"] == "a relay is\nslow"
    assert (first["request"], first["submission"], first["provider"]) == ("r1", "s1", "smtp")
    assert first["time"].endswith("+00:00")
    assert "request" not in second


@pytest.mark.parametrize(
    ("said", "kept", "gone"),
    [
        ("550 <bob@example.com> unknown", "550", "bob"),
        ("no answer of postgresql+psycopg://u:pa@ss@db:5432/x", "db:5432", "pa@ss"),
        ("grüße@beispiel.de bounced", "bounced", "grüße"),
        ('"o.brien+x@[127.0.0.1]" refused', "refused", "o.brien"),
    ],
)
def test_a_line_when_it_would_name_somebody_then_the_address_is_taken_out(
    written: io.StringIO, said: str, kept: str, gone: str
) -> None:
    error = ValueError(said)
    LOG.error("%s", said, extra={"status": said}, exc_info=(ValueError, error, None))
    text = written.getvalue()
    assert kept in text
    assert gone not in text
    assert "ValueError" in lines(written)[0]["trace"]


def test_lines_when_set_to_text_then_each_is_one_line_for_people() -> None:
    formatter = logs.TextLines()
    record = LOG.makeRecord(LOG.name, logging.ERROR, "", 0, "first\nsecond %d", (7,), None)
    record.request = "r1"
    assert formatter.format(record).endswith(" ERROR bitmail.test: first second 7 request=r1")


def test_a_request_when_it_names_itself_then_lines_and_answer_have_its_id(written: io.StringIO) -> None:
    async def answer(_: Request) -> Response:
        await asyncio.to_thread(LOG.info, "in a thread")
        return PlainTextResponse("ok")

    async def ask(**headers: str) -> str:
        app = logs.Traced(Starlette(routes=[Route("/", answer)]))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return (await client.get("/", headers=headers)).headers["x-request-id"]

    # In a thread: the browser's tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        given = pool.submit(asyncio.run, ask(**{"x-request-id": "request-1"})).result()
        made = pool.submit(asyncio.run, ask(**{"x-request-id": "no id\tat all"})).result()
    assert given == "request-1"
    assert len(made) == 16
    assert [line["request"] for line in lines(written) if line["logger"] == "bitmail.test"] == [given, made]


def test_a_thread_when_it_dies_then_a_critical_line_says_why(written: io.StringIO) -> None:
    def fail() -> None:
        raise RuntimeError("of something")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    (line,) = lines(written)
    assert line["level"] == "critical"
    assert "RuntimeError: of something" in line["trace"]


def test_the_store_server_when_it_starts_then_also_the_packages_below_write_json(tmp_path: Any) -> None:
    settings = {"BITMAIL_VAR": str(tmp_path), "BITMAIL_STORE_SECRET": "secret", "BITMAIL_STORE_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "store"], stderr=subprocess.PIPE, text=True, env=settings | {"PATH": ""}
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(json.loads(line))
        if "Uvicorn running" in line:
            break
    process.terminate()
    assert process.wait() in (0, -15)
    assert {line["logger"] for line in said} >= {"uvicorn.error"}
    assert "secret" not in json.dumps(said)


def test_the_id_of_a_request_goes_with_it_to_the_store_server() -> None:
    class Listening(FakeService):
        def answer(self, request: Asked) -> Reply:
            return reply(200, {"answer": 0})

    with Listening() as server:
        far = StoreServer(server.url, SecretStr("secret"))
        with logs.about(request="request-77"):
            assert ProxyStore(far).count({"kind": "mail"}) == 0
        ProxyStore(far).count({"kind": "mail"})
        far.close()
        asked = [request.headers.get("x-request-id", "") for request in server.requests]
    assert asked == ["request-77", ""]
