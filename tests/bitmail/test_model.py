"""The mail model: accounts, sessions, drafts, and sending that survives a crash between its steps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bitmail.accounts import BAD_NAME, WRONG
from bitmail.drafts import Draft, new_key
from bitmail.errors import AlreadySent, LogInRefused, NoSuchMail, Unsendable
from bitmail.mailboxes import MailboxName
from bitmail.passwords import SHORT, SHORTEST
from bitmail.service import Service
from bitmail.sessions import IDLE, LONGEST, Sessions
from mta.incoming import IncomingMail
from store import MemoryStore
from tests.bitmail.conftest import PASSWORD, make_service


def test_log_in_with_a_new_name_makes_the_account_and_later_needs_its_password(service: Service) -> None:
    accounts = service.model.accounts
    assert accounts.log_in("Ada", PASSWORD).address == "ada@localhost"
    assert accounts.log_in(" ADA@localhost ", PASSWORD).name == "ada"
    with pytest.raises(LogInRefused, match=WRONG):
        accounts.log_in("ada", PASSWORD + "!")


def test_two_first_log_ins_with_one_name_make_one_account(service: Service) -> None:
    def log_in(number: int) -> bool:
        try:
            service.model.accounts.log_in("ada", f"password number {number}")
        except LogInRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(log_in, range(8))) == 1
    assert service.store.count({"kind": "account", "name": "ada"}) == 1


@pytest.mark.parametrize(
    "name", ["", "a b", "-a", "a..b", "ada@elsewhere.example", "x" * 65, "a\0b", "\ud800"]
)
def test_a_name_that_is_no_local_part_is_refused(service: Service, name: str) -> None:
    with pytest.raises(LogInRefused, match=BAD_NAME):
        service.model.accounts.log_in(name, PASSWORD)


def test_a_short_password_is_refused_alike_for_known_and_unknown_names(service: Service) -> None:
    service.model.accounts.log_in("ada", PASSWORD)
    for name in ("ada", "unknown"):
        with pytest.raises(LogInRefused, match=SHORT.format(shortest=SHORTEST)):
            service.model.accounts.log_in(name, "short")


def test_no_secret_of_a_log_in_is_in_the_store(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    kept = repr(service.store.get({}))
    assert secret not in kept
    assert PASSWORD not in kept


def test_a_session_ends_when_closed_and_when_idle_and_when_old() -> None:
    now = 1_000_000.0
    sessions = Sessions(MemoryStore(), clock=lambda: now)
    closed, idle, old = (sessions.open("ada") for _ in range(3))
    sessions.close(closed)
    assert sessions.find(closed) is None
    for _ in range(int(LONGEST / IDLE) + 2):
        found = sessions.find(old)
        assert (found is None) == (now - 1_000_000.0 > LONGEST)
        now += IDLE - 1
    assert sessions.find(idle) is None
    assert sessions.find("x" * 1_000_000) is None


def test_send_makes_one_submission_and_one_copy_in_sent_however_often_it_is_pressed(service: Service) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    draft = Draft(
        new_key(), to="grace@example.com; bob@example.net", bcc="eve@example.org", subject="Hi", text="x"
    )
    service.model.drafts.save("ada", draft)
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda _: service.model.outbox.send(author, draft), range(4)))
    assert len({mail.id for mail in sent}) == 1
    assert len({mail.submission.id for mail in sent}) == 1
    (mail,) = service.model.mailboxes.page("ada", MailboxName.SENT).mails
    assert (mail.to, mail.bcc) == ("grace@example.com, bob@example.net", "eve@example.org")
    assert service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails == ()
    assert not service.model.drafts.save("ada", draft), "a save that comes late brings the draft back"
    with pytest.raises(AlreadySent):
        service.model.outbox.send(author, Draft(draft.key, to="grace@example.com", text="other words"))


def test_a_crash_between_the_steps_of_send_is_finished_at_the_next_start(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    author = service.model.accounts.log_in("ada", PASSWORD)
    draft = Draft(new_key(), to="grace@example.com", subject="Hi", text="x")
    service.model.drafts.save("ada", draft)
    submit = service.container.submit

    def crash(_new: object) -> None:
        raise KeyboardInterrupt

    service.container.submit = crash  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        service.model.outbox.send(author, draft)
    assert len(service.model.mailboxes.page("ada", MailboxName.OUTBOX).mails) == 1
    service.container.submit = submit  # type: ignore[method-assign]
    service.stop()

    again = make_service(tmp_path)
    assert again.model.leaving.recover() == 1
    assert again.model.leaving.recover() == 0
    (mail,) = again.model.mailboxes.page("ada", MailboxName.SENT).mails
    assert [delivery.recipient for delivery in again.model.submission("ada", mail.submission).deliveries] == [
        "grace@example.com"
    ]
    assert again.model.mailboxes.page("ada", MailboxName.DRAFTS).mails == ()
    again.stop()


def test_everything_wrong_with_a_mail_is_said_at_once_and_names_the_culprit(service: Service) -> None:
    author = service.model.accounts.log_in("ada", PASSWORD)
    with pytest.raises(Unsendable) as refused:
        service.model.outbox.send(author, Draft(new_key(), to="ann; bob@example.com", cc="x@-example.com"))
    assert [(error.field, error.value) for error in refused.value.errors] == [
        ("to", "ann"),
        ("cc", "x@-example.com"),
    ]
    with pytest.raises(Unsendable, match="at least one address"):
        service.model.outbox.send(author, Draft(new_key(), to=" ; "))


def test_an_empty_draft_never_replaces_a_full_one(service: Service) -> None:
    draft = Draft(new_key(), subject="Plans", text="a\0b")
    assert service.model.drafts.save("ada", draft)
    assert not service.model.drafts.save("ada", Draft(draft.key))
    assert service.model.drafts.load("ada", draft.key) == Draft(draft.key, subject="Plans", text="ab")
    assert service.model.drafts.load("eve", draft.key).is_empty


def test_incoming_mail_is_filed_once_for_its_recipient_alone(service: Service) -> None:
    service.model.accounts.log_in("ada", PASSWORD)
    raw = b"From: Grace <grace@example.com>\r\nTo: ada@localhost\r\nSubject: Hi\r\n\r\nText\r\n"
    mail = IncomingMail(
        id="1", sender="grace@example.com", recipient="ada@localhost", raw=raw, received_at=5.0
    )
    service.model.receive(mail)
    service.model.receive(mail)
    (filed,) = service.model.mailboxes.page("ada", MailboxName.INBOX).mails
    assert (filed.sender, filed.subject, filed.unread) == ("Grace", "Hi", True)
    assert service.model.mailboxes.content("ada", filed.id).text.strip() == "Text"
    with pytest.raises(NoSuchMail):
        service.model.mailboxes.content("eve", filed.id)
    assert not service.model.mailboxes.mark_read("eve", filed.id)
    assert service.model.mailboxes.mark_read("ada", filed.id)
    assert service.model.mailboxes.unread("ada") == 0


def test_a_mailbox_is_paged_newest_first(service: Service) -> None:
    for number in range(70):
        raw = f"From: g@example.com\r\nSubject: {number}\r\n\r\n".encode()
        service.model.mailboxes.file("ada", str(number), raw, 0.0)
    first = service.model.mailboxes.page("ada", MailboxName.INBOX)
    second = service.model.mailboxes.page("ada", MailboxName.INBOX, first.older)
    assert [mail.subject for mail in (*first.mails, *second.mails)] == [
        str(number) for number in range(69, -1, -1)
    ]
    assert (len(first.mails), second.older) == (50, None)
