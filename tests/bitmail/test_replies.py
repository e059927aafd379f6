"""Replies, forwards and mails written once more: to whom, about what, and with which thread and words."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from bitmail.drafts import Draft, new_key
from bitmail.mailboxes import MailboxName
from bitmail.replies import Answer, edit_as_new, forward, from_mailto, reply
from bitmail.service import Service
from mta.parsed import parse
from tests.bitmail.conftest import PASSWORD

ZONE = ZoneInfo("Europe/Copenhagen")
RAW = (
    b'From: Grace Hopper <grace@example.com>\r\nTo: Ada <ada@localhost>, "Doe, Bob" <bob@example.net>\r\n'
    b"Cc: Carl <carl@example.org>, ADA@localhost\r\nSubject: Agenda\r\nMessage-ID: <2@example.com>\r\n"
    b"References: <0@example.com> <1@example.com>\r\nDate: Wed, 25 Nov 2026 13:02:00 +0000\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nFirst\r\n\r\n> quoted\r\n-- \r\nGrace\r\n"
)


def test_reply_goes_to_the_author_with_the_thread_and_a_quotation_without_the_signature() -> None:
    draft = reply(parse(RAW), "key", "ada@localhost", ZONE).draft
    assert (draft.to, draft.cc) == ("Grace Hopper <grace@example.com>", "")
    assert draft.subject == "Re: Agenda"
    assert draft.in_reply_to == "<2@example.com>"
    assert draft.references == "<0@example.com> <1@example.com> <2@example.com>"
    assert draft.text == (
        "\n\nOn Wednesday, 25 November 2026 at 14:02, Grace Hopper wrote:\n> First\n>\n>> quoted"
    )


def test_reply_all_goes_to_everyone_once_but_oneself() -> None:
    draft = reply(parse(RAW), "key", "ada@localhost", ZONE, to_all=True).draft
    assert draft.to == "Grace Hopper <grace@example.com>"
    assert draft.cc == '"Doe, Bob" <bob@example.net>\nCarl <carl@example.org>'


def test_reply_follows_reply_to_and_does_not_say_re_twice() -> None:
    raw = RAW.replace(b"Subject: Agenda", b"Subject: SV: Agenda\r\nReply-To: list@example.org")
    draft = reply(parse(raw), "key", "ada@localhost", ZONE).draft
    assert (draft.to, draft.subject) == ("list@example.org", "SV: Agenda")


def test_reply_to_ones_own_mail_goes_to_those_it_was_written_to() -> None:
    draft = reply(parse(RAW), "key", "grace@example.com", ZONE, to_all=True).draft
    assert draft.to == 'Ada <ada@localhost>\n"Doe, Bob" <bob@example.net>'
    assert draft.cc == "Carl <carl@example.org>"


def test_reply_to_a_mail_that_tells_nothing_is_an_empty_answer_and_no_error() -> None:
    draft = reply(parse(b""), "key", "ada@localhost", ZONE).draft
    assert (draft.to, draft.in_reply_to, draft.references) == ("", "", "")
    assert "someone wrote:" in draft.text


def test_an_address_that_is_none_stays_to_be_corrected() -> None:
    assert (
        reply(parse(b"From: G <g@-example.com>\r\n\r\n"), "k", "a@b.example", ZONE).draft.to
        == "G <g@-example.com>"
    )


def test_forward_hands_on_the_head_the_text_and_the_files() -> None:
    raw = (
        b"From: grace@example.com\r\nTo: ada@localhost\r\nSubject: Photo\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nLook\r\n--b\r\nContent-Type: image/png\r\n'
        b'Content-ID: <x@y>\r\nContent-Disposition: inline; filename="a.png"\r\nContent-Transfer-Encoding: base64\r\n'
        b"\r\nAAEC\r\n--b--\r\n"
    )
    beginning = forward(parse(raw), "key", ZONE)
    assert beginning.draft.subject == "Fwd: Photo"
    assert beginning.draft.to == ""
    assert "From: grace@example.com\nSubject: Photo\nTo: ada@localhost\n\nLook" in beginning.draft.text
    assert [(file.name, file.content, file.content_id) for file in beginning.files] == [
        ("a.png", b"\0\1\2", "")
    ]


def test_edit_as_new_is_the_same_mail_with_its_bcc() -> None:
    draft = edit_as_new(parse(RAW), "key", "eve@example.org").draft
    assert draft.cc == "Carl <carl@example.org>\nADA@localhost"
    assert (draft.bcc, draft.subject) == ("eve@example.org", "Agenda")
    assert draft.text.startswith("First\n\n> quoted")


@pytest.mark.parametrize("how", list(Answer))
def test_every_answer_is_a_draft_of_ones_own_with_the_signature_above_the_quotation(
    service: Service, how: Answer
) -> None:
    service.model.accounts.log_in("ada", PASSWORD)
    service.model.phrases.set_signature("ada", "Ada")
    service.model.mailboxes.file("ada", "1", RAW, 0.0)
    (mail,) = service.model.mailboxes.page("ada", MailboxName.INBOX).mails
    key = service.model.answer("ada", mail.id, how, ZONE)
    draft, revision = service.model.drafts.open("ada", key)
    assert revision == 0
    assert draft.text.startswith("\n\n-- \nAda\n\n") == (how is not Answer.EDIT_AS_NEW)
    assert service.model.drafts.load("eve", key).is_empty


def test_the_thread_is_sent_although_the_page_never_had_it(service: Service) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    service.model.mailboxes.file("ada", "1", RAW, 0.0)
    (mail,) = service.model.mailboxes.page("ada", MailboxName.INBOX).mails
    key = service.model.answer("ada", mail.id, Answer.REPLY, ZONE)
    service.model.drafts.save("ada", Draft(key, to="grace@example.com", subject="Re: Agenda", text="Yes"))
    sent = service.model.outbox.send(author, service.model.drafts.load("ada", key))
    content = service.model.mailboxes.content("ada", sent.id)
    assert content.in_reply_to == "<2@example.com>"
    assert content.references == ("<0@example.com>", "<1@example.com>", "<2@example.com>")


def test_reply_to_is_sent_and_a_bad_one_is_refused_beside_its_field(service: Service) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    sent = service.model.outbox.send(
        author, Draft(new_key(), to="grace@example.com", text="x", reply_to="Office <office@example.com>")
    )
    assert [person.email for person in service.model.mailboxes.content("ada", sent.id).reply_to] == [
        "office@example.com"
    ]


@pytest.mark.parametrize(
    ("link", "to", "subject", "text"),
    [
        ("mailto:ann@example.com", "ann@example.com", "", ""),
        (
            "MAILTO:ann@example.com,bob@example.com?subject=Hi%20there",
            "ann@example.com,bob@example.com",
            "Hi there",
            "",
        ),
        ("mailto:?to=ann@example.com&body=a%0D%0Ab+c", "ann@example.com", "", "a\nb+c"),
        (
            "mailto:ann@example.com?subject=Hi%0ABcc:%20x@example.com",
            "ann@example.com",
            "Hi Bcc: x@example.com",
            "",
        ),
        ("mailto:ann@example.com?bcc=x@example.com&attach=/etc/passwd", "ann@example.com", "", ""),
        ("mailto:%22Doe,%20Ann%22%20%3Cann@example.com%3E", '"Doe, Ann" <ann@example.com>', "", ""),
    ],
)
def test_a_mailto_link_begins_a_mail_with_what_a_person_sees(
    link: str, to: str, subject: str, text: str
) -> None:
    assert from_mailto(link, "key") == Draft("key", to=to, subject=subject, text=text)


@pytest.mark.parametrize("link", ["", "https://example.com", "javascript:alert(1)", "ann@example.com"])
def test_another_link_begins_none(link: str) -> None:
    assert from_mailto(link, "key") is None
