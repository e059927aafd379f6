"""What the HTTP API makes of forms, and of whoever calls too fast."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from bitmail.mailboxes import MailboxName
from bitmail.rates import AT_ONCE, PER_SECOND, STUBBORN, Paces
from bitmail.service import Service
from tests.bitmail.conftest import logged_in

Api = Callable[[], httpx.AsyncClient]


def test_form_when_sent_with_files_then_they_arrive(service: Service, api: Api) -> None:
    files = [("attachments", (name, name.encode() * 3, "text/plain")) for name in ("a.txt", "b.txt")]

    async def calls() -> None:
        async with logged_in(api()) as client:
            answer = await client.post(
                "/api/sendmail", data={"to": "ada@localhost", "subject": "With files"}, files=files
            )
            assert answer.status_code == 202, answer.text
            (sent,) = service.model.mailboxes.page("ada", MailboxName.SENT).mails
            content = service.model.mailboxes.content("ada", sent.id)
            assert [(file.name, file.content) for file in content.attachments] == [
                ("a.txt", b"a.txt" * 3),
                ("b.txt", b"b.txt" * 3),
            ]

    asyncio.run(calls())


@pytest.mark.parametrize(
    ("data", "files", "field"),
    [
        ({"to": "ada@localhost", "surprise": "x"}, [], "surprise"),
        ({"to": "ada@localhost", "anyway": "perhaps"}, [], "anyway"),
        ({"to": "ada@localhost", "attachments": "no file"}, [], "attachments"),
        ({"to": ["ada@localhost", "bob@localhost"]}, [], "to"),
        ({"to": "ada@localhost"}, [("text", ("a.txt", b"x"))], "text"),
        ({"to": "ann@-example.com"}, [], "to"),
    ],
)
def test_form_when_wrong_then_told_which_field_and_nothing_is_sent(
    service: Service,
    api: Api,
    data: dict[str, object],
    files: list[tuple[str, tuple[str, bytes]]],
    field: str,
) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            answer = await client.post(
                "/api/sendmail", data=data, files=files or [("attachments", ("a", b"x"))]
            )
            assert answer.status_code == 422
            assert [error["field"] for error in answer.json()["errors"]] == [field]
            assert service.model.mailboxes.count("ada", MailboxName.SENT) == 0

    asyncio.run(calls())


def test_body_when_it_is_no_form_then_refused(api: Api) -> None:
    async def calls() -> None:
        async with logged_in(api()) as client:
            for kind in ("multipart/form-data", "multipart/form-data; boundary=b"):
                answer = await client.post("/api/sendmail", content=b"x", headers={"Content-Type": kind})
                assert answer.status_code == 422

    asyncio.run(calls())


def test_caller_when_too_fast_then_waits_and_when_far_too_fast_then_told_to() -> None:
    now = [0.0]
    paces = Paces(lambda: now[0], most=2)
    assert {paces.wait_for("ada", at_most=STUBBORN) for _ in range(int(AT_ONCE))} == {0.0}
    assert 0 < paces.wait_for("ada", at_most=STUBBORN) <= STUBBORN
    assert paces.wait_for("bob", at_most=STUBBORN) == 0.0
    for _ in range(int(STUBBORN * PER_SECOND) + 50):
        last = paces.wait_for("ada", at_most=STUBBORN)
    assert STUBBORN < last < STUBBORN + 1, "what is refused must not count"
    now[0] += 1
    assert paces.wait_for("ada", at_most=STUBBORN) <= STUBBORN


def test_calls_when_far_too_fast_then_429_with_the_time_to_wait_and_others_go_on(
    service: Service, api: Api
) -> None:
    service.paces = Paces(lambda: 0.0)

    async def calls() -> None:
        async with logged_in(api()) as client, logged_in(api(), "bob") as other:
            while service.paces.wait_for("ada", at_most=STUBBORN) <= STUBBORN:
                pass
            answer = await client.get("/api/mailboxes")
            assert (answer.status_code, int(answer.headers["retry-after"])) == (429, int(STUBBORN) + 1)
            assert (await other.get("/api/mailboxes")).status_code == 200

    asyncio.run(calls())
