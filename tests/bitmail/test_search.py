"""Searching one's own mail: what is typed, and what is found."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from bitmail.drafts import Draft
from bitmail.mailboxes import PAGE, MailboxName
from bitmail.search import parse_search
from bitmail.service import Service
from store import Part, Query, Term
from tests.bitmail.conftest import PASSWORD, make_service

BERLIN = ZoneInfo("Europe/Berlin")
DAY = datetime(2026, 11, 25, tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("two words", Query((Term("two"), Term("words")))),
        ('"a phrase" word', Query((Term("a phrase", whole=True), Term("word")))),
        ("from:grace", Query((Term("grace", Part.AUTHOR),))),
        ('TO:"Grace Hopper"', Query((Term("Grace Hopper", Part.READERS, True),))),
        ("subject:„Plan", Query((Term("Plan", Part.TITLE, True),))),
        ("has:attachment x", Query((Term("x"),), ("files",))),
        ("has:attachments has:attachment", Query((), ("files",))),
        ("before:2026-11-25", Query(before=DAY)),
        ("before:2027 before:2026/11/25", Query(before=DAY)),
        ("before:yesterday", Query((Term("before yesterday"),))),
        ("before:2026-13-99", Query((Term("before 2026-13-99"),))),
        ("http://example.com", Query((Term("http //example.com"),))),
        ("from:", Query((Term("from:"),))),
        ('"', Query((Term("", whole=True),))),
        ("", Query()),
    ],
)
def test_what_is_typed_is_understood_or_taken_for_words(typed: str, meant: Query) -> None:
    assert parse_search(typed, BERLIN) == meant


@given(st.text(max_size=400))
def test_no_text_breaks_the_parser(typed: str) -> None:
    parse_search(typed, BERLIN)


def file(service: Service, user: str, arrival: str, head: str, text: str, at: float = 0.0) -> None:
    raw = f"{head}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    service.model.mailboxes.file(user, arrival, raw, at or time.time())


def found(service: Service, typed: str, user: str = "ada") -> list[str]:
    while service.model.librarian.take_in():
        pass
    return [mail.subject for mail in service.model.mailboxes.search(user, typed, BERLIN).mails]


def test_a_search_finds_sender_recipients_subject_and_body_of_ones_own_mail_alone(service: Service) -> None:
    head = (
        "From: Grace Hopper <grace@example.com>\r\nTo: ada@localhost, Bob <bob@example.net>\r\nSubject: Plans"
    )
    file(service, "ada", "1", head, "The compiler is ready.")
    file(service, "eve", "1", "From: x@example.com\r\nSubject: Secret plans", "compiler")
    for typed in (
        "hopper",
        "from:grace@example.com",
        "to:bob",
        "subject:plans",
        "compil",
        '"is ready" plans',
    ):
        assert found(service, typed) == ["Plans"], typed
    for typed in ("from:bob", "subject:compiler", "to:hopper", "secret", "has:attachment", '"ready is"'):
        assert found(service, typed) == [], typed
    assert found(service, "plans", "eve") == ["Secret plans"]


def test_a_search_finds_what_was_sent_by_its_bcc_too_and_no_draft(service: Service) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    service.model.outbox.send(
        author, Draft("k", to="a@example.com", bcc="hidden@example.org", subject="Sent", text="Wörter")
    )
    service.model.drafts.save("ada", Draft("d", subject="Draft", text="worter"))
    # Once or twice: the mail itself, and what the loopback brings back of it.
    assert set(found(service, "to:hidden@example.org")) == {"Sent"}
    assert set(found(service, "worter")) == {"Sent"}


def test_a_search_for_older_mail_goes_by_the_persons_midnight(service: Service) -> None:
    for number, at in enumerate((DAY - 1, DAY)):
        file(service, "ada", str(number), f"From: g@example.com\r\nSubject: {number}", "word", at)
    assert found(service, "word before:2026-11-25") == ["0"]
    assert found(service, "before:2026-11-26") == ["1", "0"]


def test_results_come_in_pages_and_mails_deleted_for_good_are_not_among_them(service: Service) -> None:
    boxes = service.model.mailboxes
    for number in range(PAGE + 5):
        file(service, "ada", str(number), f"From: g@example.com\r\nSubject: {number}", "word")
    assert len(found(service, "word")) == PAGE
    first = boxes.search("ada", "word", BERLIN)
    second = boxes.search("ada", "word", BERLIN, first.older)
    assert len({mail.id for mail in (*first.mails, *second.mails)}) == PAGE + 5
    assert second.older is None
    gone = second.mails[0]
    boxes.move("ada", [gone.id], MailboxName.TRASH)
    boxes.erase("ada", [gone.id])
    assert gone.id not in {mail.id for mail in boxes.search("ada", "word", BERLIN, first.older).mails}


def test_a_service_started_on_mail_from_before_takes_it_in_by_itself(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    file(service, "ada", "1", "From: g@example.com\r\nSubject: old\r\nMessage-ID: <a@x>", "ancient")
    (entry,) = service.store.get({"user": "ada", "mailbox": "INBOX"})
    before = {key: value for key, value in entry.data.items() if key not in ("indexed", "thread", "files")}
    service.store.remove(entry.id)
    service.store.put(before)
    service.stop()

    again = make_service(tmp_path)
    again.model.librarian.take_in_old()
    again.model.librarian.take_in_old()
    (mail,) = again.model.mailboxes.search("ada", "ancient", BERLIN).mails
    assert (mail.subject, bool(mail.thread)) == ("old", True)
    again.stop()


def test_the_librarian_works_by_itself_while_the_service_runs(service: Service) -> None:
    file(service, "ada", "1", "From: g@example.com\r\nSubject: quick", "fox")
    service.model.librarian.wake()
    deadline = time.monotonic() + 20
    while not service.model.mailboxes.search("ada", "fox", BERLIN).mails:
        assert time.monotonic() < deadline, "nothing was taken in"


def test_the_words_of_a_deleted_account_are_not_in_the_index_any_more(service: Service) -> None:
    service.model.accounts.log_in("ada", PASSWORD)
    for user in ("ada", "eve"):
        file(service, user, "1", "From: g@example.com\r\nSubject: kept", "word")
    assert found(service, "word") == ["kept"]
    service.model.departure.delete("ada")
    with service.database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM store_search")) == 1
    assert found(service, "word", "eve") == ["kept"]
