"""Mail handed in by SMTP as people's programs do: Python's own client, curl and swaks."""

from __future__ import annotations

import asyncio
import base64
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pyotp
import pytest

from bitmail import door
from bitmail.audit import Action
from bitmail.current import serving
from bitmail.door import PER_ACCOUNT
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.tokens import Scope
from mta.configuration import ConfigurationError
from mta.outcomes import Status
from mta.submissionlistener import TRIES
from tests.bitmail.conftest import PASSWORD, make_service
from tests.fakes.certificates import Certificate, make_certificate
from tests.mta.scripted import wait_until

RAW = b"From: Ada <ada@localhost>\r\nTo: bob@example.com\r\nSubject: Hi\r\n\r\nHello\r\n"
HIDDEN = (
    b"From: ada@localhost\r\nTo: Bob <bob@example.com>\r\nBcc: eve@example.com\r\nSubject: B\r\n\r\nx\r\n"
)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
def service(tmp_path: Path, certificate: Certificate) -> Iterator[Service]:
    """A service that takes mail by SMTP, with ada's account."""
    service = make_service(
        tmp_path / "var",
        submission_listen="127.0.0.1:0",
        smtp_certificate=str(tmp_path / "server.pem"),
        mails_an_hour="8",
    )
    service.start()
    service.model.log_in("ada", PASSWORD)
    with serving(service):
        yield service
    service.stop()


@pytest.fixture
def connect(service: Service, certificate: Certificate) -> Iterator[Callable[[], smtplib.SMTP]]:
    clients: list[smtplib.SMTP] = []

    def connect() -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", port(service), timeout=20)
        clients.append(client)
        client.starttls(context=ssl.create_default_context(cafile=certificate.ca))
        return client

    yield connect
    for client in clients:
        client.close()


def port(service: Service) -> int:
    return service.listeners["BITMAIL_SUBMISSION_LISTEN"].port


def sent(service: Service) -> list[str]:
    """The subjects of what ada sent, newest first."""
    return [mail.subject for mail in service.model.mailboxes.page("ada", MailboxName.SENT).mails]


def test_a_mail_by_smtp_is_in_sent_and_on_its_way_once_it_is_answered_for(
    service: Service, connect: Callable[[], smtplib.SMTP]
) -> None:
    client = connect()
    client.login("Ada@localhost", PASSWORD)
    client.mail("ada@localhost")
    client.rcpt("bob@example.com")
    code, words = client.data(RAW)
    assert code == 250
    id = words.decode().rpartition(" ")[2]
    submission = service.model.submission("ada", id)
    assert [one.recipient for one in submission.deliveries] == ["bob@example.com"]
    assert sent(service) == ["Hi"]
    wait_until(lambda: service.model.submission("ada", id).deliveries[0].status is Status.SENT)
    assert service.container.raw(id).endswith(b"Hello\r\n")
    assert Action.REFUSED not in {record.action for record in service.model.audit.page("ada")}


def test_who_stands_only_in_the_envelope_gets_the_mail_and_is_named_to_the_author_alone(
    service: Service, connect: Callable[[], smtplib.SMTP]
) -> None:
    client = connect()
    client.login("ada", PASSWORD)
    assert client.sendmail("ada@localhost", ["bob@example.com", "carl@example.com"], HIDDEN) == {}
    (mail,) = service.model.mailboxes.page("ada", MailboxName.SENT).mails
    submission = service.model.submission("ada", mail.submission)
    assert [one.recipient for one in submission.deliveries] == ["bob@example.com", "carl@example.com"]
    assert service.model.mailboxes.mail("ada", mail.id).bcc == "carl@example.com"
    raw = service.container.raw(submission.id)
    assert b"carl" not in raw
    assert b"eve" not in raw, "who is named but not in the envelope is told to nobody"


def test_a_token_that_may_send_opens_and_no_other_secret_does(
    service: Service, connect: Callable[[], smtplib.SMTP]
) -> None:
    model = service.model
    model.log_in("eve", PASSWORD)
    good = model.make_token("ada", "mail client", [Scope.SEND], 30)
    assert connect().login("ada", good)[0] == 235
    for name, secret in (
        ("ada", "not the password"),
        ("ada", ""),
        ("nobody", PASSWORD),
        ("root", PASSWORD),
        ("eve", good),
        ("ada", model.make_token("ada", "reader", [Scope.READ], 30)),
        ("ada", "bm_" + "x" * 43),
    ):
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            connect().login(name, secret)
        assert refused.value.smtp_code == 535, name
    assert not model.accounts.exists("nobody"), "no account is made by logging in here"
    assert Action.REFUSED in {record.action for record in model.audit.page("ada")}


def test_a_second_factor_leaves_the_token_and_not_the_password(
    service: Service, connect: Callable[[], smtplib.SMTP]
) -> None:
    model = service.model
    session = model.sessions.find(model.log_in("ada", PASSWORD)[1])
    assert session is not None
    secret = model.second_factor.begin("ada", "ada@localhost").secret
    model.turn_second_factor_on(session, pyotp.TOTP(secret).now())
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        connect().login("ada", PASSWORD)
    assert refused.value.smtp_code == 534
    assert b"API token" in refused.value.smtp_error
    assert connect().login("ada", model.make_token("ada", "client", [Scope.SEND], 1))[0] == 235


