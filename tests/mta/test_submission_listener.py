"""The submission listener, spoken to by the standard library's client and by bare sockets."""

from __future__ import annotations

import base64
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mta.smtpserver import ServerCertificate
from mta.submissionlistener import RECIPIENTS, TRIES, Refused, SubmissionListener
from tests.fakes.certificates import make_certificate

RAW = b"From: ada@example.com\r\nTo: bob@example.org\r\n\r\n.dot\r\n"
LARGEST = 100_000


class Desk:
    """Knows ada, and notes what it is given."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, tuple[str, ...], bytes]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.failing: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def log_in(self, name: str, secret: str, address: str) -> str:
        self.asked.append((name, secret, address))
        self.gate.wait(10)
        if self.failing is not None:
            raise self.failing
        if (name, secret) != ("ada", "the word"):
            raise Refused("535 5.7.8 No")
        return "ada"

    def check_sender(self, account: str, sender: str) -> None:
        if sender != f"{account}@example.com":
            raise Refused("550 5.7.1 Not as this")

    def check_recipient(self, account: str, recipient: str) -> None:
        if recipient.startswith("nobody"):
            raise Refused("550 5.7.1 Not there")

    def hand_in(self, account: str, recipients: tuple[str, ...], raw: bytes) -> str:
        if self.failing is not None:
            raise self.failing
        self.taken.append((account, recipients, raw))
        return f"id-{len(self.taken)}"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def connect(desk: Desk, tmp_path: Path) -> Iterator[Callable[..., smtplib.SMTP]]:
    """Connects, and begins TLS unless told not to."""
    made = make_certificate(tmp_path)
    listener = SubmissionListener(
        "127.0.0.1",
        0,
        "example.com",
        desk,
        ServerCertificate(tmp_path / "server.pem"),
        largest=LARGEST,
    )
    listener.start()
    clients: list[smtplib.SMTP] = []

    def connect(tls: bool = True) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", listener.port, timeout=10)
        clients.append(client)
        if tls:
            client.starttls(context=ssl.create_default_context(cafile=made.ca))
        client.ehlo()
        return client

    yield connect
    for client in clients:
        client.close()
    listener.stop()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "plain"])
@pytest.mark.parametrize("initial", [True, False])
def test_a_mail_when_handed_in_by_who_logged_in_then_taken_byte_by_byte(
    desk: Desk, connect: Callable[..., smtplib.SMTP], mechanism: str, initial: bool
) -> None:
    client = connect()
    assert client.esmtp_features["auth"].split() == ["LOGIN", "PLAIN"]
    client.user, client.password = "ada", "the word"
    how = client.auth_login if mechanism == "LOGIN" else client.auth_plain
    assert client.auth(mechanism, how, initial_response_ok=initial)[0] == 235
    assert client.sendmail("ada@example.com", ["bob@example.org", "nobody@example.org"], RAW) == {
        "nobody@example.org": (550, b"5.7.1 Not there")
    }
    assert desk.taken == [("ada", ("bob@example.org",), RAW)]
    assert desk.asked == [("ada", "the word", "127.0.0.1")]


def test_before_tls_when_anything_is_asked_then_nothing_is_offered_or_taken(
    desk: Desk, connect: Callable[..., smtplib.SMTP]
) -> None:
    client = connect(tls=False)
    assert "auth" not in client.esmtp_features
    assert "starttls" in client.esmtp_features
    secret = base64.b64encode(b"\0ada\0the word").decode()
    for command in (f"AUTH PLAIN {secret}", "MAIL FROM:<ada@example.com>", "RCPT TO:<x@example.com>", "DATA"):
        assert client.docmd(command)[0] == 530, command
    assert desk.asked == []


def test_words_sent_ahead_of_tls_when_smuggled_in_then_forgotten(
    connect: Callable[..., smtplib.SMTP],
) -> None:
    client = connect(tls=False)
    client.send(b"STARTTLS\r\nNOOP smuggled\r\nRSET\r\n")
    assert client.getreply()[0] == 220
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert client.sock is not None
    with context.wrap_socket(client.sock) as secure:
        secure.sendall(b"QUIT\r\n")
        assert secure.recv(1000) == b"221 Bye\r\n", "nothing is answered but what came by TLS"


def test_before_log_in_when_a_mail_comes_then_refused(connect: Callable[..., smtplib.SMTP]) -> None:
    client = connect()
    assert client.mail("ada@example.com")[0] == 530
    assert client.rcpt("bob@example.org")[0] == 530
    assert client.docmd("DATA")[0] == 530


def test_a_wrong_password_when_tried_then_said_and_after_some_the_connection_ends(
    desk: Desk, connect: Callable[..., smtplib.SMTP]
) -> None:
    client = connect()
    codes = []
    for _ in range(TRIES + 1):
        secret = base64.b64encode(b"\0ada\0wrong").decode()
        codes.append(client.docmd(f"AUTH PLAIN {secret}")[0])
    assert codes == [535] * TRIES + [421]
    assert len(desk.asked) == TRIES
    client = connect()
    for rubbish in ("AUTH PLAIN ====", "AUTH PLAIN AAAA", "AUTH CRAM-MD5", "AUTH"):
        assert client.docmd(rubbish)[0] in (501, 504, 535), rubbish
    assert client.mail("ada@example.com")[0] == 530


@pytest.mark.parametrize("claim", [b"\0\xff\xfe\0\xff", b"\0a\r\nda\0the word", b"ada\0ada\0the wor"])
def test_a_claim_that_is_no_name_when_made_then_refused_without_a_trace(
    connect: Callable[..., smtplib.SMTP], claim: bytes
) -> None:
    assert connect().docmd(f"AUTH PLAIN {base64.b64encode(claim).decode()}")[0] == 535


def test_limits_when_passed_then_said_by_the_protocols_own_numbers(
    desk: Desk, connect: Callable[..., smtplib.SMTP]
) -> None:
    client = connect()
    client.login("ada", "the word")
    assert client.mail("eve@example.com")[0] == 550
    assert client.mail("")[0] == 550
    assert client.mail("ada@example.com", [f"size={LARGEST + 1}"])[0] == 552
    client.rset()
    client.mail("ada@example.com")
    codes = [client.rcpt(f"p{number}@example.com")[0] for number in range(RECIPIENTS + 1)]
    assert codes == [250] * RECIPIENTS + [452]
    assert client.data(b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n")[0] == 250
    client.mail("ada@example.com")
    client.rcpt("bob@example.org")
    assert client.data((b"x" * 70 + b"\r\n") * 2000)[0] == 552
    assert len(desk.taken) == 1


@pytest.mark.parametrize(("error", "code"), [(Refused("554 5.6.0 No"), 554), (OSError("the disk"), 451)])
def test_a_mail_when_it_cannot_be_taken_then_never_250(
    desk: Desk, connect: Callable[..., smtplib.SMTP], error: Exception, code: int
) -> None:
    client = connect()
    client.login("ada", "the word")
    desk.failing = error
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client.sendmail("ada@example.com", ["bob@example.org"], RAW)
    assert refused.value.smtp_code == code
    assert b"disk" not in refused.value.smtp_error
    desk.failing = OSError("the disk")
    with pytest.raises(smtplib.SMTPAuthenticationError) as later:
        connect().login("ada", "the word")
    assert later.value.smtp_code == 454


def test_a_password_that_is_slow_to_check_when_another_talks_then_answered_meanwhile(
    desk: Desk, connect: Callable[..., smtplib.SMTP]
) -> None:
    slow, quick = connect(), connect()
    desk.gate.clear()
    login = threading.Thread(target=slow.login, args=("ada", "the word"))
    login.start()
    deadline = time.monotonic() + 10
    while not desk.asked and time.monotonic() < deadline:
        time.sleep(0.001)
    assert quick.noop()[0] == 250
    assert login.is_alive()
    desk.gate.set()
    login.join(10)
    assert slow.mail("ada@example.com")[0] == 250
