"""Mail that comes in, from a real socket to INBOX."""

from __future__ import annotations

import json
import smtplib
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from bitmail import hookroutes
from bitmail.drafts import Draft, new_key
from bitmail.errors import Unsendable
from bitmail.hooks import UNKNOWN, Hooks
from bitmail.incoming import LIFETIME, MOST_HOPS, Filed
from bitmail.mailboxes import MailboxName
from bitmail.server import ServerError
from bitmail.service import Service
from mta.configuration import ConfigurationError
from mta.hooks.call import Refusal
from mta.incoming import IncomingMail
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD, make_service
from tests.bitmail.test_hooks import hooks_of, listening
from tests.mta.scripted import wait_until
from tests.mta.signing import MAILGUN_KEY, TOPIC, Amazon, form_data, mailgun_signature

RAW = b"From: eve@example.org\r\nTo: somebody@else.example\r\nSubject: Hi\r\n\r\n8-bit \xe9\r\n"
SECRET = "0123456789abcdef"


@pytest.fixture
def open_service(tmp_path: Path) -> Iterator[Service]:
    """A service that takes mail in every way; `ada` has an account."""
    service = make_service(
        tmp_path,
        ses_topics=TOPIC,
        mailgun_webhook_signing_key=MAILGUN_KEY,
        incoming_secret=SECRET,
        smtp_listen="127.0.0.1:0",
        local_delivery="on",
    )
    service.start()
    service.model.accounts.log_in("ada", PASSWORD)
    yield service
    service.stop()


def inbox(service: Service, user: str = "ada") -> list[bytes]:
    mails = service.model.mailboxes.page(user, MailboxName.INBOX).mails
    return [service.model.mailboxes.raw(user, mail.id) for mail in mails]


def mailgun(address: str, token: str, **fields: Any) -> int:
    form = {**mailgun_signature(time.time(), token), "sender": "eve@example.org", **fields}
    body, headers = form_data(form)
    return httpx.post(f"{address}/hooks/mailgun/incoming/mime", content=body, headers=headers).status_code


def test_a_mail_by_mailgun_when_for_somebody_here_then_in_inbox_once_and_else_refused_for_good(
    open_service: Service,
) -> None:
    with listening(open_service) as address:
        said = {"recipient": "Ada@localhost", "body-mime": RAW}
        assert mailgun(address, "t", **said) == 200
        assert mailgun(address, "t", **said) == 200, "a repetition that changes nothing is refused"
        assert mailgun(address, "u", **said) == 200
        assert inbox(open_service) == [RAW]
        assert mailgun(address, "t", **{**said, "body-mime": RAW + b"forged"}) == 403
        assert inbox(open_service) == [RAW]
        assert mailgun(address, "v", **{**said, "recipient": "nobody@localhost"}) == 406
    counts = open_service.hooks.counts.all()
    assert counts["mailgun/incoming/mime", UNKNOWN] == 1
    assert counts["mailgun/incoming/mime", Refusal.REPLAYED] == 1


def test_a_mail_by_sendgrid_when_the_address_holds_the_password_then_in_inbox(open_service: Service) -> None:
    with listening(open_service) as address:
        envelope = {"to": ["ada@localhost", "nobody@localhost"], "from": "eve@example.org"}
        body, headers = form_data({"envelope": json.dumps(envelope), "email": RAW})
        with_password = address.replace("://", f"://bitmail:{SECRET}@")
        url = "/hooks/sendgrid/incoming"
        assert httpx.post(f"{with_password}{url}", content=body, headers=headers).status_code == 200
        assert httpx.post(f"{address}{url}", content=body, headers=headers).status_code == 401
        nobody = body.replace(b"ada@", b"eva@")
        assert httpx.post(f"{with_password}{url}", content=nobody, headers=headers).status_code == 200
        basic = httpx.BasicAuth("bitmail", SECRET).auth_flow(httpx.Request("POST", address))
        large = HTTPConnection(address.removeprefix("http://"), timeout=10)
        large.putrequest("POST", url)
        large.putheader("Authorization", next(basic).headers["authorization"])
        large.putheader("Content-Length", str(hookroutes.MAIL_LIMIT + 1))
        large.endheaders()
        assert large.getresponse().status == 413, "it is read before it is refused"
        large.close()
    assert inbox(open_service) == [RAW]


def received(**action: str) -> dict[str, Any]:
    receipt = {"recipients": ["ada@localhost", "nobody@localhost"], "action": action}
    return {
        "notificationType": "Received",
        "mail": {"messageId": "m1", "source": "eve@example.org"},
        "receipt": receipt,
    }


def test_a_mail_by_ses_when_in_its_notification_then_in_inbox(open_service: Service) -> None:
    amazon = Amazon(time.time())
    open_service.hooks = hooks_of(open_service, amazon.fetch)
    call = amazon.call(received(type="SNS", encoding="UTF-8") | {"content": "Subject: x\r\n\r\nHé\r\n"})
    with listening(open_service) as address:
        for _ in range(2):
            assert httpx.post(f"{address}/hooks/ses", content=call).status_code == 200
    assert inbox(open_service) == ["Subject: x\r\n\r\nHé\r\n".encode()]


