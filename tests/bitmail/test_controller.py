"""The page's handlers, called as a browser and as a stranger calls them, without a browser."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from reflex import UploadFile
from reflex.state import OnLoadInternalState, State
from reflex_base.event import Event
from reflex_base.event.processor.base_state_processor import BaseStateEventProcessor
from reflex_base.registry import RegistrationContext

from bitmail.bitmail import app
from bitmail.current import SESSION_COOKIE, serving
from bitmail.drafts import Draft, Hold
from bitmail.gate import public_events
from bitmail.mailboxes import MailboxName
from bitmail.service import Service
from bitmail.state.arrival import ArrivalState
from bitmail.state.compose import ComposeState
from bitmail.state.composer import COMPOSERS, FirstComposer, SecondComposer
from bitmail.state.contacts import ContactsState
from bitmail.state.delivery import DeliveryState
from bitmail.state.keys import KeysState
from bitmail.state.login import LogInState
from bitmail.state.mailbox import MailboxState
from bitmail.state.message import MessageState
from bitmail.state.ops import OpsState
from bitmail.state.selection import SelectionState
from bitmail.state.session import SessionState
from bitmail.state.settings import SettingsState
from bitmail.state.toasts import ToastState
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD, make_service

WINDOW = {
    *(
        "begin",
        "keep",
        "send",
        "send_later",
        "send_anyway",
        "write_on",
        "look",
        "step",
        "stop_looking",
        "show_field",
    ),
    *("announce", "progress", "attach", "give_up", "repeat", "detach", "resize", "close", "discard"),
    *("list_templates", "use_template", "save_template", "show_rich", "enrich", "simplify"),
}
OFFERED = {
    ComposeState: {"new", "write_to", "answer"},
    **dict.fromkeys(COMPOSERS, WINDOW),
    ArrivalState: {"open", "at_list", "at_settings", "at_ops", "at_contacts", "at_compose"},
    ContactsState: {"look", "save", "remove", "undo", "take", "set_signature"},
    DeliveryState: {"retry", "cancel", "show_more", "write_anew"},
    KeysState: {"press", "close_help"},
    ToastState: {"undo_send", "undo_discard", "dismiss"},
    LogInState: {"show", "ask", "answered", "lose"},
    OpsState: {
        "narrow",
        "find",
        "show",
        "ask",
        "ask_person",
        "ask_schedule",
        "ask_weight",
        "leave",
        "confirm",
    },
    MailboxState: {"show", "search", "open_thread"},
    MessageState: {"mark_read", "show_images", "trust_sender", "leave_list"},
    SelectionState: {
        *("clear", "select", "select_all", "act", "move", "drop", "undo", "close_toast"),
        *("empty_trash", "rename_folder", "remove_folder"),
    },
    SessionState: {"refresh", "dismiss", "set_zone", "create_folder"},
    SettingsState: {
        "change",
        "forget_sender",
        "lift",
        "end_session",
        "end_other_sessions",
        "make_token",
        "end_token",
        "make_webhook",
        "end_webhook",
        "switch_on_webhook",
        "test_webhook",
        "begin_second_factor",
        "confirm_second_factor",
        "end_second_factor",
    },
}
"""Every handler that a client may call; a public method added to a state by accident is one more."""

Call = Callable[..., Awaitable[list[dict[str, Any]]]]
ANSWERED = 60.0
"""Seconds after which an answer is as good as none."""


def name_of(state: type, handler: str) -> str:
    return f"{state.get_full_name()}.{handler}"  # type: ignore[attr-defined]


@asynccontextmanager
async def browser(secret: str = "", path: str = "/inbox", **query: str) -> AsyncIterator[Call]:
    """Calls handlers as one page with this session; each call gives everything that came back."""
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=None).configure(
        state_manager=app.state_manager
    )
    router = router_of(secret, path, query)
    async with processor:
        with app.set_contexts():

            async def call(state: type, handler: str, **payload: Any) -> list[dict[str, Any]]:
                event = Event(name=name_of(state, handler), payload=payload, router_data=router)
                async with asyncio.timeout(ANSWERED):  # a handler that is none would never be
                    return [delta async for delta in processor.enqueue_stream_delta(f"token-{secret}", event)]

            await call(State, "hydrate")
            yield call


def router_of(secret: str, path: str, query: dict[str, str]) -> dict[str, Any]:
    """What a browser with this session at this address tells with each event."""
    return {
        "headers": {"cookie": f"{SESSION_COOKIE}={secret}", "origin": "http://mail.test"},
        "pathname": path,
        "asPath": f"{path}?{urlencode(query)}",
        "query": query,
    }


def merged(deltas: list[dict[str, Any]], state: type) -> dict[str, Any]:
    """What one state told the page in these answers."""
    told: dict[str, Any] = {}
    for delta in deltas:
        told |= delta.get(state.get_full_name(), {})  # type: ignore[attr-defined]
    return {key.removesuffix("_rx_state_"): value for key, value in told.items()}


def test_the_log_in_page_when_something_asks_for_a_session_then_still_leads_where_one_wanted_to_go(
    service: Service,
) -> None:
    async def calls() -> None:
        async with browser("", "/login", next="/inbox?draft=abc") as call:
            assert merged(await call(LogInState, "show"), LogInState)["page"] == "/inbox?draft=abc"
            assert merged(await call(LogInState, "ask"), LogInState) == {}
        async with browser("", "/sent") as call:
            asked = merged(await call(LogInState, "ask"), LogInState)
            assert (asked["is_asked"], asked["page"]) == (True, "/sent")

    asyncio.run(calls())


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
        form = {
            "loaded": "ada window",
            "to": "grace@example.com",
            "text": "x",
            "name": "x",
            "email": "x@example.com",
            "days": "1",
            "send": "1",
            "code": "123456",
            "password": PASSWORD,
            "q": "x",
        }
        known = {
            "form": form,
            "number": 1,
            "zone": "UTC",
            "field": "to",
            "typed": "gra",
            "by": 1,
            "name": "cc",
            "files": [],
            "sent": {},
            "window": "",
            "id": 1,
            "size": "small",
            "mail": 1,
            "how": "reply",
            "line": "grace@example.com",
            "draft": "key",
            "spare": "",
            "value": "dark",
            "sender": "grace@example.com",
        }
        function = state.event_handlers[handler].fn  # type: ignore[attr-defined]
        wanted = [name for name in inspect.signature(function).parameters if name in known]
        async with browser("no-such-secret") as call:
            deltas = await call(state, handler, **{name: known[name] for name in wanted})
        assert merged(deltas, state) == {}, "more was told than nothing"

    before = service.store.count({})
    asyncio.run(calls())
    assert service.store.count({}) == before


class Window:
    """The first window, as a browser has it: it sends back what it was given."""

    def __init__(self, call: Call, state: type = FirstComposer) -> None:
        self.call, self.state = call, state
        self.window = ""

    async def open(self, spare: str = "") -> dict[str, Any]:
        """The draft that the address names is opened; gives the fields that the server filled."""
        told = merged(await self.call(ArrivalState, "at_list"), self.state)
        self.window = told.get("window", self.window)
        deltas = await self.call(self.state, "begin", spare=spare)
        events = [event for delta in deltas for event in delta.get("events", [])]
        assert self.window, told
        return {"told": merged(deltas, self.state), "events": events}

    async def do(self, handler: str, **typed: str) -> dict[str, Any]:
        form = {"loaded": self.window} | typed
        return merged(await self.call(self.state, handler, form=form), self.state)


def test_send_puts_the_mail_in_sent_once_and_the_list_shows_it(tmp_path: Path) -> None:
    service = make_service(tmp_path, undo="0")
    service.start()
    with serving(service):
        _, secret = service.model.log_in("ada", PASSWORD)
        typed = {"to": "grace@example.com", "cc": "", "bcc": "", "subject": "Hi", "text": "x"}

        async def calls() -> dict[str, Any]:
            async with browser(secret, "/inbox", draft="key-1") as call:
                window = Window(call)
                await window.open()
                await window.do("send", **typed)
                await window.do("send", **typed)
            async with browser(secret, "/sent") as call:
                return merged(await call(ArrivalState, "at_list"), MailboxState)

        shown = asyncio.run(calls())
        assert len(service.model.mailboxes.page("ada", MailboxName.SENT).mails) == 1
        assert [(row.who, row.subject) for row in shown["rows"]] == [("To grace@example.com", "Hi")]
    service.stop()


def test_a_bad_recipient_is_told_beside_its_field_and_the_draft_is_kept(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/inbox", draft="key-2") as call:
            window = Window(call)
            await window.open()
            return await window.do("send", to="ann; bob@example.com", subject="Hi", text="kept")

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
    form = {"to": "ann@example.com", "cc": "bob@example.com", "subject": "Hi", "text": "x"}

    def queued() -> int:
        return len(service.model.mailboxes.page("ada", MailboxName.OUTBOX).mails)

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/inbox", draft="key-3") as call:
            window = Window(call)
            await window.open()
            told = await window.do("send", **form)
            assert not queued()
            other = form | {"to": "eve@example.com"}
            await window.do("send_anyway", **other)
            assert not queued(), "another mail, not warned of"
            await window.do("send_anyway", **other)
            return told

    told = asyncio.run(calls())
    assert set(told["errors"]) == {"cc"}
    assert "550 no such user." in told["errors"]["cc"]
    assert "550 no such user." in told["asked"][0]
    assert queued() == 1


def test_what_a_person_should_know_is_asked_once_and_then_it_is_sent_and_can_be_undone(
    service: Service,
) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> list[dict[str, Any]]:
        async with browser(secret, "/inbox", draft="key-3") as call:
            window = Window(call)
            await window.open()
            told = [await window.do("send", to="grace@example.com", text="see attached")]
            form = {"loaded": window.window, "to": "grace@example.com", "text": "see attached"}
            told.append(merged(await call(FirstComposer, "send_anyway", form=form), ToastState))
            told.append(
                merged(await call(ToastState, "undo_send", mail=told[1]["toasts"][0].mail), ToastState)
            )
            return told

    asked, queued, undone = asyncio.run(calls())
    assert len(asked["asked"]) == 2
    assert queued["toasts"][0].text == "Queued for 1 person"
    assert undone["toasts"] == []
    (draft,) = service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails
    assert service.model.drafts.load("ada", draft.key).text == "see attached"


def test_a_scheduled_time_is_read_in_the_persons_zone_and_the_past_is_refused(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    session = service.model.sessions.find(secret)
    assert session is not None
    service.model.sessions.set_zone(session, "Asia/Tokyo")
    later = datetime.now(ZoneInfo("Asia/Tokyo")).replace(second=0, microsecond=0, tzinfo=None) + timedelta(
        days=2
    )

    async def calls() -> list[dict[str, Any]]:
        async with browser(secret, "/inbox", draft="key-4") as call:
            window = Window(call)
            await window.open()
            typed = {"to": "grace@example.com", "subject": "Hi", "text": "x"}
            refused = [await window.do("send_later", at=at, **typed) for at in ("", "x", "2001-01-01T00:00")]
            await window.do("send_later", at=later.isoformat(), **typed)
            return refused

    for told in asyncio.run(calls()):
        assert set(told["errors"]) == {"at"}
    (entry,) = service.store.get({"user": "ada", "mailbox": "Outbox"})
    assert float(entry.data["not_before"]) == later.replace(tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()


def test_two_windows_with_one_draft_keep_both_texts(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    service.model.drafts.save("ada", Draft("key-5", text="begun"))

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/inbox", draft="key-5") as call:
            window = Window(call)
            await window.open()
            service.model.drafts.save("ada", Draft("key-5", text="begun elsewhere"), Hold("other", 1))
            told = await window.do("keep", text="begun here")
            assert (await window.do("keep", text="begun here and gone on")).get("problem") is None
            return told

    told = asyncio.run(calls())
    assert "another window" in told["problem"]
    assert service.model.drafts.load("ada", "key-5").text == "begun elsewhere"
    assert service.model.drafts.load("ada", told["key"]).text == "begun here and gone on"


def test_a_window_that_sends_what_another_changed_sends_its_own_words_and_the_others_stay_a_draft(
    service: Service,
) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    kept = Draft("key-6", to="grace@example.com", subject="Re: Hi", text="begun", in_reply_to="<a@x>")
    service.model.drafts.begin("ada", kept)

    async def calls() -> None:
        async with browser(secret, "/inbox", draft="key-6") as call:
            window = Window(call)
            await window.open()
            service.model.drafts.save("ada", replace(kept, text="begun elsewhere"), Hold("other"))
            await window.do("send", to="grace@example.com", subject="Re: Hi", text="begun here")

    asyncio.run(calls())
    (entry,) = service.store.get({"user": "ada", "mailbox": "Outbox"})
    sent = service.model.mailboxes.content("ada", entry.id)
    assert (sent.text.strip(), sent.in_reply_to) == ("begun here", "<a@x>")
    assert service.model.drafts.load("ada", "key-6").text == "begun elsewhere"
    assert len(service.store.get({"user": "ada", "mailbox": "Drafts"})) == 1


def test_a_file_that_comes_before_it_is_announced_is_not_waited_for(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    name = f"{'long' * 60}.txt"
    announced = {"files": [{"name": name, "size": 5}]}

    async def calls() -> list[dict[str, Any]]:
        async with browser(secret, "/inbox", draft="key-8") as call:
            window = Window(call)
            await window.open()

            async def come() -> dict[str, Any]:
                file = UploadFile(io.BytesIO(b"words"), path=Path(name))
                return merged(
                    await call(FirstComposer, "attach", files=[file], window=window.window), FirstComposer
                )

            async def announce() -> dict[str, Any]:
                return merged(await call(FirstComposer, "announce", **announced), FirstComposer)

            return [await step() for step in (come, announce, announce, come, come, announce)]

    early, late, first, then, again, last = asyncio.run(calls())
    assert [len(told["files"]) for told in (early, then, again)] == [1, 2, 3]
    assert [told["uploading"] for told in (late, first, then, last)] == [[], [name[:200]], [], []]


def test_who_has_as_many_drafts_as_there_may_be_is_asked_and_sends_all_the_same(tmp_path: Path) -> None:
    service = make_service(tmp_path, undo="0", most_drafts="1")
    service.start()
    with serving(service):
        _, secret = service.model.log_in("ada", PASSWORD)
        service.model.drafts.save("ada", Draft("key-1", text="begun"))
        typed = {"to": "grace@example.com", "text": "without a subject"}

        async def calls() -> tuple[dict[str, Any], dict[str, Any]]:
            async with browser(secret, "/inbox", draft="key-9") as call:
                window = Window(call)
                await window.open()
                return await window.do("send", **typed), await window.do("send_anyway", **typed)

        asked, sent = asyncio.run(calls())
        assert (len(asked["asked"]), asked.get("errors", {}), asked.get("problem", "")) == (1, {}, "")
        assert sent["window"] == ""
        assert len(service.model.mailboxes.page("ada", MailboxName.SENT).mails) == 1
    service.stop()


def test_a_page_that_comes_back_shows_what_was_typed_last_in_the_same_window_alone(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    service.model.drafts.save("ada", Draft("key-7", to="saved@example.com", text="saved"))

    async def calls() -> list[dict[str, Any]]:
        async with browser(secret, "/inbox", draft="key-7") as call:
            window = Window(call)
            await window.open()
            spare = json.dumps(
                {"loaded": window.window, "to": "typed@example.com", "to_new": "gra", "html": 7}
            )
            foreign = spare.replace(window.window, "ada other")
            return [
                merged(await call(FirstComposer, "begin", spare=given), FirstComposer)["people"]["to"]
                for given in (spare, foreign)
            ]

    mine, other = asyncio.run(calls())
    assert [chip.label for chip in mine] == ["typed@example.com"]
    assert [chip.label for chip in other] == ["saved@example.com"]


def test_each_draft_opens_in_a_window_of_its_own_until_there_is_none_left(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> list[list[dict[str, Any]]]:
        async with browser(secret, "/inbox") as call:
            return [await call(ComposeState, "new") for _ in range(len(COMPOSERS) + 1)]

    first, second, _, full = asyncio.run(calls())
    assert merged(first, FirstComposer)["key"] != merged(second, SecondComposer)["key"]
    assert "Close one" in merged(full, ToastState)["toasts"][0].text


def test_an_answer_opened_and_closed_untouched_leaves_no_draft(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    service.model.mailboxes.file("ada", "1", b"From: g@example.com\r\nSubject: Hi\r\n\r\nText", 0.0)
    (mail,) = service.model.mailboxes.page("ada", MailboxName.INBOX).mails

    async def calls() -> None:
        async with browser(secret, "/inbox") as call:
            told = merged(await call(ComposeState, "answer", mail=mail.id, how="reply"), FirstComposer)
            await call(FirstComposer, "begin", spare="")
            draft = service.model.drafts.load("ada", told["key"])
            assert draft.to == "g@example.com"
            typed = {name: getattr(draft, name) for name in ("to", "subject", "text")}
            await call(FirstComposer, "close", form={"loaded": told["window"]} | typed)

    asyncio.run(calls())
    assert service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails == ()


def test_an_answer_sent_as_it_was_begun_belongs_to_its_conversation(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)
    raw = b"From: g@example.com\r\nMessage-ID: <1@example.com>\r\nSubject: Hi\r\n\r\nText"
    service.model.mailboxes.file("ada", "1", raw, 0.0)
    (mail,) = service.model.mailboxes.page("ada", MailboxName.INBOX).mails

    async def calls() -> None:
        async with browser(secret, "/inbox") as call:
            told = merged(await call(ComposeState, "answer", mail=mail.id, how="reply"), FirstComposer)
            draft = service.model.drafts.load("ada", told["key"])
            typed = {name: getattr(draft, name) for name in ("to", "subject", "text")}
            await call(FirstComposer, "send", form={"loaded": told["window"]} | typed)

    asyncio.run(calls())
    (sent,) = service.model.mailboxes.page("ada", MailboxName.OUTBOX).mails
    assert service.model.mailboxes.content("ada", sent.id).in_reply_to == "<1@example.com>"
    assert service.model.mailboxes.mail("ada", sent.id).thread == mail.thread


def test_send_when_all_was_cleared_then_what_was_kept_before_is_not_sent(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/inbox", draft="key-7") as call:
            window = Window(call)
            await window.open()
            await window.do("keep", to="grace@example.com", text="words")
            return await window.do("send_anyway", to="", subject="", text="")

    assert "Nobody to send to" in asyncio.run(calls())["errors"]["to"]
    assert not service.model.mailboxes.page("ada", MailboxName.OUTBOX).mails


def test_nothing_can_be_typed_before_the_draft_is_in_its_window(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        async with browser(secret, "/inbox") as call:
            return await call(ComposeState, "new"), await call(FirstComposer, "begin", spare="")

    opened, begun = (merged(deltas, FirstComposer) for deltas in asyncio.run(calls()))
    assert opened["window"] != opened.get("filled", "")
    assert opened["window"] == begun["filled"]


def test_a_discarded_draft_is_asked_about_and_comes_back_with_undo(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> None:
        async with browser(secret, "/inbox", draft="key-6") as call:
            window = Window(call)
            await window.open()
            assert (await window.do("discard", text="words"))["asks_to_discard"]
            form = {"loaded": window.window, "text": "words"}
            deltas = await call(FirstComposer, "discard", form=form, is_confirmed=True)
            assert service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails == ()
            await window.do("keep", text="words and more")
            assert service.model.mailboxes.page("ada", MailboxName.DRAFTS).mails == ()
            await call(ToastState, "undo_discard", draft=merged(deltas, ToastState)["toasts"][0].draft)

    asyncio.run(calls())
    assert service.model.drafts.load("ada", "key-6").text == "words"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (None, "Reload"),
        (7, "Reload"),
        ([], "Reload"),
        ({}, "Reload"),
        ({"loaded": 7}, "Reload"),
        ({"loaded": "../x"}, "Reload"),
        ({"loaded": "WINDOW", "to": {"a": 1}}, "Reload"),
        ({"loaded": "ada old"}, "Reload"),
        ({"loaded": "", "to": "grace@example.com"}, "Press Send again"),
    ],
)
def test_a_form_that_is_none_changes_nothing_and_breaks_nothing(
    service: Service, form: Any, told: str
) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> dict[str, Any]:
        async with browser(secret, "/inbox", draft="k") as call:
            window = Window(call)
            await window.open()
            before = service.store.count({})
            if isinstance(form, dict) and form.get("loaded") == "WINDOW":
                form["loaded"] = window.window
            for handler in ("keep", "close", "save_template"):
                if handler != "close":
                    await call(FirstComposer, handler, form=form)
            answer = merged(await call(FirstComposer, "send", form=form), FirstComposer)
            assert service.store.count({}) == before
            return answer

    assert told in asyncio.run(calls())["problem"]


@pytest.mark.parametrize(
    ("handler", "payload"),
    [
        ("begin", {"spare": 7}),
        ("begin", {"spare": "{"}),
        ("begin", {"spare": "[]"}),
        ("look", {"field": "x", "typed": "gra"}),
        ("look", {"field": "to", "typed": 7}),
        ("step", {"by": "x"}),
        ("show_field", {"name": "__class__"}),
        ("announce", {"files": [None, {"name": 1}, {"name": "x", "size": "big"}]}),
        ("announce", {"files": 7}),
        ("progress", {"sent": None}),
        ("progress", {"sent": {"progress": "x"}}),
        ("detach", {"id": "x"}),
        ("resize", {"size": "9"}),
        ("use_template", {"id": "x", "form": None}),
    ],
)
def test_an_argument_that_is_none_breaks_nothing(
    service: Service, handler: str, payload: dict[str, Any]
) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> None:
        async with browser(secret, "/inbox", draft="k") as call:
            await Window(call).open()
            await call(FirstComposer, handler, **payload)

    before = service.store.count({})
    asyncio.run(calls())
    assert service.store.count({}) == before


def test_the_mail_of_another_person_is_answered_like_one_that_is_not_there(service: Service) -> None:
    service.model.mailboxes.file("eve", "1", b"From: g@example.com\r\nSubject: private\r\n\r\nprivate", 0.0)
    (mail,) = service.model.mailboxes.page("eve", MailboxName.INBOX).mails
    _, secret = service.model.log_in("ada", PASSWORD)

    async def opened(id: int) -> dict[str, Any]:
        async with browser(secret, "/inbox", mail=str(id)) as call:
            return merged(await call(ArrivalState, "at_list"), MessageState)

    foreign, absent = asyncio.run(opened(mail.id)), asyncio.run(opened(10**9))
    assert foreign["missing"] == absent["missing"] != ""
    assert "private" not in repr(foreign)


def test_two_mails_clicked_in_a_row_then_the_first_never_covers_the_second(service: Service) -> None:
    for subject in ("one", "two"):
        service.model.mailboxes.file(
            "ada", subject, f"From: g@example.com\r\nSubject: {subject}\r\n\r\n".encode(), 0.0
        )
    ids = {mail.subject: mail.id for mail in service.model.mailboxes.page("ada", MailboxName.INBOX).mails}
    _, secret = service.model.log_in("ada", PASSWORD)
    click, load = name_of(ArrivalState, "open"), name_of(OnLoadInternalState, "on_load_internal")
    shown: list[str] = []

    class Page:
        async def emit_update(self, update: Any, token: str) -> None:
            if subject := merged([update.delta], MessageState).get("subject"):
                shown.append(subject)

    def event(name: str, at: str, **payload: Any) -> Event:
        """An event of a browser whose address names this mail."""
        router = router_of(secret, "/inbox", {"mail": str(ids[at])} if at else {})
        return Event(name=name, payload=payload, router_data=router)

    async def calls() -> list[list[str]]:
        processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=None).configure(
            state_manager=app.state_manager,
            event_namespace=Page(),  # type: ignore[arg-type]
        )
        told: list[list[str]] = []
        async with processor:
            with app.set_contexts():
                for events in (
                    [event(name_of(State, "hydrate"), at="")],
                    # The page of the first is asked for, and the second is clicked before that is looked up.
                    [
                        event(click, at="", id=ids["one"], is_plain=True),
                        event(load, at="one"),
                        event(click, at="one", id=ids["two"], is_plain=True),
                    ],
                    [event(load, at="two")],
                    [event(load, at="one")],  # back
                ):
                    for future in await processor.enqueue_many(f"token-{secret}", *events):
                        await future.wait_all()
                    told.append(shown.copy())
                    shown.clear()
        return told

    assert asyncio.run(calls()) == [[], ["one", "two"], [], ["one"]]


def test_a_log_out_elsewhere_bites_at_the_next_event(service: Service) -> None:
    _, secret = service.model.log_in("ada", PASSWORD)

    async def calls() -> tuple[dict[str, Any], dict[str, Any]]:
        async with browser(secret) as call:
            before = merged(await call(ArrivalState, "at_list"), SessionState)
            service.model.sessions.close(secret)
            return before, merged(await call(ArrivalState, "at_list"), MailboxState)

    before, after = asyncio.run(calls())
    assert before["address"] == "ada@localhost"
    assert "rows" not in after


@pytest.mark.parametrize(("fault", "logged"), [(None, []), (ValueError("broken"), ["ValueError"])])
def test_what_a_page_sends_while_the_server_stops_is_no_fault(
    fault: Exception | None,
    logged: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hear(_sid: str, _data: str) -> None:
        if fault is not None:
            raise fault
        processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=None).configure(
            state_manager=app.state_manager
        )
        async with processor:
            pass
        await processor.enqueue("token", Event(name=name_of(KeysState, "press"), payload={"key": "?"}))

    assert app.sio is not None
    monkeypatch.setitem(app.sio.eio.handlers, "message", hear)
    asyncio.run(app.sio.eio._trigger_event("message", "sid", "anything"))
    assert [record.exc_info[0].__name__ for record in caplog.records if record.exc_info] == logged
