"""A hostile client against a real server: it stays up, small, and quick for everybody else."""

from __future__ import annotations

import contextlib
import secrets
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from bitmail.patience import HEAD_SECONDS
from bitmail.state.arrival import ArrivalState
from bitmail.state.keys import KeysState
from tests.bitmail.test_controller import OFFERED, name_of
from tests.e2e.server import Server
from tests.e2e.test_the_whole_path import PASSWORD
from tests.e2e.wire import BEGIN, ConnectionClosed, ConnectionError, Wire

GROWTH = 150 * 1024
"""KiB by which the attacks below may make the server larger."""
CLICK = 0.5
"""Seconds that another person's click may take at the median meanwhile, on a machine that other tests use as well."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("hostile"))
    server.start()
    yield server
    assert server.stop() == 0
    # What an attack had going is cut off, on a busy machine with a line about it.
    errors = [line for line in server.errors() if "graceful shutdown exceeded" not in line]
    assert not errors, errors[:8]


def session(server: Server, name: str) -> str:
    answer = httpx.post(f"{server.url}/api/login", auth=(name, PASSWORD), timeout=30)
    return str(answer.json()["session"])


def click(wire: Wire) -> float:
    """Seconds until a click is answered."""
    start = time.perf_counter()
    wire.send(name_of(KeysState, "press"), {"key": "?"})
    assert wire.answer() is not None
    return time.perf_counter() - start


def size(server: Server) -> int:
    """KiB of memory that the server uses."""
    lines = Path(f"/proc/{server.process_id}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def quietly(attack: Callable[[], None]) -> threading.Thread:
    """Run an attack beside; that the server hangs up on it is what it may do."""

    def attacked() -> None:
        with contextlib.suppress(OSError, ConnectionClosed, ConnectionError, AssertionError, AttributeError):
            attack()

    thread = threading.Thread(target=attacked, daemon=True)
    thread.start()
    return thread


def test_stranger_without_a_session_when_calling_every_handler_then_is_sent_to_the_log_in(
    target: Server,
) -> None:
    wire = Wire(target.url).begin()
    for state, names in OFFERED.items():
        for name in sorted(names - {"show"}):
            wire.send(name_of(state, name), {})
    told = repr([wire.answer(1.0) for _ in range(5)])
    assert "rows" not in told
    assert "@localhost" not in told
    wire.close()


def test_token_when_stolen_then_is_worth_nothing_without_the_cookie(target: Server) -> None:
    token = secrets.token_hex(16)
    owner = Wire(target.url, session(target, "olga"), token).begin()
    owner.send(name_of(ArrivalState, "at_list"))
    assert "olga@localhost" in repr(owner.answer())
    owner.close()
    for thief in (Wire(target.url, "", token), Wire(target.url, session(target, "theo"), token)):
        thief.send(BEGIN)
        thief.send(name_of(ArrivalState, "at_list"))
        assert "olga" not in repr([thief.answer(0.5), thief.answer(0.2), thief.answer(0.2)])
        thief.close()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_page_of_another_site_when_connecting_then_is_refused(target: Server, origin: str) -> None:
    with pytest.raises((ConnectionClosed, ConnectionError, AssertionError, OSError)):
        Wire(target.url, session(target, "mallory"), origin=origin)


def test_everything_at_once_when_thrown_at_the_server_then_others_click_on(target: Server) -> None:
    host, _, port = urlsplit(target.url).netloc.partition(":")
    victim = Wire(target.url, session(target, "vera")).begin()
    before = statistics.median(click(victim) for _ in range(20))
    small = size(target)
    mallory = session(target, "mallory")
    over = threading.Event()

    def flood() -> None:
        wire = Wire(target.url, mallory).begin()
        for number in range(20_000):
            if over.is_set():
                break
            wire.send(name_of(ArrivalState, "at_list"), {}, mail=str(number))
        wire.close()

    def bulk() -> None:
        while not over.is_set():
            wire = Wire(target.url, mallory).begin()
            for _ in range(8):
                wire.send(name_of(KeysState, "press"), {"key": "x" * 1_000_000})
            wire.close()

    def nonsense() -> None:
        for text in (
            "42/_event," + "[" * 100_000,
            "42/_event," + '{"a":' * 50_000,
            '42/_event,["event"]',
            '42/_event,["event",[]]',
            '42/_event,["event",{"name":7}]',
            '42/_event,["event",{"name":"no.such.handler","payload":{}}]',
            '42/_event,["event",{"name":"x","payload":7,"router_data":"y"}]',
            '42/_event,["__proto__",{}]',
            '451-/_event,["event",{"_placeholder":true,"num":0}]',
            "9999",
            "40/other,",
            "41/_event,",
            "\0",
        ):
            if over.is_set():
                break
            with contextlib.suppress(OSError, ConnectionClosed, ConnectionError, AssertionError):
                wire = Wire(target.url, mallory).begin()
                wire.raw(text)
                wire.answer(0.2)
                wire.close()

    def strangers() -> None:
        while not over.is_set():
            wire = Wire(target.url)
            wire.send(name_of(ArrivalState, "at_list"))
            wire.close()

    def logs_in() -> None:
        while not over.is_set():
            httpx.post(f"{target.url}/api/login", auth=(f"vera{secrets.token_hex(2)}", "wrong"), timeout=30)

    loris = [socket.create_connection((host, int(port))) for _ in range(100)]
    for connection in loris:
        connection.sendall(b"GET /inbox HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    started = time.monotonic()
    attacks = [quietly(attack) for attack in (flood, flood, bulk, nonsense, strangers, logs_in)]
    clicks = []
    try:
        while time.monotonic() < started + HEAD_SECONDS:
            clicks.append(click(victim))
        during = statistics.median(clicks)
    finally:
        over.set()
        for thread in attacks:
            thread.join(30)
    assert during < max(CLICK, 10 * before), f"{during * 1000:.0f} ms a click, {before * 1000:.0f} ms before"
    assert size(target) - small < GROWTH
    for connection in loris:
        connection.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""
        connection.close()
    victim.close()
    assert httpx.get(f"{target.url}/api/alive", timeout=30).status_code == 200
