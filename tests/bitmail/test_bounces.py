"""What came back, from the report to the message in INBOX and the warning before the next mail."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bitmail.accounts import Account
from bitmail.drafts import Draft, new_key
from bitmail.errors import Suppressed
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.suppressions import ONE_BY_ONE, Suppressions
from mta.hooks.call import DeliveryReport
from mta.outcomes import Status
from mta.returns import CALM
from mta.submission import NewSubmission, Submission
from store import MemoryStore
from tests.bitmail.conftest import PASSWORD, logged_in, make_service

numbers = itertools.count()


class Later:
    """A service that sends nothing, and whose container lives so many seconds from now."""

    def __init__(self, var: Path) -> None:
        import time

        self.service = make_service(var)
        self.service.container._clock = time.time
        self.service.model.bounces._clock = lambda: time.time() + CALM + 1
        self.author: Account = self.service.model.accounts.log_in("ada", PASSWORD)

    def send(self, *recipients: str) -> Submission:
        raw = b"From: ada@localhost\r\nMessage-ID: <one@localhost>\r\nSubject: Plans\r\n\r\nHi\r\n"
        return self.service.container.submit(
            NewSubmission(new_key(), "ada", self.author.address, recipients, "Plans", raw)
        )

    def report(self, submission: Submission, status: Status, **more: Any) -> None:
        self.service.container.take_reports(
            DeliveryReport(
                f"r{next(numbers)}",
                "ses",
                one.id,
                one.recipient,
                status,
                "550 5.1.1 no such user.",
                1.0,
                **more,
            )
            for one in submission.deliveries
        )

    def inbox(self) -> list[str]:
        return [mail.subject for mail in self.service.model.mailboxes.page("ada", MailboxName.INBOX).mails]


def test_the_author_is_told_in_the_language_they_read(tmp_path: Path) -> None:
    later = Later(tmp_path)
    later.service.model.preferences.set("ada", "spoken", "da")
    later.report(later.send("a@example.com"), Status.BOUNCED, permanent=True)
    later.service.post_room.round()
    later.service.model.preferences.set("ada", "language", "en")
    later.report(later.send("b@example.com"), Status.BOUNCED, permanent=True)
    later.service.post_room.round()
    assert later.inbox() == ["Not delivered: Plans", "Ikke leveret: Plans"]
    later.service.stop()


def test_a_list_when_many_bounce_then_one_message_and_each_address_remembered(tmp_path: Path) -> None:
    later = Later(tmp_path)
    submission = later.send(*(f"p{number}@example.com" for number in range(300)))
    later.report(submission, Status.BOUNCED, permanent=True)
    later.service.post_room.round()
    later.service.post_room.round()
    assert later.inbox() == ["Not delivered: Plans"]
    (mail,) = later.service.model.mailboxes.page("ada", MailboxName.INBOX).mails
    assert (mail.sender, mail.sender_address) == ("Mail Delivery System", "mailer-daemon@localhost")
    text = later.service.model.mailboxes.content("ada", mail.id).text
    assert "to 300 of its 300 recipients" in text
    assert len(later.service.model.suppressions.page("ada", limit=1000)) == 300
    later.service.stop()


def test_a_message_when_a_crash_comes_before_or_after_it_is_filed_then_there_is_one(tmp_path: Path) -> None:
    later = Later(tmp_path)
    later.report(later.send("bob@example.com"), Status.BOUNCED)
    model = later.service.model

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    file, finish = model.mailboxes.file, later.service.container.returns.finish
    for place, name in ((model.mailboxes, "file"), (later.service.container.returns, "finish")):
        setattr(place, name, crash)
        with pytest.raises(KeyboardInterrupt):
            later.service.post_room.round()
        model.mailboxes.file, later.service.container.returns.finish = file, finish  # type: ignore[method-assign]
    later.service.stop()
    again = Later(tmp_path)
    again.service.post_room.round()
    assert again.inbox() == ["Not delivered: Plans"]
    assert again.service.container.returns.take(2e9) == []
    again.service.stop()


def test_a_delivery_when_it_arrived_after_all_then_no_message(tmp_path: Path) -> None:
    later = Later(tmp_path)
    submission = later.send("bob@example.com")
    with later.service.database.transaction() as connection:
        from mta.returns import Return, add_returns

        add_returns(connection, [Return(submission.deliveries[0].id, submission.id, Status.FAILED, at=1.0)])
    later.report(submission, Status.DELIVERED)
    later.service.post_room.round()
    assert later.inbox() == []
    assert later.service.container.returns.take(2e9) == []
    later.service.stop()


def test_a_soft_bounce_when_told_then_its_address_is_not_remembered_but_a_complaint_is(
    tmp_path: Path,
) -> None:
    later = Later(tmp_path)
    later.report(later.send("full@example.com"), Status.BOUNCED)
    later.report(later.send("annoyed@example.com"), Status.COMPLAINED)
    later.service.post_room.round()
    (one,) = later.service.model.suppressions.page("ada")
    assert (one.address, one.status) == ("annoyed@example.com", Status.COMPLAINED)
    assert later.inbox() == ["Not delivered: Plans"], "a complaint is no bounce"
    later.service.stop()


def test_a_mail_of_nobody_here_when_it_fails_then_it_is_passed_over(tmp_path: Path) -> None:
    later = Later(tmp_path)
    submission = later.service.container.submit(
        NewSubmission("k", "a script", "x@localhost", ("bob@example.com",), "x", b"Subject: x\r\n\r\n")
    )
    later.report(submission, Status.BOUNCED, permanent=True)
    later.service.post_room.round()
    assert later.service.container.returns.take(2e9) == []
    later.service.stop()


def test_an_account_when_deleted_then_its_list_is_gone_and_nothing_is_filed_for_it(tmp_path: Path) -> None:
    later = Later(tmp_path)
    model = later.service.model
    submission = later.send("bob@example.com")
    model.suppressions.add("ada", "eve@example.com", Status.COMPLAINED, "")
    model.departure.delete("ada")
    later.report(submission, Status.BOUNCED, permanent=True)
    later.service.post_room.round()
    assert model.suppressions.page("ada") == []
    assert later.inbox() == []
    assert later.service.container.returns.take(2e9) == []
    later.service.stop()


def test_send_when_an_address_bounced_then_warned_by_field_and_sent_all_the_same_if_so_said(
    tmp_path: Path,
) -> None:
    later = Later(tmp_path)
    model = later.service.model
    model.suppressions.add("ada", "Bob@example.com", Status.BOUNCED, "550 5.1.1 no such user.")
    draft = Draft(new_key(), to="ann@example.com", cc="bob@EXAMPLE.com", text="x")
    with pytest.raises(Suppressed) as warned:
        model.outbox.send(later.author, draft)
    (error,) = warned.value.errors
    assert (error.field, error.value) == ("cc", "Bob@example.com")
    assert "bounced on " in error.reason
    assert "550 5.1.1" in error.reason
    assert model.mailboxes.page("ada", MailboxName.OUTBOX).mails == ()
    sent = model.outbox.send(later.author, draft, anyway=True)
    assert model.outbox.send(later.author, draft).id == sent.id, "what was sent is warned of again"
    eve = model.accounts.log_in("eve", PASSWORD)
    model.outbox.send(eve, Draft(new_key(), to="bob@example.com", text="x"))  # a list is its owner's alone
    assert model.suppressions.lift("ada", "BOB@example.com")
    assert not model.suppressions.lift("ada", "bob@example.com")
    model.outbox.send(later.author, Draft(new_key(), to="bob@example.com", text="x"))
    later.service.stop()


def test_a_long_list_of_recipients_when_looked_up_then_the_same_answer_as_for_a_short_one() -> None:
    suppressions = Suppressions(MemoryStore(), clock=lambda: 1_800_000_000.0)
    people = [f"P{number}@example.com" for number in range(3 * ONE_BY_ONE)]
    for person in people[::3]:
        suppressions.add("ada", person.lower(), Status.BOUNCED, "")
    suppressions.add("eve", people[1], Status.BOUNCED, "")
    suppressions.add("ada", people[0], Status.COMPLAINED, "")
    suppressions.add("ada", people[0], Status.BOUNCED, "")
    found = suppressions.among("ada", people)
    assert [one.address.casefold() for one in found] == [one.casefold() for one in people[::3]]
    assert [one for person in people for one in suppressions.among("ada", [person])] == found
    assert found[0].warning == "P0@example.com reported a mail of yours as spam on 15 January 2027."
    assert found[1].warning == "p3@example.com bounced on 15 January 2027."


def test_the_api_when_an_address_bounced_then_it_says_how_to_send_and_how_to_lift(
    service: Service, api: Callable[[], httpx.AsyncClient]
) -> None:
    mail = {"to": "bob@example.com", "text": "x"}
    raw = b"From: ada@localhost\r\nTo: bob@example.com\r\n\r\nx"

    async def calls() -> None:
        async with logged_in(api()) as client:
            service.model.suppressions.add("ada", "bob@example.com", Status.BOUNCED, "550.")
            refused = await client.post("/api/sendmail", json=mail)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["value"] == "bob@example.com"
            assert "anyway" in refused.json()["override"]
            assert (await client.post("/api/sendmail", json=mail | {"anyway": True})).status_code == 202
            rfc822 = {"Content-Type": "message/rfc822"}
            assert (await client.post("/api/sendmail", content=raw, headers=rfc822)).status_code == 422
            said = rfc822 | {"BitMail-Anyway": "yes"}
            assert (await client.post("/api/sendmail", content=raw, headers=said)).status_code == 202
            listed = (await client.get("/api/suppressions")).json()["suppressions"]
            assert [(one["address"], one["status"]) for one in listed] == [("bob@example.com", "bounced")]
            before = {"before": str(listed[0]["id"])}
            assert (await client.get("/api/suppressions", params=before)).json()["suppressions"] == []
            async with logged_in(api(), "eve") as eve:
                assert (await eve.delete("/api/suppressions/bob@example.com")).status_code == 404
            assert (await client.delete("/api/suppressions/bob@example.com")).status_code == 204
            assert (await client.post("/api/sendmail", json=mail)).status_code == 202
        async with api() as nobody:
            assert (await nobody.get("/api/suppressions")).status_code == 401
            assert (await nobody.delete("/api/suppressions/bob@example.com")).status_code == 401

    asyncio.run(calls())