def test_a_mail_by_ses_when_in_a_bucket_then_fetched_also_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    endpoint = "http://{}:{}".format(*s3.get_host_and_port())
    client = boto3.client("s3", region_name="eu-west-1", endpoint_url=endpoint)
    client.create_bucket(Bucket="mail", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    amazon = Amazon(time.time())
    first = make_service(tmp_path, ses_topics=TOPIC, providers="loopback")
    first.model.accounts.log_in("ada", PASSWORD)
    hooks = Hooks(first.settings, first.container, first.incoming, lambda: None, fetch=amazon.fetch)
    where = received(type="S3", bucketName="mail", objectKey="in/m1")
    for _ in range(2):
        hooks.ses(amazon.call(where), {})
    first.stop()
    second = make_service(tmp_path, s3_endpoint=endpoint, providers="loopback")
    client.put_object(Bucket="mail", Key="in/m1", Body=RAW)
    second.collector.start()
    wait_until(lambda: inbox(second) == [RAW])
    wait_until(lambda: not second.store.get({"fetching": "1"}))
    second.stop()
    s3.stop()


def test_a_bucket_when_away_then_tried_again_and_in_the_end_let_be(tmp_path: Path) -> None:
    amazon = Amazon(time.time())
    service = make_service(tmp_path, ses_topics=TOPIC, s3_endpoint="http://127.0.0.1:9")
    service.model.accounts.log_in("ada", PASSWORD)
    hooks = Hooks(service.settings, service.container, service.incoming, lambda: None, fetch=amazon.fetch)
    hooks.ses(amazon.call(received(type="S3", bucketName="mail", objectKey="k")), {})
    service.collector.round()
    assert len(service.store.get({"fetching": "1"})) == 1
    later = time.time() + LIFETIME + 60
    service.incoming._clock = lambda: later
    service.collector.round()
    assert service.store.get({"fetching": "1"}) == []
    service.stop()


def test_a_mail_by_smtp_when_for_somebody_here_then_in_inbox_and_for_nobody_refused(
    open_service: Service,
) -> None:
    with smtplib.SMTP("127.0.0.1", open_service.listeners["BITMAIL_SMTP_LISTEN"].port, timeout=10) as client:
        refused = client.sendmail("eve@example.org", ["ADA@localhost", "nobody@localhost"], RAW)
        assert refused["nobody@localhost"][0] == 550
        assert inbox(open_service) == [RAW]
        hops = b"Received: by x\r\n" * (MOST_HOPS + 1)
        with pytest.raises(smtplib.SMTPDataError) as looping:
            client.sendmail("eve@example.org", ["ada@localhost"], hops + RAW)
        assert looping.value.smtp_code == 554
    assert inbox(open_service) == [RAW]


def test_a_bounce_message_of_ours_when_it_comes_back_then_refused(open_service: Service) -> None:
    own = b"Message-ID: <bounce.0123@localhost>\r\n"
    mail = IncomingMail("1", "", "ada@localhost", own + RAW, 1.0)
    assert open_service.incoming.take(mail) is Filed.LOOPING
    other = own.replace(b"localhost", b"example.org")  # somebody else's, who writes them as we do
    assert open_service.incoming.take(IncomingMail("2", "", "ada@localhost", other, 1.0)) is Filed.IN_INBOX


def test_a_mail_between_two_people_here_when_so_set_then_in_inbox_and_no_provider_had_it(
    open_service: Service,
) -> None:
    ada = open_service.model.accounts.log_in("ada", PASSWORD)
    open_service.model.accounts.log_in("bob", PASSWORD)
    sent = open_service.model.outbox.send(
        ada,
        Draft(new_key(), to="bob@localhost, eve@example.org, nobody@localhost", subject="Plans", text="x"),
    )

    def shown() -> dict[str, tuple[Status, str]]:
        now = open_service.container.submission(sent.submission.id)
        assert now is not None
        return {one.recipient: (one.status, one.provider) for one in now.deliveries}

    wait_until(
        lambda: (
            shown()
            == {
                "bob@localhost": (Status.SENT, "local"),
                "eve@example.org": (Status.SENT, "loopback"),
                "nobody@localhost": (Status.FAILED, "local"),
            }
        ),
        shown,
    )
    (mail,) = open_service.model.mailboxes.page("bob", MailboxName.INBOX).mails
    assert (mail.sender_address, mail.subject) == ("ada@localhost", "Plans")
    assert open_service.is_demo, "the page no longer says that mail to others comes back"


@pytest.mark.parametrize(
    ("setting", "value"), [("incoming_secret", "short"), ("smtp_listen", "25"), ("smtp_listen", "host:99999")]
)
def test_a_setting_of_incoming_mail_when_it_cannot_work_then_refused_at_start(
    tmp_path: Path, setting: str, value: str
) -> None:
    with pytest.raises(ValueError, match=setting) as refused:
        make_service(tmp_path, **{setting: value})
    assert "short" not in str(refused.value).replace("too short", "")


def test_local_delivery_when_the_container_is_beside_then_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="BITMAIL_LOCAL_DELIVERY"):
        make_service(tmp_path, local_delivery="on", container="beside")


def test_a_port_for_smtp_when_taken_then_said_with_its_setting(open_service: Service, tmp_path: Path) -> None:
    port = open_service.listeners["BITMAIL_SMTP_LISTEN"].port
    second = make_service(tmp_path / "second", smtp_listen=f"127.0.0.1:{port}")
    with pytest.raises(ServerError, match="BITMAIL_SMTP_LISTEN"):
        second.start()
    second.stop()


def test_an_address_that_nobody_has_when_written_to_then_it_is_no_error_of_the_form(
    open_service: Service,
) -> None:
    ada = open_service.model.accounts.log_in("ada", PASSWORD)
    try:
        open_service.model.outbox.send(ada, Draft(new_key(), to="nobody@localhost", text="x"))
    except Unsendable:
        pytest.fail("whether an account exists is told by the form")
