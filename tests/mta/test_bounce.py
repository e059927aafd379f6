"""Bounce messages, read by the standard library, which had no part in writing them."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import cast

from mta.bounce import Bounce, Told, bounce_message
from mta.outcomes import Status
from mta.parsed import parse
from mta.submission import Delivery, Submission

NOW = 1_800_000_000.0
HEAD = (
    "From: ann@example.com\r\nTo: bob@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Message-ID: <one@example.com>\r\nX-Long: å\r\n\r\nSecret body\r\n"
).encode()


TOLD = Told("Mail Delivery System", "Not delivered: Grüße", "Your mail “Grüße” could not be delivered.\n")


def delivery(recipient: str, detail: str, status: Status = Status.BOUNCED) -> Delivery:
    return Delivery(f"id-{recipient}", recipient, status, "ses", detail, NOW)


def made(*failed: Delivery, total: int = 0) -> tuple[EmailMessage, bytes]:
    others = tuple(delivery(f"x{number}@example.org", "", Status.SENT) for number in range(total))
    submission = Submission("s", "k", "ann", "ann@example.com", "Grüße", NOW - 60, (*failed, *others))
    raw = bounce_message(Bounce("batch", submission, failed, HEAD, NOW), TOLD, "example.com")
    return message_from_bytes(raw, policy=policy.default), raw


def test_a_bounce_message_when_read_by_others_then_a_report_as_the_rfc_asks() -> None:
    message, raw = made(delivery("bob@example.net", "550 5.1.1 no such user."), total=2)
    assert made(delivery("bob@example.net", "550 5.1.1 no such user."), total=2)[1] == raw
    assert not message.defects
    assert str(message["From"]) == "Mail Delivery System <mailer-daemon@example.com>"
    assert (str(message["To"]), str(message["Subject"])) == ("ann@example.com", "Not delivered: Grüße")
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == "<one@example.com>"
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    words, status, head = cast("list[EmailMessage]", message.get_payload())
    assert words.get_content().splitlines() == TOLD.text.splitlines()
    about, recipient = cast("list[Message]", status.get_payload())
    assert status.get_content_type() == "message/delivery-status"
    assert about["Reporting-MTA"] == "dns; example.com"
    assert recipient["Final-Recipient"] == "rfc822; bob@example.net"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user."
    assert head.get_content_type() == "text/rfc822-headers"
    assert "Message-ID: <one@example.com>" in head.get_content()
    assert "X-Long: å" in head.get_content()
    assert b"Secret body" not in raw
    assert all(len(line) <= 998 and line.isascii() for line in raw.split(b"\r\n"))


def test_a_bounce_message_when_shown_by_us_then_the_words_are_its_text() -> None:
    _, raw = made(delivery("bob@example.net", "550 5.1.1 no such user."))
    mail = parse(raw)
    assert mail.sender is not None
    assert mail.sender.name == "Mail Delivery System"
    assert "“Grüße” could not be delivered" in mail.text
    assert not mail.damaged


def test_a_bounce_message_when_thousands_fail_then_all_in_the_report() -> None:
    failed = [delivery(f"p{number}@example.net", "mailbox full") for number in range(3000)]
    message, _ = made(*failed, total=10)
    _, status, _ = cast("list[EmailMessage]", message.get_payload())
    assert len(cast("list[Message]", status.get_payload())) == 3001


def test_a_recipient_beyond_ascii_when_reported_then_in_the_form_for_seven_bits() -> None:
    message, raw = made(delivery("üser@example.net", "553 ünknown"))
    _, status, _ = cast("list[EmailMessage]", message.get_payload())
    assert raw.isascii()
    assert "utf-8; \\x{FC}ser@example.net" in status.as_string()
