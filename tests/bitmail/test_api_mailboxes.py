"""Mailboxes by the HTTP API: listed, read, changed and deleted, by whoever may do just that."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from bitmail.mailboxes import COUNTED, PAGE, MailboxName
from bitmail.service import Service
from bitmail.tokens import Scope
from mta.incoming import IncomingMail
from tests.bitmail.conftest import PASSWORD, logged_in
from tests.bitmail.test_reading import MAIL
from tests.corpus.hostile.attacks import EVIL, HTML
from tests.mta.scripted import wait_until

Api = Callable[[], httpx.AsyncClient]
BROKEN = sorted((Path(__file__).parents[1] / "corpus" / "broken").glob("*.eml"))
numbers = itertools.count()


def receive(service: Service, raw: bytes = MAIL, user: str = "ada") -> int:
    service.model.receive(
        IncomingMail(f"m{next(numbers)}", "grace@example.com", f"{user}@localhost", raw, 1.8e9)
    )
    return service.model.mailboxes.page(user, MailboxName.INBOX).mails[0].id


def test_mailboxes_when_listed_then_with_folders_and_counts_that_end_at_a_hundred(
    service: Service, api: Api
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            for _ in range(COUNTED + 3):
                first = receive(service)
            folder = service.model.folders.create("ada", "Receipts")
            service.model.mailboxes.move("ada", [first], folder.place)
            service.model.mailboxes.mark_read("ada", first)
            listed = (await client.get("/api/mailboxes")).json()["mailboxes"]
            found = {box["id"]: (box["name"], box["mails"], box["unread"]) for box in listed}
            assert list(found) == [*(name.value for name in MailboxName), folder.place]
            assert found["INBOX"] == ("Inbox", COUNTED, COUNTED)
            assert found[folder.place] == ("Receipts", 1, 0)

    asyncio.run(calls())


def test_mailbox_when_read_page_by_page_then_every_mail_once_and_newest_first(
    service: Service, api: Api
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            ids = [receive(service) for _ in range(2 * PAGE + 1)]
            service.model.mailboxes.set_starred("ada", ids[:1], True)
            found, query = list[int](), dict[str, int]()
            while True:
                page = (await client.get("/api/mailboxes/INBOX", params=query)).json()
                assert len(page["mails"]) <= PAGE
                found += [mail["id"] for mail in page["mails"]]
                if page["older"] is None:
                    break
                query = {"before": page["older"]}
            assert found == sorted(ids, reverse=True)
            starred = (await client.get("/api/mailboxes/INBOX", params={"only": "starred"})).json()
            assert [mail["id"] for mail in starred["mails"]] == ids[:1]

    asyncio.run(calls())


@pytest.mark.parametrize("query", ["before=0", "before=x", "before=1&before=2", "only=read", "befor=1"])
def test_page_when_asked_for_wrongly_then_told_which_argument(api: Api, query: str) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            answer = await client.get(f"/api/mailboxes/INBOX?{query}")
            assert answer.status_code == 422
            (error,) = answer.json()["errors"]
            assert error["field"] == query.partition("=")[0]
            assert error["reason"].endswith(".")

    asyncio.run(calls())


def test_mail_when_read_then_all_of_it_and_nothing_that_runs_and_still_unread(
    service: Service, api: Api
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            id = receive(service)
            mail = (await client.get(f"/api/mails/{id}")).json()
            assert (mail["subject"], mail["sender_address"]) == ("Files", "grace@example.com")
            assert {"name": "from", "value": "Grace <grace@example.com>"} in mail["headers"]
            assert "Hello" in mail["text"]
            assert "script" not in mail["html"]
            assert "evil.example" not in mail["html"]
            assert mail["blocked_images"] == 1
            inline, *others = mail["attachments"]
            assert inline["is_inline"]
            assert not any(file["is_inline"] for file in others)
            source = f"/api/mails/{id}/attachments/{inline['number']}"
            assert f'src="{source}"' in mail["html"]
            assert (await client.get(source)).content.strip() == b"inline image"
            for file in mail["attachments"]:
                answer = await client.get(f"/api/mails/{id}/attachments/{file['number']}")
                assert len(answer.content) == file["size"]
                assert answer.headers["content-type"] == "application/octet-stream"
                assert answer.headers["content-disposition"].startswith("attachment;")
            assert (await client.get(f"/api/mails/{id}/raw")).content == MAIL
            assert (await client.get("/api/mailboxes/INBOX")).json()["mails"][0]["unread"]

    asyncio.run(calls())


def test_mails_that_are_broken_or_hostile_when_read_then_answered_in_json(service: Service, api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            hostile = [
                b"From: x@example.com\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + markup.encode()
                for kind in HTML.values()
                for markup in kind
            ]
            for raw in [*(path.read_bytes() for path in BROKEN), *hostile]:
                answer = await client.get(f"/api/mails/{receive(service, raw)}")
                assert answer.status_code == 200
                assert EVIL not in (answer.json()["html"] or "").replace(f'href="{EVIL}', "")

    assert len(BROKEN) > 20
    asyncio.run(calls())


def test_mail_when_changed_then_as_told_and_open_pages_hear_of_it(service: Service, api: Api) -> None:
    told: list[str] = []
    service.model.watch(told.append)

    async def calls() -> None:
        async with logged_in(api()) as client:
            id = receive(service)
            folder = service.model.folders.create("ada", "Receipts")
            told.clear()
            answer = await client.patch(
                f"/api/mails/{id}", json={"mailbox": folder.place, "starred": True, "unread": False}
            )
            assert answer.status_code == 200, answer.text
            mail = answer.json()
            assert (mail["mailbox"], mail["starred"], mail["unread"]) == (folder.place, True, False)
            await asyncio.to_thread(wait_until, lambda: "ada" in told)
            mail = (await client.patch(f"/api/mails/{id}", json={"starred": False})).json()
            assert (mail["mailbox"], mail["starred"], mail["unread"]) == (folder.place, False, False)
            again = await client.patch(f"/api/mails/{id}", json={"mailbox": folder.place})
            assert again.status_code == 200

    asyncio.run(calls())


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({}, 422, "body"),
        ({"mailbox": ""}, 422, "mailbox"),
        ({"starred": 1}, 422, "starred"),
        ({"starred": "true"}, 422, "starred"),
        ({"subject": "x"}, 422, "subject"),
        ({"mailbox": "Outbox"}, 409, "mailbox"),
        ({"mailbox": "Drafts"}, 409, "mailbox"),
        ({"mailbox": "Sent", "starred": True}, 409, "mailbox"),
    ],
)
def test_change_when_it_cannot_be_then_told_why_and_nothing_changed(
    service: Service, api: Api, change: dict[str, object], status: int, field: str
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            id = receive(service)
            before = service.model.mailboxes.mail("ada", id)
            answer = await client.patch(f"/api/mails/{id}", json=change)
            assert answer.status_code == status
            assert [error["field"] for error in answer.json()["errors"]] == [field]
            assert service.model.mailboxes.mail("ada", id) == before

    asyncio.run(calls())


def test_folder_of_another_person_when_moved_to_then_like_one_that_is_not_there(
    service: Service, api: Api
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            service.model.log_in("eve", PASSWORD)
            theirs, id = service.model.folders.create("eve", "Private"), receive(service)
            answers = [
                await client.patch(f"/api/mails/{id}", json={"mailbox": place})
                for place in (theirs.place, "folder-900000000")
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert answers[0].text == answers[1].text

    asyncio.run(calls())


def test_mail_when_deleted_then_only_from_trash_and_for_good(service: Service, api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            id = receive(service)
            refused = await client.delete(f"/api/mails/{id}")
            assert (refused.status_code, refused.json()["errors"][0]["value"]) == (409, "INBOX")
            await client.patch(f"/api/mails/{id}", json={"mailbox": "Trash"})
            assert (await client.delete(f"/api/mails/{id}")).status_code == 204
            for path in (f"/api/mails/{id}", f"/api/mails/{id}/raw"):
                assert (await client.get(path)).status_code == 404
            assert (await client.delete(f"/api/mails/{id}")).status_code == 404

    asyncio.run(calls())


def test_token_when_made_for_one_thing_then_does_that_alone(service: Service, api: Api) -> None:
    calls_of = {
        Scope.READ_MAIL: [
            ("GET", "/api/mailboxes"),
            ("GET", "/api/mailboxes/INBOX"),
            ("GET", "/api/mails/{id}"),
            ("GET", "/api/mails/{id}/raw"),
            ("GET", "/api/mails/{id}/attachments/0"),
        ],
        Scope.CHANGE_MAIL: [("PATCH", "/api/mails/{id}"), ("DELETE", "/api/mails/{id}")],
    }

    async def calls() -> None:
        service.model.log_in("ada", PASSWORD)
        id = receive(service)
        async with api() as client:
            for made_for in Scope:
                secret = service.model.make_token("ada", made_for, [made_for], 1)
                for scope, asked in calls_of.items():
                    for method, path in asked:
                        answer = await client.request(
                            method,
                            path.format(id=id),
                            json={"mailbox": "Trash"} if method == "PATCH" else None,
                            headers={"Authorization": f"Bearer {secret}"},
                        )
                        is_done = answer.status_code in (200, 204)
                        assert is_done == (scope is made_for), (made_for, method, path)
                        assert is_done or answer.status_code == 403
        assert service.model.mailboxes.count("ada", MailboxName.TRASH) == 0

    asyncio.run(calls())
