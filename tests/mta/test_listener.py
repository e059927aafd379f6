"""The SMTP listener, spoken to by the standard library's client."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mta.incoming import IncomingMail
from mta.listener import LARGEST, RECIPIENTS, Listener, Looping
from mta.smtpserver import CONNECTIONS, ServerCertificate
from tests.fakes.certificates import make_certificate

RAW = b"From: eve@example.org\r\nSubject: Hi\r\n\r\n.dot\r\n\xc3\xa9 8-bit\r\n\r\n"


class Box:
    """Knows two addresses, and notes what it is given."""

    def __init__(self) -> None:
        self.mails: list[IncomingMail] = []
        self.failing: Exception | None = None

    def knows(self, address: str) -> bool:
        return address.casefold().endswith("@example.com") and not address.startswith("nobody")

    def deliver(self, mail: IncomingMail) -> None:
        if self.failing is not None:
            raise self.failing
        self.mails.append(mail)


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def client(box: Box) -> Iterator[Callable[[], smtplib.SMTP]]:
    listener = Listener("127.0.0.1", 0, "example.com", box.knows, box.deliver, clock=lambda: 1.0)
    listener.start()
    clients: list[smtplib.SMTP] = []

    def connect() -> smtplib.SMTP:
        clients.append(smtplib.SMTP("127.0.0.1", listener.port, timeout=10))
        return clients[-1]

    yield connect
    listener.stop()
    for one in clients:
        one.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", listener.port), 1)


def test_a_mail_when_for_people_here_then_filed_byte_by_byte_for_each(
    box: Box, client: Callable[[], smtplib.SMTP]
) -> None:
    refused = client().sendmail(
        "eve@example.org",
        ["ann@example.com", "nobody@example.com", "Bob@EXAMPLE.com", "x@elsewhere.example"],
        RAW,
    )
    assert {address: code for address, (code, _) in refused.items()} == {
        "nobody@example.com": 550,
        "x@elsewhere.example": 550,
    }
    assert [mail.recipient for mail in box.mails] == ["ann@example.com", "Bob@EXAMPLE.com"]
    assert {mail.raw for mail in box.mails} == {RAW}
    assert {mail.sender for mail in box.mails} == {"eve@example.org"}


def test_the_same_words_when_sent_twice_then_two_mails(box: Box, client: Callable[[], smtplib.SMTP]) -> None:
    connected = client()
    for _ in range(2):
        connected.sendmail("", ["ann@example.com"], RAW)
    assert len({mail.id for mail in box.mails}) == 2


@pytest.mark.parametrize(("error", "code"), [(Looping(), 554), (OSError("disk"), 451)])
def test_a_mail_when_it_cannot_be_filed_then_refused_for_good_or_for_now(
    box: Box, client: Callable[[], smtplib.SMTP], error: Exception, code: int
) -> None:
    box.failing = error
    with pytest.raises(smtplib.SMTPDataError) as refused:
        client().sendmail("eve@example.org", ["ann@example.com"], RAW)
    assert refused.value.smtp_code == code
    assert b"disk" not in refused.value.smtp_error


def test_limits_when_passed_then_said_by_the_protocols_own_numbers(
    client: Callable[[], smtplib.SMTP],
) -> None:
    connected = client()
    connected.ehlo()
    assert connected.esmtp_features["size"] == str(LARGEST)
    assert connected.mail("eve@example.org", [f"size={LARGEST + 1}"])[0] == 552
    connected.rset()
    connected.mail("eve@example.org")
    codes = [connected.rcpt(f"p{number}@example.com")[0] for number in range(RECIPIENTS + 1)]
    assert codes == [250] * RECIPIENTS + [452]


def test_connections_when_there_are_too_many_then_turned_away_and_back_when_some_left(
    client: Callable[[], smtplib.SMTP],
) -> None:
    held = [client() for _ in range(CONNECTIONS)]
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        client()
    assert refused.value.smtp_code == 421
    for one in held:
        one.quit()
    assert client().noop()[0] == 250


def test_an_address_when_taken_then_said_at_start(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listener = Listener("127.0.0.1", taken.getsockname()[1], "example.com", box.knows, box.deliver)
        with pytest.raises(OSError, match="in use"):
            listener.start()
        listener.stop()


def test_tls_when_there_is_a_certificate_then_by_starttls_and_a_renewed_one_counts_at_once(
    box: Box, tmp_path: Path
) -> None:
    made = make_certificate(tmp_path)
    listener = Listener(
        "127.0.0.1",
        0,
        "example.com",
        box.knows,
        box.deliver,
        certificate=ServerCertificate(tmp_path / "server.pem"),
    )
    listener.start()

    def shown() -> bytes:
        with smtplib.SMTP("127.0.0.1", listener.port, timeout=10) as client:
            client.starttls(context=ssl.create_default_context(cafile=made.ca))
            client.ehlo()
            assert "auth" not in client.esmtp_features
            client.sendmail("eve@example.org", ["ann@example.com"], RAW)
            assert isinstance(client.sock, ssl.SSLSocket)
            return client.sock.getpeercert(binary_form=True) or b""

    try:
        first = shown()
        time.sleep(0.01)
        make_certificate(tmp_path)
        second = shown()
        (tmp_path / "server.pem").write_text("half of it")
        assert shown() == second != first
    finally:
        listener.stop()
    assert [mail.raw for mail in box.mails] == [RAW] * 3


def test_connections_when_tls_came_about_then_counted_once_and_let_go(box: Box, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    certificate = ServerCertificate(tmp_path / "server.pem")
    listener = Listener("127.0.0.1", 0, "x.example", box.knows, box.deliver, certificate=certificate)
    listener.start()
    context = ssl.create_default_context(cafile=made.ca)
    try:
        for _ in range(2):
            clients = [smtplib.SMTP("127.0.0.1", listener.port, timeout=10) for _ in range(CONNECTIONS)]
            for client in clients:
                client.starttls(context=context)
                assert client.noop()[0] == 250
            for client in clients:
                client.quit()
        broken = smtplib.SMTP("127.0.0.1", listener.port, timeout=10)
        broken.putcmd("STARTTLS")
        broken.getreply()
        broken.send(b"this is no TLS\r\n\r\n" * 20)
        broken.close()
        with smtplib.SMTP("127.0.0.1", listener.port, timeout=10) as after:
            assert after.noop()[0] == 250
    finally:
        listener.stop()
