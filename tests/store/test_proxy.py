"""The store server and its callers: what goes wrong between two hosts."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr
from starlette.applications import Starlette

from store import (
    Blobs,
    Database,
    MalformedRequest,
    SearchIndex,
    SqlStore,
    StoreSettings,
    StoreUnavailable,
    TooLarge,
    UnknownOperation,
    WrongSecret,
    open_storage,
)
from store.operations import Operation, PutMany
from store.proxy import ProxyBlobs, ProxyStore, StoreServer
from store.server import make_server
from store.wire import OPERATIONS
from tests.store.conftest import SECRET, Served, free_port, serving, wait_until_serving

ROOT = Path(__file__).parents[2]


def post(
    served: Served, path: str, secret: str = SECRET.get_secret_value(), **arguments: object
) -> requests.Response:
    headers = {"authorization": f"Bearer {secret}"}
    return requests.post(f"{served.url}{path}", headers=headers, timeout=10, **arguments)  # type: ignore[arg-type]


def test_server_when_secret_is_wrong_then_401_and_a_log_line_without_it(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = StoreServer(served.url, SecretStr("guessed secret"))
    with caplog.at_level(logging.INFO), pytest.raises(WrongSecret, match="BITMAIL_STORE_SECRET"):
        ProxyStore(wrong).put({"a": "1"})
    assert SqlStore(served.database).count({}) == 0
    assert post(served, "/entries/count", "guessed secret", json={"matching": {}}).status_code == 401
    assert requests.post(f"{served.url}/entries/count", json={"matching": {}}, timeout=10).status_code == 401
    assert "/entries/put_many" in caplog.text
    assert "guessed secret" not in caplog.text
    assert SECRET.get_secret_value() not in caplog.text


def test_blobs_when_secret_is_wrong_then_refused(served: Served) -> None:
    wrong = ProxyBlobs(StoreServer(served.url, SecretStr("guessed")))
    name = "0" * 64
    for attempt in (
        lambda: wrong.put(b"abc"),
        lambda: wrong.get(name),
        lambda: wrong.size(name),
        lambda: wrong.remove(name, unless=[]),
    ):
        with pytest.raises(WrongSecret):
            attempt()


def test_server_when_secret_has_letters_beyond_ascii_then_answers(served: Served) -> None:
    assert post(served, "/entries/count", "Geheimnis-ä", json={"matching": {}}).status_code == 401


def test_server_when_operation_is_unknown_then_404(served: Served) -> None:
    response = post(served, "/entries/drop", json={})
    assert response.status_code == 404
    assert response.json()["error"] == UnknownOperation.__name__


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]",
        b"{}",
        b'{"matching": 1}',
        b'{"matching": {}, "limit": -1}',
        b'{"matching": {"a": 1}}',
        b"\xff",
    ],
)
def test_server_when_request_is_malformed_then_400(served: Served, body: bytes) -> None:
    response = post(served, "/entries/get", data=body)
    assert response.status_code == 400
    assert response.json()["error"] == MalformedRequest.__name__


def test_server_when_text_cannot_be_kept_then_422_and_its_key(served: Served) -> None:
    response = post(served, "/entries/put_many", data=b'{"entries": [{"key": "a\\u0000"}]}')
    assert response.status_code == 422
    assert response.json()["key"] == "key"


def test_server_when_request_is_too_large_then_413_and_nothing_is_kept(database: Database) -> None:
    store = SqlStore(database)
    with serving(
        make_server(store, Blobs(database), SearchIndex(database), SECRET, request_limit=100_000)
    ) as url:
        server = StoreServer(url, SECRET, pauses=())
        with pytest.raises(TooLarge, match="100000 bytes"):
            ProxyStore(server).put({"a": "x" * 100_000})
        with pytest.raises(TooLarge):
            ProxyBlobs(server).put(bytes(20_000_000))
        headers = {"authorization": f"Bearer {SECRET.get_secret_value()}"}
        pieces = (bytes(10_000) for _ in range(11))
        assert requests.put(f"{url}/blobs", data=pieces, headers=headers, timeout=10).status_code == 413
        assert ProxyStore(server).put({"a": "x" * 90_000}) == 1
        server.close()
    assert store.count({}) == 1


def test_make_server_when_secret_is_empty_then_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="BITMAIL_STORE_SECRET"):
        make_server(SqlStore(database), Blobs(database), SearchIndex(database), SecretStr(""))


def test_operations_when_listed_for_the_wire_then_none_is_missing() -> None:
    def leaves(kind: type) -> set[str]:
        return {leaf for child in kind.__subclasses__() for leaf in leaves(child)} or {kind.__name__}

    assert {kind.__name__ for kind in OPERATIONS.values()} == leaves(Operation)


def whole_message(connection: socket.socket) -> bytes:
    message = connection.recv(65536)
    length = int(message.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(message.split(b"\r\n\r\n", 1)[1]) < length:
        message += connection.recv(65536)
    return message


@contextmanager
def losing(url: str, answers: int) -> Iterator[str]:
    """A relay that passes every request on to the server, and loses the first answers."""
    host, port = url.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    lost = [0]

    def relay() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller, socket.create_connection((host, int(port))) as server:
                caller.settimeout(10)
                server.sendall(whole_message(caller))
                answer = whole_message(server)
                if lost[0] == answers:
                    caller.sendall(answer)
                else:
                    lost[0] += 1

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
    assert lost[0] == answers


def test_writes_when_answers_are_lost_then_each_is_made_once_and_answered_as_the_first_time(
    served: Served,
) -> None:
    local = SqlStore(served.database)

    def lossy(write: str, *arguments: object) -> object:
        with losing(served.url, answers=2) as url:
            server = StoreServer(url, SECRET, pauses=(0, 0))
            try:
                return getattr(ProxyStore(server), write)(*arguments)
            finally:
                server.close()

    assert lossy("put", {"a": "1"}) == 1
    assert lossy("put_many", [{"a": "1"}, {"a": "2"}]) == [2, 3]
    assert lossy("put_if_absent", {"b": "1"}, {"b": "1"}) == (4, True)
    assert lossy("update", {"a": "2"}, {"a": "3"}) == 3
    assert lossy("update_by_id", 3, {"a": "4"}) is True
    assert lossy("update_all", {"a": "1"}, {"a": "5"}) == 2
    assert lossy("remove", 4) is True
    assert [(entry.id, entry.data) for entry in local.get({})] == [
        (1, {"a": "5"}),
        (2, {"a": "5"}),
        (3, {"a": "4"}),
    ]


def test_write_when_every_answer_is_lost_then_unavailable_and_made_once(served: Served) -> None:
    with losing(served.url, answers=2) as url, pytest.raises(StoreUnavailable, match="does not answer"):
        ProxyStore(StoreServer(url, SECRET, pauses=(0,))).put({"a": "1"})
    assert SqlStore(served.database).count({"a": "1"}) == 1


def test_answers_when_a_day_old_then_forgotten(database: Database) -> None:
    now = [0.0]
    store = SqlStore(database, clock=lambda: now[0])
    assert store.perform(PutMany([{"a": "1"}]), "one") == store.perform(PutMany([{"a": "1"}]), "one") == [1]
    now[0] = 90_000.0
    store.perform(PutMany([{"a": "1"}]), "two")
    assert store.perform(PutMany([{"a": "1"}]), "one") == [3]


def test_proxy_when_nobody_listens_then_unavailable_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    server = StoreServer(f"http://127.0.0.1:{port}", SECRET, pauses=(0,))
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}.*see that it runs"):
        ProxyStore(server).count({})


def test_proxy_when_what_answers_is_no_store_then_unavailable() -> None:
    with serving(Starlette()) as url:
        server = StoreServer(url, SECRET, pauses=())
        with pytest.raises(StoreUnavailable, match="404"):
            ProxyStore(server).count({})
        server.close()


def test_proxy_when_database_is_away_then_unavailable_as_locally(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'not-migrated.db'}")
    with serving(make_server(SqlStore(database), Blobs(database), SearchIndex(database), SECRET)) as url:
        server = StoreServer(url, SECRET, pauses=())
        with pytest.raises(StoreUnavailable, match="the database does not answer as it should"):
            ProxyStore(server).count({})
        server.close()
    with pytest.raises(StoreUnavailable, match="the database does not answer as it should"):
        SqlStore(database).count({})
    database.close()


def test_proxy_when_used_from_many_threads_then_connections_are_used_again(served: Served) -> None:
    server = StoreServer(served.url, SECRET)
    store = ProxyStore(server)
    for _ in range(20):
        store.count({})
    (pool,) = server._adapter.poolmanager.pools._container.values()
    assert pool.num_connections == 1
    assert pool.num_requests == 20
    server.close()


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*words.split(), *names], check=True, capture_output=True)
    return cert, key


@contextmanager
def store_process(folder: Path, **settings: object) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BITMAIL_")}
    environment |= {f"BITMAIL_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {"BITMAIL_VAR": str(folder), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "store"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_python_m_store_when_run_by_tls_then_serves_those_who_trust_it_and_stops(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "server")
    other, _ = certificate(tmp_path, "other")
    port = free_port()
    settings = {"store_port": port, "store_secret": "s3cret", "store_certificate": cert, "store_key": key}
    with store_process(tmp_path, **settings) as process:
        wait_until_serving(process)
        url = f"https://localhost:{port}"
        trusting = StoreServer(url, SecretStr("s3cret"), ca=str(cert))
        assert ProxyStore(trusting).put({"a": "1"}) == 1
        assert ProxyBlobs(trusting).get(ProxyBlobs(trusting).put(b"abc")) == b"abc"
        trusting.close()
        opened = open_storage(
            StoreSettings(store_url=url, store_secret=SecretStr("s3cret"), store_ca=str(cert))
        )
        assert opened.store.count({"a": "1"}) == 1
        assert opened.blobs.size("0" * 64) is None
        opened.close()
        for ca in ("", str(other)):
            with pytest.raises(StoreUnavailable, match="certificate"):
                ProxyStore(StoreServer(url, SecretStr("s3cret"), ca=ca, pauses=())).count({})
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) in (0, -signal.SIGTERM)
    database = Database(f"sqlite:///{tmp_path / 'bitmail.db'}")
    assert SqlStore(database).count({"a": "1"}) == 1
    database.close()


def test_python_m_store_when_secret_is_missing_then_refuses_with_its_name(tmp_path: Path) -> None:
    with store_process(tmp_path) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "BITMAIL_STORE_SECRET" in process.stderr.read()
