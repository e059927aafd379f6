"""The wire form: what becomes of a mail in JSON, or of a finished one, and what is refused by name."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from mta.errors import Unacceptable
from mta.submission import NewSubmission
from mta.wireform import MOST_RECIPIENTS, read_json, read_rfc822

DATE = datetime(2026, 11, 25, 14, 2, 7, tzinfo=UTC)
PLAIN = {"From": "Ada <ada@example.com>", "To": "grace@example.com", "Subject": "Report"}


def wire(headers: dict[str, Any], content: bytes = b"Hello\n") -> bytes:
    return json.dumps({"Headers": headers, "Content": base64.b64encode(content).decode()}).encode()


def read(headers: dict[str, Any], content: bytes = b"Hello\n", key: str = "key") -> NewSubmission:
    return read_json(wire(headers, content), key=key, date=DATE)


def mail_of(new: NewSubmission) -> EmailMessage:
    mail = message_from_bytes(new.raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert max(map(len, new.raw.split(b"\r\n"))) <= 998
    return mail


def test_json_when_plain_then_a_whole_mail_with_date_and_message_id() -> None:
    new = read(PLAIN)
    mail = mail_of(new)
    assert (new.sender, new.recipients, new.subject) == ("ada@example.com", ("grace@example.com",), "Report")
    assert mail["from"].addresses[0].display_name == "Ada"
    assert mail["date"].datetime == DATE
    assert mail["message-id"].endswith("@example.com>")
    assert mail["mime-version"] == "1.0"
    assert mail.get_content().split() == ["Hello"]
    assert not new.needs_envelope


def test_json_when_repeated_then_the_same_mail_and_with_another_key_another_message_id() -> None:
    first, again, other = read(PLAIN), read(PLAIN), read(PLAIN, key="other")
    assert first.digest() == again.digest()
    assert first.raw == again.raw
    assert first.raw != other.raw
    assert first.digest() != read({**PLAIN, "Subject": "Other"}).digest()


def test_json_when_there_is_a_bcc_then_it_is_in_the_envelope_and_nowhere_else() -> None:
    headers = {**PLAIN, "bCC": ["bob@example.net", "Eve <eve@example.org>"], "Return-Path": "<x@example.com>"}
    new = read(headers)
    assert new.recipients == ("grace@example.com", "bob@example.net", "eve@example.org")
    assert new.needs_envelope
    for hidden in (b"bob@", b"eve@", b"Eve", b"bcc", b"Return-Path"):
        assert hidden.lower() not in new.raw.lower()
    only = read({"From": "ada@example.com", "Bcc": "bob@example.net"})
    assert mail_of(only)["to"] == "undisclosed-recipients:;"


def test_json_when_recipients_repeat_and_headers_come_in_several_ways_then_each_once() -> None:
    new = read({**PLAIN, "to": ["Bob <bob@example.net>, grace@example.com", "bob@EXAMPLE.net"]})
    assert new.recipients == ("grace@example.com", "bob@example.net")
    assert len(mail_of(new)["to"].addresses) == 2


@pytest.mark.parametrize(
    "text", ["Prüfbericht 🚀 " + "é" * 150, "two  blanks", "=?utf-8?q?not_encoded?=", ""]
)
def test_json_when_the_subject_is_anything_then_it_is_read_back(text: str) -> None:
    new = read({**PLAIN, "Subject": text, "X-Note": "häll  o"})
    assert mail_of(new)["subject"] == text
    assert mail_of(new)["x-note"] == "häll  o"
    assert new.subject == text


def test_json_when_machines_read_a_header_then_it_stands_as_given() -> None:
    unsubscribe = "<https://example.com/" + "x" * 200 + ">, <mailto:u@example.com>"
    assert mail_of(read({**PLAIN, "List-Unsubscribe": unsubscribe}))["list-unsubscribe"] == unsubscribe


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("", "naïve\n"),
        ("", "x" * 5000 + "\n"),
        ("", "From here\n.\n--boundary\n"),
        ("text/html", "<p>naïve</p>\n"),
        ('text/plain; charset="utf-8"', "世" * 3000 + "\n"),
    ],
)
def test_json_when_a_text_has_no_encoding_then_one_is_chosen_and_it_is_read_back(
    kind: str, content: str
) -> None:
    mail = mail_of(read({**PLAIN, **({"Content-Type": kind} if kind else {})}, content.encode()))
    assert mail.get_content().replace("\r\n", "\n") == content
    assert mail.get_content_type() == (kind.partition(";")[0] or "text/plain")


def test_json_when_the_text_is_in_another_charset_then_its_octets_are_kept() -> None:
    for charset, text in (("iso-8859-1", "naïve\n"), ("utf-16", "naïve\n")):
        mail = mail_of(
            read({**PLAIN, "Content-Type": f"text/plain; charset={charset}"}, text.encode(charset))
        )
        assert mail.get_content().replace("\r\n", "\n") == text


def test_json_when_it_is_a_file_then_every_octet_comes_through() -> None:
    content = bytes(range(256)) * 9
    mail = mail_of(read({**PLAIN, "Content-Type": "application/pdf"}, content))
    assert mail.get_content() == content


def test_json_when_it_is_a_multipart_then_its_parts_stand_as_they_are() -> None:
    parts = (b"Content-Type: text/plain\n\none", b"Content-Type: text/plain; charset=utf-8\n\nna\xc3\xafve")
    body = b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"
    mail = mail_of(read({**PLAIN, "Content-Type": 'multipart/mixed; boundary="b"'}, body))
    assert [part.get_content().strip() for part in mail.iter_parts()] == ["one", "naïve"]


def test_json_when_the_content_is_encoded_already_then_it_goes_out_as_it_is() -> None:
    headers = {
        **PLAIN,
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "Quoted-Printable",
    }
    assert mail_of(read(headers, b"na=C3=AFve\n")).get_content().strip() == "naïve"


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({**PLAIN, "Subject": "x\r\nBcc: eve@example.org"}, "Subject"),
        ({**PLAIN, "X-Thing": "a\nb"}, "X-Thing"),
        ({**PLAIN, "To": ["grace@example.com", "x@example.com\rBcc: eve@example.org"]}, "To"),
        ({**PLAIN, "From": "ada@example.com\r\n\r\nbody"}, "From"),
        ({**PLAIN, "X-Nul": "a\0b"}, "X-Nul"),
        ({**PLAIN, "X-Line\r\nBcc": "eve@example.org"}, "X-Line Bcc"),
        ({**PLAIN, "X Y": "1"}, "X Y"),
        ({**PLAIN, "": "1"}, ""),
        ({**PLAIN, "To": "grace"}, "To"),
        ({**PLAIN, "Bcc": "bob@"}, "Bcc"),
        ({**PLAIN, "From": ["ada@example.com", "eve@example.org"]}, "From"),
        ({**PLAIN, "From": "ada@example.com, eve@example.org"}, "From"),
        ({"To": "grace@example.com"}, "From"),
        ({"From": "ada@example.com"}, "To"),
        ({**PLAIN, "subject": "Twice"}, "subject"),
        ({**PLAIN, "Message-ID": "mine"}, "Message-ID"),
        ({**PLAIN, "Date": "tomorrow"}, "Date"),
        ({**PLAIN, "References": "<ä@example.com>"}, "References"),
        ({**PLAIN, "Content-Transfer-Encoding": "binary"}, "Content-Transfer-Encoding"),
        ({**PLAIN, "X-Long": "x" * 1200}, "body"),
        ({**PLAIN, "To": ",".join(f"a{n}@example.com" for n in range(MOST_RECIPIENTS + 1))}, "To"),
    ],
)
def test_json_when_a_header_cannot_stand_in_a_mail_then_refused_by_its_name(
    headers: dict[str, Any], field: str
) -> None:
    with pytest.raises(Unacceptable) as refused:
        read(headers)
    assert field in [error.field for error in refused.value.errors]
    assert all(error.reason for error in refused.value.errors)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"no json", "body"),
        (b"[]", "body"),
        (b'{"Headers": {}, "Surprise": 1}', "Surprise"),
        (b'{"Headers": {"To": 1}}', "Headers.To"),
        (b'{"Headers": {"To": "\\ud800@example.com"}}', "body"),
        (b'{"Headers": {"From": "a@example.com", "To": "b@example.com"}, "Content": "%%%"}', "Content"),
    ],
)
def test_json_when_it_has_another_form_then_refused_by_what_is_wrong(body: bytes, field: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        read_json(body, key="key", date=DATE)
    assert field in [error.field for error in refused.value.errors]


def test_json_when_the_text_is_no_utf8_and_nothing_says_what_it_is_then_refused() -> None:
    with pytest.raises(Unacceptable) as refused:
        read(PLAIN, b"\xff\xfe")
    assert refused.value.errors[0].field == "Content-Type"


RAW = (
    b"From: Ada <ada@example.com>\r\nTo: grace@example.com\r\nTo: second@example.com\r\n"
    b"Bcc: bob@example.net,\r\n eve@example.org\r\nSubject: =?utf-8?q?Pr=C3=BCf?=\r\n\tbericht\r\n"
)


def test_rfc822_when_it_is_whole_then_it_stays_as_it_is_but_for_its_bcc() -> None:
    head = RAW + b"Date: Wed, 25 Nov 2026 14:02:07 +0000\r\nMessage-ID: <1@example.com>\r\n"
    new = read_rfc822(head + b"\r\n.dot\r\n", sender=None, recipients=(), key="key", date=DATE)
    assert new.raw == head.replace(b"Bcc: bob@example.net,\r\n eve@example.org\r\n", b"") + b"\r\n.dot\r\n"
    assert new.recipients == ("grace@example.com", "second@example.com", "bob@example.net", "eve@example.org")
    assert (new.sender, new.subject, new.needs_envelope) == ("ada@example.com", "Prüf bericht", True)


def test_rfc822_when_an_envelope_is_given_then_that_counts() -> None:
    new = read_rfc822(
        RAW + b"\n\n", sender="list@example.com", recipients=("x@example.com",), key="key", date=DATE
    )
    assert (new.sender, new.recipients) == ("list@example.com", ("x@example.com",))
    assert b"bob@" not in new.raw
    assert (
        read_rfc822(RAW + b"\n\n", sender="", recipients=("x@example.com",), key="k", date=DATE).sender == ""
    )
    other = read_rfc822(RAW + b"\n\n", sender=None, recipients=("y@example.com",), key="key", date=DATE)
    assert other.digest() != new.digest()


@pytest.mark.parametrize(
    ("raw", "envelope", "field"),
    [
        (b"no header at all\r\n\r\nx", {}, "header"),
        (b"To: a@example.com\r\n\r\nx", {}, "From"),
        (RAW + b"From: eve@example.org\r\n\r\nx", {}, "From"),
        (b"From: ada@example.com\r\nTo: grace\r\n\r\nx", {}, "To"),
        (b"From: ada@example.com\r\n\r\nx", {}, "To"),
        (RAW + b"\r\n" + b"x" * 999, {}, "body"),
        (RAW + b"\r\na\0b", {}, "body"),
        (RAW + b"\r\n", {"recipients": ("nobody",)}, "recipient"),
        (RAW + b"\r\n", {"sender": "nobody"}, "sender"),
    ],
)
def test_rfc822_when_it_cannot_be_sent_then_refused_by_what_is_wrong(
    raw: bytes, envelope: dict[str, Any], field: str
) -> None:
    given = {"sender": None, "recipients": (), **envelope}
    with pytest.raises(Unacceptable) as refused:
        read_rfc822(raw, **given, key="key", date=DATE)
    assert field in [error.field for error in refused.value.errors]
