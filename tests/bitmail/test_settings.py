"""What a person sets, takes along and leaves behind."""

from __future__ import annotations

import asyncio
import mailbox
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

from bitmail.audit import Action
from bitmail.current import SESSION_COOKIE
from bitmail.door import Client
from bitmail.errors import LogInRefused, Refused
from bitmail.mailboxes import MailboxName
from bitmail.preferences import Density, Editor, Images, Listing, Preferences, Theme
from bitmail.service import Service
from bitmail.state.arrival import ArrivalState
from bitmail.state.settings import SettingsState
from bitmail.tokens import Scope
from mta.incoming import IncomingMail, NoMailbox
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD
from tests.bitmail.test_controller import browser, merged

Api = Callable[[], httpx.AsyncClient]


def test_preferences_are_each_persons_own_and_begin_as_everyones(service: Service) -> None:
    kept = service.model.preferences
    assert kept.of("ada") == Preferences()
    for field, value in (
        ("display_name", "  Ada   Lovelace\n"),
        ("zone", "Europe/Copenhagen"),
        ("theme", "dark"),
        ("density", "compact"),
        ("images", "always"),
        ("editor", "rich"),
        ("undo", "30"),
        ("shortcuts", "0"),
        ("language", "da"),
        ("spoken", "da"),
        ("listing", "conversations"),
    ):
        kept.set("ada", field, value)
    assert kept.of("ada") == Preferences(
        "Ada Lovelace",
        "Europe/Copenhagen",
        Theme.DARK,
        Density.COMPACT,
        Images.ALWAYS,
        Editor.RICH,
        30,
        False,
        "da",
        "da",
        Listing.CONVERSATIONS,
    )
    assert kept.of("eve") == Preferences()
    assert service.store.count({"kind": "preferences"}) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", "x" * 101),
        ("zone", "Mars/Olympus"),
        ("zone", "../../etc/passwd"),
        ("theme", "pink"),
        ("undo", "11"),
        ("undo", "-1"),
        ("user", "eve"),
        ("", ""),
    ],
)
def test_what_cannot_be_set_is_refused_and_changes_nothing(service: Service, field: str, value: str) -> None:
    with pytest.raises(Refused):
        service.model.preferences.set("ada", field, value)
    assert service.model.preferences.of("ada") == Preferences()


def test_preferences_of_another_version_are_read_as_far_as_they_are_understood(service: Service) -> None:
    service.store.put({"kind": "preferences", "user": "ada", "theme": "sepia", "undo": "5", "new": "x"})
    assert service.model.preferences.of("ada") == Preferences(undo=5)


def arrive(service: Service, name: str, body: bytes, number: int) -> None:
    mail = IncomingMail(str(number), "grace@example.com", f"{name}@localhost", body, 1.8e9 + number)
    service.model.receive(mail)


def test_all_mail_goes_into_one_mbox_that_others_can_read(service: Service, api: Api, tmp_path: Path) -> None:
    for name in ("ada", "eve"):
        service.model.log_in(name, PASSWORD)
    bodies = [
        b"Subject: one\r\n\r\nFrom here on\r\n>From there\r\n",
        b"Subject: two\r\n\r\nno line end",
        b"Subject: three\r\n\r\n",
    ]
    for number, body in enumerate(bodies):
        arrive(service, "ada", body, number)
    arrive(service, "eve", b"Subject: not yours\r\n\r\nx", 9)

    async def call() -> bytes:
        async with api() as client:
            assert (await client.get("/account/mbox")).status_code == 303
            client.cookies.set(SESSION_COOKIE, service.model.log_in("ada", PASSWORD)[1])
            answer = await client.get("/account/mbox")
            assert answer.headers["content-disposition"] == 'attachment; filename="ada.mbox"'
            return answer.content

    file = tmp_path / "ada.mbox"
    file.write_bytes(asyncio.run(call()))
    read = list(mailbox.mbox(file, create=False))
    assert [mail["Subject"] for mail in read] == ["one", "two", "three"]
    assert {mail["X-BitMail-Mailbox"] for mail in read} == {"INBOX"}
    assert read[0].get_payload() == ">From here on\n>>From there\n"
    assert read[1].get_payload().rstrip("\n") == "no line end"


def test_a_deleted_account_leaves_nothing_but_its_taken_name(service: Service, api: Api) -> None:
    model = service.model
    for name in ("ada", "eve"):
        model.log_in(name, PASSWORD)
        arrive(service, name, f"Subject: to {name}\r\n\r\nx".encode(), 1)
        model.preferences.set(name, "theme", "dark")
        model.trusted.trust(name, "grace@example.com")
        model.make_token(name, "backup", [Scope.READ], 1)
    secret = model.log_in("ada", PASSWORD)[1]

    async def calls() -> None:
        async with api() as client:
            assert (await client.post("/account/delete", data={"password": PASSWORD})).headers[
                "location"
            ] == "/login"
            client.cookies.set(SESSION_COOKIE, secret)
            wrong = await client.post("/account/delete", data={"password": "not the password"})
            assert wrong.headers["location"] == "/settings"
            assert model.sessions.find(secret) is not None
            right = await client.post("/account/delete", data={"password": PASSWORD})
            assert right.headers["location"] == "/login"

    asyncio.run(calls())
    left = service.store.get({"user": "ada"})
    assert [entry.data["kind"] for entry in left] == ["audit"]
    assert model.sessions.find(secret) is None
    for password in (PASSWORD, "another horse battery"):
        with pytest.raises(LogInRefused):
            model.log_in("ada", password)
    with pytest.raises(NoMailbox):
        arrive(service, "ada", b"Subject: late\r\n\r\nx", 2)
    assert len(model.mailboxes.page("eve", MailboxName.INBOX).mails) == 1
    assert model.tokens.of("eve")


