from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest

from mta.addresses import parse_address, parse_recipients
from mta.email import Attachment, Email
from mta.incoming import IncomingMail, NoMailbox
from mta.mime import compose, parse
from mta.outcomes import Outcome
from mta.providers.base import Outgoing
from mta.providers.loopback import LoopBack

NOW = 1_770_000_000.0
EMAIL = Email(
    parse_address('"Doe, Änn" <ann@example.com>'),
    to=parse_recipients('"Bob; B" <bob@bücher.example>, carl@example.com').addresses,
    cc=parse_recipients("Dora <dora@example.com>").addresses,
    bcc=parse_recipients("eve@example.com").addresses,
    subject="Grüße 🚀",
    text="Hällo",
    html="<p>Hällo</p>",
    attachments=(Attachment("Prüf.pdf", "application/pdf", b"\0\1"),),
    references=("<first@example.com>",),
    in_reply_to="<first@example.com>",
    reply_to=(parse_address("elsewhere@example.com"),),
)


def outgoing(recipient: str, delivery_id: str = "d1", sender: str = "ann@example.com") -> Outgoing:
    return Outgoing(delivery_id, sender, recipient, compose(EMAIL))


def returned(message: Outgoing) -> IncomingMail:
    filed: list[IncomingMail] = []
    answer = LoopBack(deliver=filed.append, clock=lambda: NOW).send(message)
    assert answer.outcome is Outcome.ACCEPTED
    [mail] = filed
    return mail


def test_mail_comes_back_with_from_and_to_reversed() -> None:
    mail = returned(outgoing("bob@xn--bcher-kva.example"))
    assert (mail.sender, mail.recipient) == ("bob@xn--bcher-kva.example", "ann@example.com")
    assert mail.received_at == NOW
    parsed = parse(mail.raw)
    assert parsed.sender is not None
    assert parsed.sender.address == EMAIL.to[0]
    assert [mailbox.address for mailbox in parsed.to] == [EMAIL.sender]
    assert (parsed.cc, parsed.bcc, parsed.reply_to) == ((), (), ())


def test_mail_that_comes_back_keeps_its_content_to_the_byte() -> None:
    mail = returned(outgoing("carl@example.com"))
    parsed = parse(mail.raw)
    assert (parsed.subject, parsed.text, parsed.html) == (EMAIL.subject, EMAIL.text, EMAIL.html)
    assert parsed.attachments == EMAIL.attachments
    assert mail.raw.partition(b"\r\n\r\n")[2] == compose(EMAIL).partition(b"\r\n\r\n")[2]


def test_mail_that_comes_back_is_a_new_one_in_the_same_thread() -> None:
    parsed = parse(returned(outgoing("carl@example.com")).raw)
    assert parsed.message_id != EMAIL.message_id
    assert parsed.message_id.endswith("@example.com>")
    assert parsed.in_reply_to == EMAIL.message_id
    assert parsed.references == ("<first@example.com>", EMAIL.message_id)
    assert parsed.date == datetime.fromtimestamp(NOW, UTC)


@pytest.mark.parametrize(
    ("recipient", "name"), [("carl@example.com", ""), ("DORA@example.com", "Dora"), ("eve@example.com", "")]
)
def test_each_recipient_answers_in_their_own_name(recipient: str, name: str) -> None:
    parsed = parse(returned(outgoing(recipient)).raw)
    assert parsed.sender is not None
    assert (parsed.sender.name, parsed.sender.email) == (name, recipient)


def test_same_delivery_twice_hands_in_the_same_mail() -> None:
    assert returned(outgoing("carl@example.com")) == returned(outgoing("carl@example.com"))
    assert returned(outgoing("carl@example.com", "d2")).id != returned(outgoing("carl@example.com", "d1")).id


def test_non_ascii_local_part_comes_back() -> None:
    parsed = parse(returned(outgoing("üser@example.com")).raw)
    assert parsed.sender is not None
    assert parsed.sender.email == "üser@example.com"
    assert LoopBack.can_smtputf8


def test_mail_without_a_head_comes_back() -> None:
    mail = returned(Outgoing("d1", "ann@example.com", "bob@example.com", b"\r\njust text"))
    assert parse(mail.raw).text == "just text"


def test_bounce_without_sender_is_accepted_and_goes_nowhere() -> None:
    filed: list[IncomingMail] = []
    answer = LoopBack(deliver=filed.append).send(outgoing("bob@example.com", sender=""))
    assert (answer.outcome, filed) == (Outcome.ACCEPTED, [])


def test_mail_whose_author_has_no_mailbox_here_is_accepted_since_the_provider_is_well() -> None:
    def deliver(mail: IncomingMail) -> None:
        raise NoMailbox(mail.recipient)

    answer = LoopBack(deliver=deliver).send(outgoing("bob@example.com", sender="program@example.com"))
    assert (answer.outcome, answer.provider_id) == (Outcome.ACCEPTED, "")


def test_recipient_that_is_none_is_rejected() -> None:
    answer = LoopBack(deliver=lambda _: None).send(outgoing("bob"))
    assert answer.outcome is Outcome.REJECTED_RECIPIENT
    assert "bob" in answer.detail


def test_filing_that_fails_is_unavailable_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    def deliver(_: IncomingMail) -> None:
        raise OSError("disk full")

    with caplog.at_level(logging.ERROR):
        answer = LoopBack("back", deliver=deliver).send(outgoing("bob@example.com"))
    assert answer.outcome is Outcome.UNAVAILABLE
    assert "disk full" in caplog.text
    assert "disk full" not in answer.detail
