"""Undo and send later: the mail waits in Outbox, on disk, and is sent once or is a draft again; never neither."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bitmail.accounts import Account
from bitmail.drafts import Draft, new_key
from bitmail.errors import AlreadySent, NoSuchMail, TooLate, Unsendable
from bitmail.mailboxes import Mail, MailboxName
from bitmail.outbox import LATEST, SentMail
from bitmail.service import Service
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD, make_service

FAR = 3600.0


def author_of(service: Service) -> Account:
    return service.model.accounts.log_in("ada", PASSWORD)


def mails(service: Service, mailbox: MailboxName) -> tuple[Mail, ...]:
    return service.model.mailboxes.page("ada", mailbox).mails


def send_later(service: Service, draft: Draft, delay: float = FAR) -> SentMail:
    return service.model.outbox.send(author_of(service), draft, not_before=time.time() + delay)


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not come about")


def test_a_mail_that_waits_is_in_outbox_and_no_draft_any_more(service: Service) -> None:
    draft = Draft(new_key(), to="grace@example.com; bob@example.net", subject="Hi", text="x")
    service.model.drafts.save("ada", draft)
    sent = send_later(service, draft)
    again = send_later(service, draft)
    assert (again.id, again.submission.id) == (sent.id, sent.submission.id)
    assert [mail.id for mail in mails(service, MailboxName.OUTBOX)] == [sent.id]
    assert mails(service, MailboxName.DRAFTS) == mails(service, MailboxName.SENT) == ()
    assert {one.status for one in sent.submission.deliveries} == {Status.QUEUED}


def test_undo_makes_it_the_draft_that_it_was_and_the_edited_text_is_sent_once(service: Service) -> None:
    draft = Draft(
        new_key(),
        to="grace@example.com",
        cc="bob@",
        subject="Hi",
        text="first",
        in_reply_to="<a@example.com>",
    )
    draft = Draft(**{**{name: getattr(draft, name) for name in Draft.__slots__}, "cc": "bob@example.net"})
    service.model.attachments.add("ada", draft.key, "a.txt", "text/plain", [b"file"])
    sent = send_later(service, draft)
    with pytest.raises(NoSuchMail):
        service.model.leaving.undo("eve", sent.id)
    key = service.model.leaving.undo("ada", sent.id)
    restored = service.model.drafts.load("ada", key)
    assert (restored.text, restored.cc, restored.in_reply_to) == (
        "first",
        "bob@example.net",
        "<a@example.com>",
    )
    assert [file.name for file in service.model.attachments.of("ada", key)] == ["a.txt"]
    assert mails(service, MailboxName.OUTBOX) == mails(service, MailboxName.SENT) == ()
    statuses = [one.status for one in service.model.submission("ada", sent.submission.id).deliveries]
    assert statuses == [Status.CANCELLED, Status.CANCELLED]

    edited = Draft(key, to="grace@example.com", subject="Hi", text="second")
    service.model.outbox.send(author_of(service), edited)
    eventually(lambda: len(mails(service, MailboxName.INBOX)) == 1)
    (arrived,) = mails(service, MailboxName.INBOX)
    assert service.model.mailboxes.content("ada", arrived.id).text.strip() == "second"
    assert len(mails(service, MailboxName.SENT)) == 1


def test_after_undo_a_late_click_on_send_and_a_late_save_change_nothing(service: Service) -> None:
    draft = Draft(new_key(), to="grace@example.com", text="x")
    sent = send_later(service, draft)
    service.model.leaving.undo("ada", sent.id)
    with pytest.raises(AlreadySent, match="called back"):
        send_later(service, draft)
    assert not service.model.drafts.save("ada", draft)
    assert len(mails(service, MailboxName.DRAFTS)) == 1
    assert mails(service, MailboxName.SENT) == ()


def test_when_its_time_comes_it_goes_to_sent_by_itself_and_undo_is_too_late(service: Service) -> None:
    sent = send_later(service, Draft(new_key(), to="grace@example.com", text="x"), delay=0.2)
    assert mails(service, MailboxName.SENT) == ()
    eventually(lambda: len(mails(service, MailboxName.SENT)) == 1)
    assert mails(service, MailboxName.OUTBOX) == ()
    with pytest.raises(TooLate):
        service.model.leaving.undo("ada", sent.id)
    entry = service.store.get_by_id(sent.id)
    assert entry is not None
    assert entry.data["draft"] == ""


def test_a_server_killed_while_a_mail_waits_sends_it_once_after_the_restart(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    sent = send_later(service, Draft(new_key(), to="grace@example.com", text="x"), delay=0.1)
    service.stop()
    again = make_service(tmp_path)
    again.start()
    eventually(lambda: len(mails(again, MailboxName.INBOX)) == 1)
    eventually(lambda: [mail.id for mail in mails(again, MailboxName.SENT)] == [sent.id])
    assert len(again.model.submission("ada", sent.submission.id).deliveries[0].attempts) == 1
    again.stop()


@pytest.mark.parametrize("step", ["cancel", "save", "move"])
def test_a_crash_within_undo_is_finished_at_the_next_start(tmp_path: Path, step: str) -> None:
    service = make_service(tmp_path)
    draft = Draft(new_key(), to="grace@example.com", text="x")
    service.model.attachments.add("ada", draft.key, "a.txt", "text/plain", [b"file"])
    sent = send_later(service, draft)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    owner = {"cancel": service.container, "save": service.model.drafts, "move": service.model.attachments}[
        step
    ]
    setattr(owner, step, crash)
    with pytest.raises(KeyboardInterrupt):
        service.model.leaving.undo("ada", sent.id)
    service.stop()
    again = make_service(tmp_path)
    assert again.model.leaving.recover() == 1
    assert again.model.leaving.recover() == 0
    (restored,) = mails(again, MailboxName.DRAFTS)
    assert again.model.drafts.load("ada", restored.key).text == "x"
    assert [file.name for file in again.model.attachments.of("ada", restored.key)] == ["a.txt"]
    assert mails(again, MailboxName.OUTBOX) == mails(again, MailboxName.SENT) == ()
    again.stop()


def test_undo_that_is_too_late_for_some_says_for_how_many(service: Service) -> None:
    sent = send_later(service, Draft(new_key(), to="grace@example.com; bob@example.net", text="x"))
    cancel = service.container.cancel

    def one_is_gone(id: str) -> object:
        from dataclasses import replace

        submission = cancel(id)
        assert submission is not None
        first, second = submission.deliveries
        return replace(submission, deliveries=(replace(first, status=Status.SENT), second))

    service.container.cancel = one_is_gone  # type: ignore[method-assign, assignment]
    with pytest.raises(TooLate, match="1 of 2"):
        service.model.leaving.undo("ada", sent.id)
    assert [mail.id for mail in mails(service, MailboxName.SENT)] == [sent.id]
    assert mails(service, MailboxName.DRAFTS) == ()


def test_a_time_further_than_a_year_away_is_refused(service: Service) -> None:
    with pytest.raises(Unsendable, match="too far"):
        send_later(service, Draft(new_key(), to="grace@example.com"), delay=LATEST + 60)


def test_a_mail_that_waited_in_a_process_that_is_gone_moves_to_sent_in_another(service: Service) -> None:
    sent = send_later(service, Draft(new_key(), to="grace@example.com", text="x"))
    service.model.leaving._waiting.clear()  # as in a process that never heard of it
    service.model.leaving.settle()
    assert [mail.id for mail in mails(service, MailboxName.OUTBOX)] == [sent.id]
    service.model.leaving._waiting.clear()
    service.container.cancel(sent.submission.id)
    service.model.leaving.settle()
    assert mails(service, MailboxName.OUTBOX) == ()
    assert [mail.id for mail in mails(service, MailboxName.SENT)] == [sent.id]


def test_a_waiting_mail_that_is_cancelled_waits_no_more(service: Service) -> None:
    sent = send_later(service, Draft(new_key(), to="grace@example.com", text="x"))
    service.model.cancel("ada", sent.submission.id)
    assert mails(service, MailboxName.OUTBOX) == ()
    assert [mail.id for mail in mails(service, MailboxName.SENT)] == [sent.id]
    assert {one.status for one in service.model.submission("ada", sent.submission.id).deliveries} == {
        Status.CANCELLED
    }