def test_an_address_that_came_back_is_shown_in_settings_and_lifted_there(service: Service) -> None:
    model = service.model
    secret = model.log_in("ada", PASSWORD)[1]
    model.suppressions.add("ada", "x@example.com", Status.BOUNCED, "The mailbox does not exist.")
    model.suppressions.add("eve", "x@example.com", Status.BOUNCED, "gone")

    async def calls() -> tuple[dict[str, Any], dict[str, Any]]:
        async with browser(secret, "/settings") as call:
            shown = merged(await call(ArrivalState, "at_settings"), SettingsState)
            return shown, merged(await call(SettingsState, "lift", address="x@example.com"), SettingsState)

    shown, after = asyncio.run(calls())
    assert [row.address for row in shown["suppressed"]] == ["x@example.com"]
    assert "does not exist" in shown["suppressed"][0].why
    assert after["suppressed"] == []
    assert model.suppressions.page("eve")


def test_a_password_is_changed_by_its_form_and_this_browser_stays_in(service: Service, api: Api) -> None:
    model = service.model
    secret, elsewhere = (model.log_in("ada", PASSWORD)[1] for _ in range(2))

    async def calls() -> None:
        async with api() as client:
            client.cookies.set(SESSION_COOKIE, secret, domain="mail.test")
            wrong = await client.post("/account/password", data={"now": "wrong one", "new": "another horse"})
            assert wrong.headers["location"] == "/settings"
            right = await client.post(
                "/account/password", data={"now": PASSWORD, "new": "another horse battery"}
            )
            assert right.headers["location"] == "/settings?done=password"
            session = model.sessions.find(client.cookies.get(SESSION_COOKIE) or "")
            assert session is not None
            assert session.user == "ada"

    asyncio.run(calls())
    assert (model.sessions.find(secret), model.sessions.find(elsewhere)) == (None, None)


def test_turning_the_second_factor_on_ends_other_sessions_and_off_needs_the_password(
    service: Service,
) -> None:
    model = service.model
    here, elsewhere = (model.log_in("ada", PASSWORD)[1] for _ in range(2))
    session = model.sessions.find(here)
    assert session is not None
    app = pyotp.TOTP(model.second_factor.begin("ada", "ada@localhost").secret)
    assert len(model.turn_second_factor_on(session, app.now())) == 10
    assert (model.sessions.find(here) is None, model.sessions.find(elsewhere) is None) == (False, True)
    with pytest.raises(LogInRefused):
        model.turn_second_factor_off(session, "not the password")
    assert model.second_factor.is_on("ada")
    model.turn_second_factor_off(session, PASSWORD)
    assert model.door.enter("ada", PASSWORD, Client()).account.name == "ada"


def test_the_trail_tells_of_log_outs_and_settings_and_not_what_was_set(service: Service, api: Api) -> None:
    model = service.model
    secret = model.log_in("ada", PASSWORD)[1]

    async def calls() -> None:
        async with browser(secret, "/settings") as call:
            await call(SettingsState, "change", field="display_name", value="Ada Lovelace")
            await call(SettingsState, "change", field="theme", value="no such theme")
        async with api() as client:
            client.headers["Authorization"] = f"Bearer {secret}"
            assert (await client.post("/api/logout")).status_code == 204
            assert (await client.post("/api/logout")).status_code == 401

    asyncio.run(calls())
    trail = [(record.action, record.detail) for record in model.audit.page("ada")]
    assert trail[:2] == [(Action.LOGGED_OUT, ""), (Action.SETTING, "display_name")]
    assert (Action.SETTING, "theme") not in trail


def test_trail_when_a_sender_is_trusted_and_an_address_lifted_then_tells_and_names_nobody(
    service: Service,
) -> None:
    model = service.model
    model.log_in("ada", PASSWORD)
    model.suppressions.add("ada", "bob@example.com", Status.BOUNCED, "No such user.")
    model.trust_images("ada", "grace@example.com", is_trusted=True)
    assert model.lift("ada", "bob@example.com")
    assert not model.lift("ada", "bob@example.com")
    trail = [(record.action, record.detail) for record in model.audit.page("ada")]
    assert trail[:2] == [(Action.SETTING, "an address lifted"), (Action.SETTING, "images of one sender")]
