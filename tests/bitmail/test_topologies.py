"""The web tier with its neighbours in processes of their own: a store server, and the container beside it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from bitmail import frontend
from bitmail.api import api
from bitmail.current import serving
from bitmail.drafts import Draft, new_key
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.shield import Shield
from mta.desk import Desk
from mta.incoming import IncomingMail, IncomingTray
from mta.outcomes import Status
from store.proxy import ProxyStore
from tests.bitmail.conftest import PASSWORD, logged_in, make_service
from tests.e2e.server import ROOT, Sender
from tests.mta.scripted import wait_until

SECRET = "the secret of this store server"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def store_server(var: Path) -> Iterator[str]:
    """`python -m store` with a database of its own; gives its address."""
    port = free_port()
    settings = {
        "BITMAIL_VAR": str(var),
        "BITMAIL_STORE_PORT": str(port),
        "BITMAIL_STORE_SECRET": SECRET,
    }
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BITMAIL_")}
    process = subprocess.Popen([sys.executable, "-m", "store"], cwd=ROOT, env=kept | settings)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is None and answers(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def web(var: Path, **settings: object) -> Iterator[Service]:
    service = make_service(var, **settings)  # type: ignore[arg-type]
    service.start()
    with serving(service):
        yield service
    service.stop()


def test_a_script_logs_in_sends_and_sees_what_became_of_it_with_store_and_container_elsewhere(
    tmp_path: Path,
) -> None:
    async def send() -> str:
        app = Shield(api(), frontend.CLIENT, (), service.secret)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mail.test")
        async with logged_in(client) as script:
            mail = {"to": "grace@example.com", "bcc": "bob@example.net", "subject": "Hi", "text": "x"}
            answer = await script.post("/api/sendmail", json=mail)
            assert answer.status_code == 202, answer.text
            submission = str(answer.json()["submission"])
            async with asyncio.timeout(20):
                while True:
                    shown = (await script.get(f"/api/submissions/{submission}")).json()
                    if all(delivery["status"] == "sent" for delivery in shown["deliveries"]):
                        return submission
                    await asyncio.to_thread(changed.wait, 1)

    with store_server(tmp_path / "far") as url:
        near = tmp_path / "near"
        changed = threading.Event()
        settings = {"store_url": url, "store_secret": SecretStr(SECRET), "container": "beside"}
        with web(near, **settings) as service:
            assert isinstance(service.store.inner, ProxyStore)
            assert type(service.container) is Desk
            service.model.watch(lambda user: changed.set() if user == "ada" else None)
            sender = Sender(near)
            sender.start()
            submission = asyncio.run(send())
            wait_until(lambda: service.model.mailboxes.unread("ada") == 2)
            wait_until(lambda: {notice.submission for notice in service.model.notices("ada")} == {submission})
            assert service.database.url.database == str(near / "bitmail.db")
            with service.database.read() as connection:
                tables = set(connection.dialect.get_table_names(connection))
            assert "spool_submissions" in tables
            assert "store_entry" not in tables
            assert sender.stop() == 0


def test_what_one_web_process_does_another_on_the_same_database_tells_its_pages(tmp_path: Path) -> None:
    with web(tmp_path, container="beside") as one, web(tmp_path, container="beside") as other:
        told: list[str] = []
        other.model.watch(told.append)
        author = one.model.accounts.log_in("ada", PASSWORD)
        sent = one.model.outbox.send(author, Draft(new_key(), to="grace@example.com", subject="Hi"))
        wait_until(lambda: "ada" in told)
        assert [mail.id for mail in other.model.mailboxes.page("ada", MailboxName.SENT).mails] == [sent.id]
        (delivery,) = other.model.submission("ada", sent.submission.id).deliveries
        assert delivery.status is Status.QUEUED  # nobody sends here


def test_a_mail_for_nobody_is_let_go_and_said_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with web(tmp_path, container="beside") as service:
        tray = IncomingTray(service.database)
        service.container.hand_in(IncomingMail("one", "", "nobody@localhost", b"Subject: x\r\n\r\nx", 1.0))
        wait_until(lambda: tray.ids("", 10) == [])
    assert "nobody@localhost has no mailbox here" in caplog.text
