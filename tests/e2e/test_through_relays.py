"""Mail that leaves through real SMTP servers: as it was written, by whichever relay lives, and whatever is killed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.e2e.server import Server

PASSWORD = "correct horse battery"


class Relay:
    """What a relay took."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self._changed = threading.Condition()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        with self._changed:
            self.taken.append(envelope)
            self._changed.notify_all()
        return "250 2.0.0 taken"

    def wait_for(self, count: int) -> list[Envelope]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.taken) >= count, 30), self.taken
        return self.taken


@pytest.fixture
def relay() -> Iterator[Callable[[], tuple[Relay, int]]]:
    controllers: list[Controller] = []

    def start() -> tuple[Relay, int]:
        taker = Relay()
        controller = Controller(taker, hostname="127.0.0.1", port=free_port())
        controller.start()
        controllers.append(controller)
        return taker, controller.port

    yield start
    for controller in controllers:
        controller.stop()


@pytest.fixture
def serve(var: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(**settings: str) -> Server:
        server = Server(var, **settings)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def logged_in(server: Server, name: str = "ada") -> httpx.Client:
    client = httpx.Client(base_url=server.url, timeout=30)
    answer = client.post("/api/login", auth=(name, PASSWORD))
    assert answer.status_code == 200
    client.headers["Authorization"] = f"Bearer {answer.json()['session']}"
    return client


def settled(client: httpx.Client, submission: str) -> list[dict[str, Any]]:
    """The deliveries once none of them is waiting or under way."""
    for _ in range(600):
        deliveries: list[dict[str, Any]] = client.get(f"/api/submissions/{submission}").json()["deliveries"]
        if all(delivery["status"] not in ("queued", "sending") for delivery in deliveries):
            return deliveries
        threading.Event().wait(0.05)
    raise AssertionError(deliveries)


def test_a_finished_mail_arrives_at_the_relay_byte_by_byte_but_for_its_bcc(
    serve: Callable[..., Server], relay: Callable[[], tuple[Relay, int]]
) -> None:
    taker, port = relay()
    client = logged_in(serve(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{port}"))
    head = (
        b"From: Ada <ada@localhost>\r\nTo: grace@example.com\r\n"
        b"Subject: =?utf-8?q?Pr=C3=BCfbericht?=\r\n\tof Monday\r\nDate: Wed, 25 Nov 2026 14:02:07 +0000\r\n"
        b"Message-ID: <one@localhost>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n"
    )
    body = b".a line that begins with a dot\r\n..two\r\nna=C3=AFve\r\n.\r\nend\r\n"
    answer = client.post(
        "/api/sendmail",
        content=head + b"Bcc: bob@example.net\r\n\r\n" + body,
        headers={"Content-Type": "message/rfc822"},
    )
    assert answer.status_code == 202, answer.text
    envelopes = taker.wait_for(2)
    assert sorted(envelope.rcpt_tos[0] for envelope in envelopes) == ["bob@example.net", "grace@example.com"]
    for envelope in envelopes:
        assert envelope.mail_from == "ada@localhost"
        assert envelope.content == head + b"\r\n" + body


def test_a_composed_mail_arrives_with_the_words_and_files_it_was_given(
    serve: Callable[..., Server], relay: Callable[[], tuple[Relay, int]]
) -> None:
    taker, port = relay()
    client = logged_in(serve(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{port}"))
    text = "مرحبا\n.dot\n" + "long " * 400 + "\nend 🚀"
    answer = client.post(
        "/api/sendmail",
        json={
            "to": '"Hopper, Grace" <grace@example.com>',
            "bcc": "bob@example.net",
            "subject": "Prüfbericht 🚀 " + "é" * 150,
            "text": text,
            "attachments": [{"name": "Prüfbericht Q1.pdf", "type": "application/pdf", "content": "AAEC/w=="}],
        },
    )
    assert answer.status_code == 202, answer.text
    for envelope in taker.wait_for(2):
        assert isinstance(envelope.content, bytes)
        assert b"bob@example.net" not in envelope.content
        assert max(map(len, envelope.content.split(b"\r\n"))) <= 998
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert mail["subject"] == "Prüfbericht 🚀 " + "é" * 150
        assert mail["to"].addresses[0].display_name == "Hopper, Grace"
        body = mail.get_body(("plain",))
        assert body is not None
        assert body.get_content().replace("\r\n", "\n").rstrip("\n") == text
        (file,) = mail.iter_attachments()
        assert (file.get_filename(), file.get_content()) == ("Prüfbericht Q1.pdf", b"\0\1\2\xff")


def test_of_two_relays_one_dead_every_mail_arrives_by_the_other(
    serve: Callable[..., Server], relay: Callable[[], tuple[Relay, int]]
) -> None:
    taker, port = relay()
    dead = free_port()
    client = logged_in(
        serve(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{dead}?name=dead smtp://127.0.0.1:{port}?name=living")
    )
    to = ";".join(f"person{number}@example.com" for number in range(20))
    submission = client.post("/api/sendmail", json={"to": to, "subject": "All", "text": "x"}).json()[
        "submission"
    ]
    deliveries = settled(client, submission)
    assert {(delivery["status"], delivery["provider"]) for delivery in deliveries} == {("sent", "living")}
    assert sorted(envelope.rcpt_tos[0] for envelope in taker.taken) == sorted(to.split(";"))
    assert any(attempt["provider"] == "dead" for delivery in deliveries for attempt in delivery["attempts"])


def test_a_server_killed_between_send_and_delivery_delivers_every_mail_once_it_is_started_again(
    serve: Callable[..., Server], relay: Callable[[], tuple[Relay, int]]
) -> None:
    taker, port = relay()
    server = serve(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{port}?rate=1&concurrency=1")
    client = logged_in(server)
    submissions = [
        client.post(
            "/api/sendmail",
            json={"to": f"person{number}@example.com", "subject": str(number), "text": "x"},
            headers={"Idempotency-Key": f"mail-{number}"},
        ).json()["submission"]
        for number in range(12)
    ]
    server.kill()
    before = len(taker.taken)
    assert before < len(submissions), "everything was delivered before the kill, so it proves nothing"
    server.settings["BITMAIL_PROVIDERS"] = f"smtp://127.0.0.1:{port}"
    server.start()
    for submission in submissions:
        assert [delivery["status"] for delivery in settled(client, submission)] == ["sent"]
    arrived = [envelope.rcpt_tos[0] for envelope in taker.taken]
    assert sorted(set(arrived)) == sorted(f"person{number}@example.com" for number in range(12))
    assert len(arrived) <= 13, "only the mail in flight at the kill may come twice"
    again = client.post(
        "/api/sendmail",
        json={"to": "person0@example.com", "subject": "0", "text": "x"},
        headers={"Idempotency-Key": "mail-0"},
    )
    assert again.json()["submission"] == submissions[0]


def test_the_last_provider_leaving_ends_the_service_with_status_69(serve: Callable[..., Server]) -> None:
    server = serve(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{free_port()}", BITMAIL_FAILURE_THRESHOLD="1")
    client = logged_in(server)
    client.post("/api/sendmail", json={"to": "grace@example.com", "subject": "x", "text": "x"})
    assert server.wait() == 69
    assert any('"level":"critical"' in line for line in server.lines)
