"""Mail that comes in by the forms of Mailgun and SendGrid, whole and in parts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import sendgrid

from mta.hooks.call import HookRefused, Refusal
from mta.hooks.form import MOST_FIELDS, read_form
from mta.hooks.mailgun import MailgunHook
from mta.hooks.mailgun_routes import MailgunRoutes
from mta.hooks.sendgrid_parse import SendGridParse
from mta.parsed import parse
from tests.mta.scripted import Clock
from tests.mta.signing import MAILGUN_KEY, form_data, mailgun_signature

RAW = b"From: eve@example.org\r\nSubject: Hi\r\n\r\n8-bit \xe9\xff, a \r alone and \0\r\n"
SECRET = "s" * 20
BASIC = {"authorization": "Basic " + base64.b64encode(f"bitmail:{SECRET}".encode()).decode()}


@pytest.fixture
def routes(clock: Clock) -> MailgunRoutes:
    return MailgunRoutes(MailgunHook(MAILGUN_KEY, clock), clock)


@pytest.fixture
def parse_hook(clock: Clock) -> SendGridParse:
    return SendGridParse(SECRET, clock)


def mailgun(clock: Clock, fields: Mapping[str, Any], token: str = "t") -> tuple[bytes, dict[str, str]]:
    return form_data({**mailgun_signature(clock.now, token), **fields})


def test_a_mail_by_mailgun_when_raw_then_byte_by_byte_for_each_recipient(
    routes: MailgunRoutes, clock: Clock
) -> None:
    fields = {"recipient": "ann@example.com, bob@example.com", "sender": "eve@example.org", "body-mime": RAW}
    call = routes.read(*mailgun(clock, fields))
    assert [mail.recipient for mail in call.mails] == ["ann@example.com", "bob@example.com"]
    assert {(mail.raw, mail.sender, mail.received_at) for mail in call.mails} == {
        (RAW, "eve@example.org", clock.now)
    }
    again = routes.read(*mailgun(clock, fields, "u"))
    assert again.mails[0].id == call.mails[0].id, "a repetition with another token is filed twice"
    assert again.token != call.token


def test_a_mail_by_mailgun_when_in_parts_then_put_together_again(routes: MailgunRoutes, clock: Clock) -> None:
    headers = [
        ["From", "Zoë <zoe@example.org>"],
        ["To", "everyone@example.com"],
        ["Subject", "Grüße 🚀"],
        ["Message-Id", "<one@example.org>"],
        ["Content-Type", 'multipart/mixed; boundary="gone"'],
        ["X-Evil", "a\r\nBcc: x@example.com"],
        ["Bad name", "x"],
        [7],
    ]
    call = routes.read(
        *mailgun(
            clock,
            {
                "recipient": "ann@example.com",
                "sender": "zoe@example.org",
                "message-headers": json.dumps(headers),
                "body-plain": "Hé\r\nthere",
                "body-html": '<p>Hé <img src="cid:pic"></p>',
                "attachment-count": "2",
                "attachment-1": ("Prüfbericht.pdf", "application/pdf", b"\0\xff" * 500),
                "attachment-2": ("pic.png", "image/png", b"png"),
                "content-id-map": json.dumps({"<pic>": "attachment-2"}),
            },
        )
    )
    mail = parse(call.mails[0].raw)
    assert (mail.subject, mail.message_id) == ("Grüße 🚀", "<one@example.org>")
    assert mail.sender is not None
    assert (mail.sender.name, mail.sender.email) == ("Zoë", "zoe@example.org")
    assert mail.text.strip() == "Hé\nthere"
    assert mail.html is not None
    assert "cid:pic" in mail.html
    assert {(file.name, file.type, file.content, file.content_id) for file in mail.attachments} == {
        ("Prüfbericht.pdf", "application/pdf", b"\0\xff" * 500, ""),
        ("pic.png", "image/png", b"png", "pic"),
    }
    assert not mail.damaged
    assert mail.bcc == ()


def test_a_mail_by_mailgun_when_urlencoded_then_read_as_well(routes: MailgunRoutes, clock: Clock) -> None:
    fields = mailgun_signature(clock.now, "t") | {"recipient": "ann@example.com", "sender": "eve@example.org"}
    body = urlencode(fields | {"body-plain": "Hé", "subject": "Grüße", "from": "eve@example.org"}).encode()
    (mail,) = routes.read(body, {"content-type": "application/x-www-form-urlencoded"}).mails
    assert (parse(mail.raw).subject, parse(mail.raw).text.strip()) == ("Grüße", "Hé")


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [({"token": "other"}, Refusal.FORGED), ({"recipient": " , "}, Refusal.MALFORMED)],
)
def test_a_mail_by_mailgun_when_not_signed_or_for_nobody_then_refused(
    routes: MailgunRoutes, clock: Clock, changed: dict[str, str], refusal: Refusal
) -> None:
    fields = {"recipient": "ann@example.com", "body-mime": RAW} | changed
    with pytest.raises(HookRefused) as refused:
        routes.read(*form_data(mailgun_signature(clock.now, "t") | fields))
    assert refused.value.refusal is refusal


def test_a_mail_by_sendgrid_when_raw_then_byte_by_byte_for_the_envelope(parse_hook: SendGridParse) -> None:
    envelope = {"to": ["ann@example.com", "bob@example.com"], "from": "eve@example.org"}
    body, headers = form_data({"envelope": json.dumps(envelope), "to": "other@example.com", "email": RAW})
    mails = parse_hook.read(body, headers | BASIC).mails
    assert [mail.recipient for mail in mails] == ["ann@example.com", "bob@example.com"]
    assert {(mail.raw, mail.sender) for mail in mails} == {(RAW, "eve@example.org")}


def test_a_mail_by_sendgrid_when_in_parts_then_each_field_in_its_own_charset(
    parse_hook: SendGridParse,
) -> None:
    body, headers = form_data(
        {
            "headers": "From: Zoë <zoe@example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: x\n"
            "Content-Type: text/plain; charset=iso-8859-1\nMIME-Version: 1.0\n",
            "envelope": json.dumps({"to": ["ann@example.com"], "from": "zoe@example.org"}),
            "charsets": json.dumps({"text": "windows-1251", "html": "iso-2022-jp", "subject": "UTF-8"}),
            "text": "Привет".encode("cp1251"),
            "html": "<p>日本</p>".encode("iso-2022-jp"),
            "attachments": "2",
            "attachment-info": json.dumps({"attachment1": {"filename": "Prüf.txt", "type": "text/plain"}}),
            "attachment1": ("garbled", "application/octet-stream", b""),
            "attachment2": ("../../etc/passwd", "image/gif", b"gif"),
            "content-ids": json.dumps({"logo": "attachment2"}),
        }
    )
    (mail,) = parse_hook.read(body, headers | BASIC).mails
    read = parse(mail.raw)
    assert read.subject == "Grüße"
    assert read.text.strip() == "Привет"
    assert read.html is not None
    assert "日本" in read.html
    assert {(file.name, file.type, file.content_id) for file in read.attachments} == {
        ("Prüf.txt", "text/plain", ""),
        ("passwd", "image/gif", "logo"),
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic !!"},
        {"authorization": "Basic " + base64.b64encode(b"bitmail:wrong").decode()},
        {"authorization": BASIC["authorization"].replace("Basic", "Bearer")},
    ],
)
def test_a_mail_by_sendgrid_when_without_the_password_then_forged(
    parse_hook: SendGridParse, headers: dict[str, str]
) -> None:
    body, kind = form_data({"envelope": '{"to": ["ann@example.com"]}', "email": RAW})
    with pytest.raises(HookRefused) as refused:
        parse_hook.read(body, headers | kind)
    assert refused.value.refusal is Refusal.FORGED


@pytest.mark.parametrize("envelope", ["", "[]", '{"to": "ann@example.com"}', "{"])
def test_a_mail_by_sendgrid_when_without_an_envelope_then_malformed(
    parse_hook: SendGridParse, envelope: str
) -> None:
    body, kind = form_data({"envelope": envelope, "email": RAW})
    with pytest.raises(HookRefused) as refused:
        parse_hook.read(body, BASIC | kind)
    assert refused.value.refusal is Refusal.MALFORMED


def cut(body: bytes) -> bytes:
    return body[: len(body) // 2]


@pytest.mark.parametrize(
    "change", [cut, lambda _: b"", lambda body: b"x" + body, lambda body: body.replace(b"--", b"")]
)
def test_a_form_when_broken_then_refused(change: Callable[[bytes], bytes]) -> None:
    body, headers = form_data({"a": "1", "b": "2"})
    with pytest.raises(HookRefused):
        read_form(change(body), headers["content-type"])


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 500]
)
def test_a_form_when_its_kind_is_not_known_then_refused(kind: str) -> None:
    with pytest.raises(HookRefused):
        read_form(form_data({"a": "1"})[0], kind)


def test_a_form_when_it_has_too_many_fields_then_refused() -> None:
    many: Mapping[str, Any] = {f"f{number}": "" for number in range(MOST_FIELDS + 1)}
    for body, kind in (
        form_data(many),
        (urlencode(many).encode(), {"content-type": "application/x-www-form-urlencoded"}),
    ):
        with pytest.raises(HookRefused):
            read_form(body, kind["content-type"])


@pytest.mark.parametrize("name", ["raw_data", "raw_data_with_attachments", "default_data"])
def test_a_call_when_as_sendgrids_own_package_shows_it_then_read(
    parse_hook: SendGridParse, name: str
) -> None:
    sample = Path(sendgrid.__file__).parent / "helpers/inbound/sample_data" / f"{name}.txt"
    body = sample.read_bytes().strip().replace(b"\n", b"\r\n") + b"\r\n"
    (mail,) = parse_hook.read(body, BASIC | {"content-type": "multipart/form-data; boundary=xYzZY"}).mails
    read = parse(mail.raw)
    assert mail.recipient.startswith("inbound@inbound.")
    assert "Hello Twilio SendGrid!" in read.text
    assert read.sender is not None
    assert read.sender.email == "test@example.com"
    assert [file.name for file in read.attachments] == (["SendGrid.jpg"] if "attachments" in name else [])
    assert not read.damaged
