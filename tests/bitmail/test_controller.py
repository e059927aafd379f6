"""The page's handlers, called as a browser and as a stranger calls them, without a browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from reflex_base.event import Event
from reflex_base.event.processor.base_state_processor import BaseStateEventProcessor
from reflex_base.registry import RegistrationContext

from bitmail.bitmail import app
from bitmail.current import SESSION_COOKIE
from bitmail.gate import public_events
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.state.compose import ComposeState
from bitmail.state.delivery import DeliveryState
from bitmail.state.keys import KeysState
from bitmail.state.login import LogInState
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
from bitmail.state.ops import OpsState
from bitmail.state.selection import SelectionState
from bitmail.state.session import SessionState
from bitmail.state.settings import SettingsState
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD

OFFERED = {
    ComposeState: {"new", "begin", "save", "send"},
    DeliveryState: {"open", "refresh", "retry", "cancel", "show_more", "write_anew"},
    KeysState: {"press", "close_help"},
    LogInState: {"show"},
    OpsState: {"open", "refresh", "choose", "find", "show", "ask", "ask_person", "leave", "confirm"},
    MailboxState: {"open", "refresh", "show", "search", "open_thread"},
    MessageState: {"open", "show_images", "trust_sender", "leave_list"},
    SelectionState: {
        *("clear", "select", "select_all", "act", "move", "drop", "undo", "close_toast"),
        *("empty_trash", "rename_folder", "remove_folder"),
    },
    SessionState: {"enter", "refresh", "dismiss", "set_zone", "create_folder"},
    SettingsState: {
        "open",
        "change",
        "forget_sender",
        "end_session",
        "end_other_sessions",
        "make_token",
        "end_token",
        "begin_second_factor",
        "confirm_second_factor",
        "end_second_factor",
    },
}
"""Every handler that a client may call; a public method added to a state by accident is one more."""

Call = Callable[..., Awaitable[list[dict[str, Any]]]]


def name_of(state: type, handler: str) -> str:
    return f"{state.get_full_name()}.{handler}"  # type: ignore[attr-defined]


@asynccontextmanager
async def browser(secret: str = "", path: str = "/inbox", **query: str) -> AsyncIterator[Call]:
    """Calls handlers as one page with this session; each call gives everything that came back."""
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=None).configure(
        state_manager=app.state_manager
    )
    url = f"{path}?{'&'.join(f'{key}={value}' for key, value in query.items())}"
    router = {
        "headers": {"cookie": f"{SESSION_COOKIE}={secret}", "origin": "http://mail.test"},
        "pathname": path,
        "asPath": url,
        "query": query,
    }
    async with processor:
        with app.set_contexts():

            async def call(state: type, handler: str, **payload: Any) -> list[dict[str, Any]]:
                event = Event(name=name_of(state, handler), payload=payload, router_data=router)
                return [delta async for delta in processor.enqueue_stream_delta(f"token-{secret}", event)]

            yield call


def merged(deltas: list[dict[str, Any]], state: type) -> dict[str, Any]:
    """What one state told the page in these answers."""
    told: dict[str, Any] = {}
    for delta in deltas:
        told |= delta.get(state.get_full_name(), {})  # type: ignore[attr-defined]
    return {key.removesuffix("_rx_state_"): value for key, value in told.items()}


def test_only_the_handlers_we_mean_to_offer_can_be_called() -> None:
    assert RegistrationContext.get().event_handlers
    for state, offered in OFFERED.items():
        own = {name for name in state.event_handlers if name not in ("setvar",)}  # type: ignore[attr-defined]
        inherited = set(state.get_parent_state().event_handlers) if state.get_parent_state() else set()  # type: ignore[attr-defined]
        assert own - inherited == offered


@pytest.mark.parametrize(
    ("state", "handler"),
    [
        (state, handler)
        for state, handlers in OFFERED.items()
        for handler in sorted(handlers)
        if state is not LogInState
    ],
)
def test_no_handler_works_without_a_session(service: Service, state: type, handler: str) -> None:
    async def calls() -> None:
        assert name_of(state, handler) not in public_events()
        form = {"draft": "key", "to": "grace@example.com", "text": "x"}
        payloads = {
            "save": {"form": form},
            "send": {"form": form},
            "dismiss": {"number": 1},
            "set_zone": {"zone": "UTC"},
            "show": {"what": "unread"},
            "search": {"form": {"q": "x"}},
            "open_thread": {"id": 1},
            "select": {"id": 1, "shift": False},
            "act": {"what": "delete", "id": 1},
            "move": {"to": "Trash", "id": 1},
            "drop": {"address": "/inbox?mail=1", "to": "Trash"},
            "rename_folder": {"form": {"name": "x"}},
            "create_folder": {"form": {"name": "x"}},
            "retry": {"delivery": "x"},
            "write_anew": {"delivery": ""},
            "press": {"key": "j"},
            "change": {"field": "theme", "value": "dark"},
            "forget_sender": {"sender": "grace@example.com"},
            "end_session": {"id": 1},
            "end_token": {"id": 1},
            "make_token": {"form": {"name": "x", "days": "1", "send": "1"}},
            "confirm_second_factor": {"form": {"code": "123456"}},
            "end_second_factor": {"form": {"password": PASSWORD}},
        }
        async with browser("no-such-secret") as call:
            deltas = await call(state, handler, **payloads.get(handler, {}))
        assert merged(deltas, state).keys() <= {"key"}, "more was told than what the address says"

    before = service.store.count({})
    asyncio.run(calls())
    assert service.store.count({}) == before


def test_send_puts_the_mail_in_sent_and_the_list_shows_it(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    form = {"draft": "key-1", "to": "grace@example.com", "cc": "", "bcc": "", "subject": "Hi", "text": "x"}

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/compose", draft="key-1") as call:
            await call(ComposeState, "send", form=form)
            await call(ComposeState, "send", form=form)
        async with browser(secret, "/sent") as call:
            return merged(await call(MailboxState, "open"), MailboxState)

    shown = asyncio.run(calls())
    assert len(service.model.mailboxes.page("ada", MailboxName.SENT).mails) == 1
    assert [(row.who, row.subject) for row in shown["rows"]] == [("To grace@example.com", "Hi")]


def test_a_bad_recipient_is_told_beside_its_field_and_the_draft_is_kept(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    form = {"draft": "key-2", "to": "ann; bob@example.com", "text": "kept"}

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/compose", draft="key-2") as call:
            return merged(await call(ComposeState, "send", form=form), ComposeState)

    told = asyncio.run(calls())
    assert set(told["errors"]) == {"to"}
    assert "ann" in told["errors"]["to"]
    assert service.model.drafts.load("ada", "key-2").text == "kept"
    assert not service.model.mailboxes.page("ada", MailboxName.SENT).mails


def test_send_when_an_address_bounced_then_warned_beside_its_field_and_sent_when_pressed_again(
    service: Service,
) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    service.model.suppressions.add("ada", "bob@example.com", Status.BOUNCED, "550 no such user.")
    form = {"draft": "key-3", "to": "ann@example.com", "cc": "bob@example.com", "text": "x"}

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/compose", draft="key-3") as call:
            told = merged(await call(ComposeState, "send", form=form), ComposeState)
            assert not service.model.mailboxes.page("ada", MailboxName.SENT).mails
            other = form | {"to": "eve@example.com"}
            await call(ComposeState, "send", form=other)
            assert not service.model.mailboxes.page("ada", MailboxName.SENT).mails, (
                "another mail, not warned of"
            )
            await call(ComposeState, "send", form=other)
            return told

    told = asyncio.run(calls())
    assert set(told["errors"]) == {"cc"}
    assert "550 no such user." in told["errors"]["cc"]
    assert "again" in told["problem"]
    assert len(service.model.mailboxes.page("ada", MailboxName.SENT).mails) == 1


@pytest.mark.parametrize(
    "form", [None, 7, [], {}, {"draft": 7}, {"draft": "../x"}, {"draft": "k", "to": {"a": 1}}]
)
def test_a_form_that_is_none_changes_nothing_and_breaks_nothing(service: Service, form: object) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    before = service.store.count({})

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/compose", draft="k") as call:
            await call(ComposeState, "save", form=form)
            return merged(await call(ComposeState, "send", form=form), ComposeState)

    assert "Reload" in asyncio.run(calls())["problem"]
    assert service.store.count({}) == before


def test_the_mail_of_another_person_is_answered_like_one_that_is_not_there(service: Service) -> None:
    service.model.mailboxes.file("eve", "1", b"From: g@example.com\r\nSubject: private\r\n\r\nprivate", 0.0)
    (mail,) = service.model.mailboxes.page("eve", MailboxName.INBOX).mails
    _, secret = service.model.log_in("ada", PASSWORD)

    async def opened(id: int) -> dict[str, Any]:
        async with browser(secret, "/inbox", mail=str(id)) as call:
            return merged(await call(MessageState, "open"), MessageState)

    foreign, absent = asyncio.run(opened(mail.id)), asyncio.run(opened(10**9))
    assert foreign["missing"] == absent["missing"] != ""
    assert "private" not in repr(foreign)


def test_a_log_out_elsewhere_bites_at_the_next_event(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> tuple[dict[str, Any], dict[str, Any]]:
        async with browser(secret) as call:
            before = merged(await call(SessionState, "enter"), SessionState)
            service.model.sessions.close(secret)
            return before, merged(await call(MailboxState, "open"), MailboxState)

    before, after = asyncio.run(calls())
    assert before["address"] == "ada@localhost"
    assert "rows" not in after