def test_guesses_are_counted_as_at_the_door_and_then_told_to_wait(
    service: Service, connect: Callable[[], smtplib.SMTP], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PER_ACCOUNT", replace(PER_ACCOUNT, wait=30.0))
    # By hand: the library tries a wrong password by each mechanism in turn.
    wrong = base64.b64encode(b"\0ada\0not the password").decode()
    codes = []
    for number in range(PER_ACCOUNT.free + 1):
        if number % TRIES == 0:
            client = connect()
            client.ehlo()
        codes.append(client.docmd(f"AUTH PLAIN {wrong}")[0])
    assert codes == [535] * PER_ACCOUNT.free + [454]
    with pytest.raises(smtplib.SMTPAuthenticationError) as waiting:
        connect().login("ada", PASSWORD)
    assert b"Too many tries" in waiting.value.smtp_error
    token = service.model.make_token("ada", "client", [Scope.SEND], 1)
    assert connect().login("ada", token)[0] == 235, "a stranger's guessing stops no token"


def test_a_locked_account_is_closed_to_its_tokens_and_to_who_is_connected(
    service: Service, connect: Callable[[], smtplib.SMTP], api: Callable[[], httpx.AsyncClient]
) -> None:
    token = service.model.make_token("ada", "client", [Scope.SEND, Scope.READ], 1)
    client = connect()
    client.login("ada", token)
    service.model.lock("ada", by="root")
    assert client.mail("ada@localhost")[0] == 550
    with pytest.raises(smtplib.SMTPAuthenticationError):
        connect().login("ada", token)

    async def status() -> int:
        async with api() as browser:
            browser.headers["Authorization"] = f"Bearer {token}"
            return (await browser.get("/api/suppressions")).status_code

    assert asyncio.run(status()) == 401


def test_what_the_page_would_refuse_is_refused_with_its_words_and_the_right_code(
    service: Service, connect: Callable[[], smtplib.SMTP]
) -> None:
    model = service.model
    model.suppressions.add("ada", "gone@example.com", Status.BOUNCED, "There is no such mailbox.")
    client = connect()
    client.login("ada", PASSWORD)
    assert client.mail("eve@localhost") == (550, b"5.7.1 You may send as ada@localhost only.")
    assert client.mail("ADA@LOCALHOST")[0] == 250
    code, words = client.rcpt("gone@example.com")
    assert code == 550
    assert b"gone@example.com bounced on" in words
    assert client.rcpt("a@-example.com")[0] == 553
    client.rcpt("bob@example.com")
    code, words = client.data(RAW.replace(b"ada@", b"eve@"))
    assert (code, words[:5]) == (550, b"5.7.1")
    client.mail("ada@localhost")
    client.rcpt("bob@example.com")
    code, words = client.data(RAW.replace(b"Hello", b"x" * 999))
    assert code in (500, 554)
    assert sent(service) == []
    for _ in range(8):
        client.sendmail("ada@localhost", ["bob@example.com"], RAW)
    with pytest.raises(smtplib.SMTPDataError) as full:
        client.sendmail("ada@localhost", ["bob@example.com"], RAW)
    assert full.value.smtp_code == 452
    assert b"within an hour" in full.value.smtp_error


def test_curl_and_swaks_hand_mail_in(service: Service, certificate: Certificate, tmp_path: Path) -> None:
    token = service.model.make_token("ada", "client", [Scope.SEND], 1)
    (tmp_path / "mail.eml").write_bytes(RAW.replace(b"Hi", b"by curl"))
    where = f"127.0.0.1:{port(service)}"
    curl = [
        *("curl", "--silent", "--show-error", "--ssl-reqd", "--cacert", str(certificate.ca)),
        *("--url", f"smtp://{where}", "--user", f"ada:{token}", "--upload-file", str(tmp_path / "mail.eml")),
        *("--mail-from", "ada@localhost", "--mail-rcpt", "bob@example.com"),
    ]
    subprocess.run(curl, check=True, capture_output=True, timeout=60)
    swaks = [
        *("swaks", "--server", where, "--tls", "--auth", "LOGIN", "--auth-user", "ada"),
        *("--auth-password", PASSWORD, "--from", "ada@localhost", "--to", "bob@example.com"),
        *("--header", "Subject: by swaks", "--body", "Hello"),
    ]
    done = subprocess.run(swaks, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "<~  250 2.0.0 Taken for sending as " in done.stdout
    assert sent(service) == ["by swaks", "by curl"]
    refused = [PASSWORD + "x" if word == PASSWORD else word for word in swaks]
    assert subprocess.run(refused, check=False, capture_output=True, timeout=60).returncode == 28


def test_submission_without_a_certificate_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="BITMAIL_SMTP_CERTIFICATE"):
        make_service(tmp_path, submission_listen="127.0.0.1:0")
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        make_service(tmp_path, smtp_certificate=str(tmp_path / "none.pem"), smtp_listen="127.0.0.1:0")
