"""The HTML of a mail is made fit to be shown once for each opening."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from bitmail import documents
from bitmail.current import SESSION_COOKIE
from bitmail.documents import Documents
from bitmail.errors import NoSuchMail
from bitmail.service import Service
from bitmail.state.message import _load
from tests.bitmail.conftest import PASSWORD

Api = Callable[[], httpx.AsyncClient]
RAW = (
    b"From: g@example.com\r\nTo: ada@localhost\r\nSubject: H\r\nContent-Type: text/html\r\n\r\n"
    b"<p>Hello</p><img src='https://evil.example/p.gif'>"
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The markup of each call of the sanitiser."""
    seen: list[str] = []
    real = documents.sanitise

    def counted(markup: str, **how: object) -> object:
        seen.append(markup)
        return real(markup, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(documents, "sanitise", counted)
    return seen


def filed(service: Service, arrival: str = "1") -> int:
    service.model.mailboxes.file("ada", arrival, RAW, 1.0)
    return service.model.mailboxes.page("ada", "INBOX").mails[0].id


def test_an_opening_and_its_frame_sanitise_once(service: Service, api: Api, calls: list[str]) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    id = filed(service)
    found = _load("ada", id)
    assert found.blocked == 1

    async def frame(images: int) -> str:
        async with api() as client:
            client.cookies.set(SESSION_COOKIE, secret)
            return (await client.get(f"/mail/{id}/view?images={images}")).text

    assert "Hello" in asyncio.run(frame(0))
    assert "evil" not in asyncio.run(frame(0))
    assert len(calls) == 1
    assert "evil" in asyncio.run(frame(1))
    assert len(calls) == 2


def test_what_is_kept_of_a_mail_is_shown_to_nobody_else_and_not_after_it_is_gone(service: Service) -> None:
    id = filed(service)
    kept = service.model.documents
    kept.of("ada", id)
    with pytest.raises(NoSuchMail):
        kept.of("eve", id)
    service.model.mailboxes.move("ada", [id], "Trash")
    service.model.mailboxes.erase("ada", [id])
    with pytest.raises(NoSuchMail):
        kept.of("ada", id)


def test_what_is_kept_is_bounded(service: Service, calls: list[str]) -> None:
    first, second = filed(service, "1"), filed(service, "2")
    one = len(service.model.documents.of("ada", first).page)
    kept = Documents(service.model.mailboxes, kept=one + 100)
    for id in (first, second, first, first):
        kept.of("ada", id)
    assert len(calls) == 1 + 3
