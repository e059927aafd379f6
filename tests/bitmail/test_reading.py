"""What a mail is read from: frame, files and source, for its owner alone."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Callable

import httpx
import pytest

from bitmail.current import SESSION_COOKIE
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from mta.incoming import IncomingMail
from tests.bitmail.conftest import PASSWORD

Api = Callable[[], httpx.AsyncClient]

MAIL = "\r\n".join(
    (
        "From: Grace <grace@example.com>",
        "To: ada@localhost",
        "Subject: Files",
        "MIME-Version: 1.0",
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "Content-Type: text/html; charset=utf-8",
        "",
        "<p onclick='x()'>Hello</p><script>x()</script><img src='https://evil.example/p.gif'><img src='cid:i@x'>",
        "--b",
        "Content-Type: image/png",
        "Content-ID: <i@x>",
        "",
        "inline image",
        "--b",
        "Content-Type: text/html; name=page.html",
        "Content-Disposition: attachment; filename=page.html",
        "",
        "<script>x()</script>",
        "--b",
        "Content-Type: image/svg+xml",
        'Content-Disposition: attachment; filename="../../a.svg"',
        "",
        "<svg onload='x()'/>",
        "--b",
        "Content-Type: image/jpeg",
        'Content-Disposition: attachment; filename="a.jpg"',
        "",
        "first",
        "--b",
        "Content-Type: image/jpeg",
        'Content-Disposition: attachment; filename="A.jpg"',
        "",
        "second",
        "--b--",
    )
).encode()


@pytest.fixture
def mail(service: Service) -> int:
    """The id of a mail in ada's INBOX."""
    for name in ("ada", "eve"):
        service.model.log_in(name, PASSWORD)
    service.model.receive(IncomingMail("1", "grace@example.com", "ada@localhost", MAIL, 1.8e9))
    return service.model.mailboxes.page("ada", MailboxName.INBOX).mails[0].id


def paths(id: int) -> list[str]:
    return [f"/mail/{id}/{what}" for what in ("view", "file/0", "files", "message", "source")]


def test_only_its_owner_reads_a_mail_and_others_learn_nothing(service: Service, api: Api, mail: int) -> None:
    async def calls() -> None:
        async with api() as client:
            for path in paths(mail):
                assert (await client.get(path)).status_code == 401
            client.cookies.set(SESSION_COOKIE, service.model.log_in("eve", PASSWORD)[1])
            for path, nothing in zip(paths(mail), paths(mail + 1000), strict=True):
                theirs, missing = await client.get(path), await client.get(nothing)
                assert (theirs.status_code, theirs.content) == (missing.status_code, missing.content)
                assert theirs.status_code == 404
            client.cookies.set(SESSION_COOKIE, service.model.log_in("ada", PASSWORD)[1])
            for path in paths(mail):
                assert (await client.get(path)).status_code == 200
            for odd in ("/mail/-1/view", "/mail/x/view", f"/mail/{'9' * 30}/view", f"/mail/{mail}/file/99"):
                assert (await client.get(odd)).status_code == 404

    asyncio.run(calls())


def test_the_frame_runs_nothing_and_loads_nothing_until_allowed(
    service: Service, api: Api, mail: int
) -> None:
    async def calls() -> None:
        async with api() as client:
            client.cookies.set(SESSION_COOKIE, service.model.log_in("ada", PASSWORD)[1])
            held = await client.get(f"/mail/{mail}/view")
            policy = held.headers["content-security-policy"]
            assert "script-src" not in policy
            assert policy.startswith("default-src 'none'")
            assert "allow-scripts" not in policy
            assert "https:" not in policy
            assert held.headers["x-frame-options"] == "SAMEORIGIN"
            assert "evil.example" not in held.text
            assert "<script" not in held.text
            assert "onclick" not in held.text
            assert f"/mail/{mail}/file/0?show=1" in held.text
            shown = await client.get(f"/mail/{mail}/view?images=1")
            assert "evil.example" in shown.text
            assert "img-src 'self' data: https: http:" in shown.headers["content-security-policy"]

    asyncio.run(calls())


def test_files_are_kept_not_run_and_every_one_of_them_comes(service: Service, api: Api, mail: int) -> None:
    async def calls() -> None:
        async with api() as client:
            client.cookies.set(SESSION_COOKIE, service.model.log_in("ada", PASSWORD)[1])
            for number in (1, 2):
                file = await client.get(f"/mail/{mail}/file/{number}?show=1")
                assert file.headers["content-type"] == "application/octet-stream"
                assert file.headers["content-disposition"].startswith("attachment;")
                assert file.headers["x-content-type-options"] == "nosniff"
                assert "sandbox" in file.headers["content-security-policy"]
            picture = await client.get(f"/mail/{mail}/file/3?show=1")
            assert picture.headers["content-type"] == "image/jpeg"
            assert picture.headers["content-disposition"].startswith("inline;")
            packed = zipfile.ZipFile(io.BytesIO((await client.get(f"/mail/{mail}/files")).content))
            assert packed.namelist() == ["page.html", "a.svg", "a.jpg", "A (2).jpg"]
            assert packed.read("A (2).jpg") == b"second"
            assert (await client.get(f"/mail/{mail}/message")).content == MAIL
            source = await client.get(f"/mail/{mail}/source")
            assert source.headers["content-type"].startswith("text/plain")

    asyncio.run(calls())


def test_images_of_a_trusted_sender_are_trusted_for_one_person_alone(service: Service) -> None:
    trusted = service.model.trusted
    trusted.trust("ada", "Grace@example.com")
    trusted.trust("ada", "grace@example.com")
    assert trusted.of("ada") == ["grace@example.com"]
    assert trusted.is_trusted("ada", "GRACE@example.com")
    assert not trusted.is_trusted("eve", "grace@example.com")
    trusted.forget("ada", "grace@example.com")
    assert not trusted.is_trusted("ada", "grace@example.com")
    assert not trusted.is_trusted("ada", "")
