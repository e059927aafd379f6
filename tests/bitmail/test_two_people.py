"""Two people, and everything that a client may call: what is the other's is answered like what is not there."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from reflex_base.event import Event
from reflex_base.event.processor.base_state_processor import BaseStateEventProcessor
from reflex_base.registry import RegistrationContext
from starlette.routing import Route

from bitmail.bitmail import app, http
from bitmail.current import SESSION_COOKIE
from bitmail.drafts import Draft, new_key
from bitmail.gate import public_events, refused_events
from bitmail.mailboxes import MailboxName
from bitmail.routes import HOOKS
from bitmail.service import Service
from bitmail.tokens import Scope
from mta.incoming import IncomingMail
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD
from tests.bitmail.test_controller import OFFERED
from tests.bitmail.test_reading import MAIL
from tests.mta.scripted import wait_until

Api = Callable[[], httpx.AsyncClient]

PUBLIC_ROUTES = frozenset(
    (
        *("/api/alive", "/api/version", "/api/login", "/enter", "/enter/code", "/leave"),
        *("/api/openapi.json", "/api/docs"),
        # Each hook proves on its own who calls.
        *(f"{HOOKS}/{name}" for name in ("ses", "sendgrid", "mailgun", "mailgun/incoming")),
        *(f"{HOOKS}/{name}" for name in ("mailgun/incoming/mime", "sendgrid/incoming")),
    )
)
"""Routes that answer without a session."""
GUARDED_ROUTES = frozenset(
    (
        *("/api/logout", "/api/sendmail", "/api/submissions/{id}", "/api/suppressions"),
        *("/api/mailboxes", "/api/mailboxes/{mailbox}", "/api/mails/{id}", "/api/mails/{id}/raw"),
        "/api/mails/{id}/attachments/{number}",
        *("/api/webhooks", "/api/webhooks/{id}", "/api/webhooks/{id}/test", "/api/webhooks/{id}/on"),
        *("/api/suppressions/{address:text}", "/account/password", "/account/delete", "/account/mbox"),
        *("/mail/{id}/view", "/mail/{id}/file/{number}", "/mail/{id}/files", "/mail/{id}/message"),
        "/mail/{id}/source",
        *("/contacts.vcf", "/contacts.csv", "/_upload"),
    )
)
"""Routes that answer nothing without one."""
SECRET = "the private words"
ONE, OTHER = "annika", "anneke"
"""Two people whose pages differ in nothing but their names."""
ABSENT = 900_000_000
FIELDS = (
    *("name", "draft", "key", "to", "cc", "bcc", "subject", "text", "q", "id", "mail", "code", "password"),
    *("send", "folder", "address", "email", "file", "number", "group"),
)
"""Fields of the forms, so that each carries the id in question."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something of another person's, or something like it that does not exist."""

    kind: str
    theirs: str
    absent: str


def things(service: Service) -> list[Thing]:
    """One of each kind of thing that eve has, beside an id of that kind that nobody has."""
    model = service.model
    author = model.log_in("eve", PASSWORD)[0]
    raw = MAIL.replace(b"Subject: Files", f"Message-ID: <m@example.com>\r\nSubject: {SECRET}".encode())
    model.receive(IncomingMail("1", "grace@example.com", "eve@localhost", raw, 1.8e9))
    (mail,) = model.mailboxes.page("eve", MailboxName.INBOX).mails
    folder = model.folders.create("eve", SECRET)
    model.make_token("eve", SECRET, [Scope.READ], 30)
    # Told of what does not happen here, so that nobody is called.
    where = f"https://example.com/{SECRET.replace(' ', '-')}"
    webhook, _ = model.make_webhook("eve", where, [Status.COMPLAINED])
    draft = Draft("draft-key-there", to="grace@example.com", subject=SECRET, text=SECRET)
    model.drafts.save("eve", draft)
    drafted = model.mailboxes.page("eve", MailboxName.DRAFTS).mails[0]
    sent = model.outbox.send(author, Draft(new_key(), to="grace@example.com", subject=SECRET))
    model.suppressions.add("eve", "bob@example.com", sent.submission.deliveries[0].status, SECRET)
    (lifted,) = model.suppressions.page("eve", None)
    numbers = map(str, itertools.count(ABSENT))
    # What a mail goes through by itself is over when nothing of it is left to change.
    wait_until(
        lambda: model.mailboxes.unread("eve") == 2 and not service.store.get({"user": "eve", "indexed": "0"})
    )
    return [
        Thing("mail", str(mail.id), next(numbers)),
        Thing("mail that was sent", str(sent.id), next(numbers)),
        Thing("mail that is written", str(drafted.id), next(numbers)),
        Thing("folder", str(folder.id), next(numbers)),
        Thing("place", folder.place, f"folder-{ABSENT}"),
        Thing("session", str(model.sessions.of("eve")[0].id), next(numbers)),
        Thing("token", str(model.tokens.of("eve")[0].id), next(numbers)),
        Thing("webhook", str(webhook.id), next(numbers)),
        Thing("suppression", str(lifted.id), next(numbers)),
        Thing("draft", draft.key, "draft-key-other"),
        Thing("submission", sent.submission.id, like(sent.submission.id)),
        Thing("delivery", sent.submission.deliveries[0].id, like(sent.submission.deliveries[0].id)),
        Thing("thread", mail.thread, like(mail.thread)),
        Thing("suppressed address", "bob@example.com", "bab@example.com"),
    ]


def like(id: str) -> str:
    """An id that looks like this one."""
    return id[:-1] + ("1" if id[-1] == "0" else "0")


def handlers() -> Iterator[tuple[str, Any]]:
    """Every handler that asks who is calling, as the registry has it."""
    for name, registered in sorted(RegistrationContext.get().event_handlers.items()):
        if name not in public_events() and any(name in offered_by(state) for state in OFFERED):
            yield name, registered.handler


def offered_by(state: Any) -> set[str]:
    return {f"{state.get_full_name()}.{name}" for name in OFFERED[state]}


def payload(handler: Any, value: str) -> dict[str, Any]:
    """Arguments for a handler, each of which names the thing in question."""
    return {
        name: _argument(str(parameter.annotation), value)
        for name, parameter in list(inspect.signature(handler.fn).parameters.items())[1:]
    }


def _argument(annotation: str, value: str) -> Any:
    if annotation.startswith("dict"):
        return dict.fromkeys(FIELDS, value)
    if annotation.startswith("list"):
        return [_argument(annotation.removeprefix("list[").removesuffix("]"), value)]
    if annotation == "bool":
        return False
    return int(value) if annotation == "int" and value.isdecimal() else value


def told(answer: object, me: str, found: list[Thing]) -> str:
    """An answer without what differs between any two people: their names, the id itself, and random words."""
    words = re.sub(rf"\b{me}\b", "ME", repr(answer), flags=re.IGNORECASE)
    for thing in found:
        if thing.kind in ("draft", "submission", "delivery", "thread", "suppressed address"):
            words = words.replace(thing.theirs, "N").replace(thing.absent, "N")
    words = re.sub(r"data:image[^']*|[A-Za-z0-9_-]{20,}", "RANDOM", words)
    return re.sub(r"\d+", "N", words)


def belongings(service: Service) -> list[tuple[int, dict[str, str]]]:
    """All that the store and the spool have of eve."""
    entries = [
        (entry.id, dict(entry.data))
        for whose in ({"user": "eve"}, {"webhooks of": "eve"})
        for entry in service.store.get(whose)
    ]
    submissions = [mail.submission for mail in service.model.mailboxes.page("eve", MailboxName.SENT).mails]
    found = service.model.submissions("eve", submissions)
    return [
        *entries,
        *((0, {id: repr([one.status for one in sent.deliveries])}) for id, sent in found.items()),
    ]


def test_every_handler_and_every_route_is_public_or_guarded() -> None:
    offered = set().union(*(offered_by(state) for state in OFFERED))
    registered = set(RegistrationContext.get().event_handlers)
    assert registered == offered | public_events() | refused_events()
    assert not offered & refused_events()
    assert {name.rpartition(".")[2] for name in refused_events()} == {
        *("setvar", "update_vars_internal", "handle_frontend_exception"),
    }
    routes = [route for route in http.routes if isinstance(route, Route)]
    assert {route.path for route in routes} - PUBLIC_ROUTES == GUARDED_ROUTES
    assert app._api is not None
    assert {getattr(route, "path", "") for route in app._api.routes} <= {
        "/ping",
        "/_health",
        "/_event",
        "/_upload",
        "",
    }


async def _tell_all(service: Service, me: str, found: list[Thing], absent: bool) -> dict[str, str]:
    """What every handler answers to a person who names these things, by handler and kind of thing."""
    said: dict[str, str] = {}
    processor = BaseStateEventProcessor(middleware=app, backend_exception_handler=None).configure(
        state_manager=app.state_manager
    )
    async with processor:
        with app.set_contexts():
            for thing in found:
                value = thing.absent if absent else thing.theirs
                query = dict.fromkeys(("mail", "id", "draft", "thread", "before", "mailto", "reply"), value)
                secret = service.model.sessions.open(me)
                for path in ("/inbox", "/folder", "/compose"):
                    url = f"{path}?{'&'.join(f'{key}={value}' for key, value in query.items())}"
                    router = {
                        "headers": {"cookie": f"{SESSION_COOKIE}={secret}", "origin": "http://mail.test"},
                        "pathname": path,
                        "asPath": url,
                        "query": query,
                    }
                    # Pages are opened first, so that what follows acts on what the address names.
                    every = sorted(handlers(), key=lambda one: not one[0].endswith((".enter", ".open")))
                    for name, handler in every:
                        if name.endswith((".end_second_factor", ".create_folder")):
                            continue  # they take a password, a name, and no id; what they answer varies
                        event = Event(name=name, payload=payload(handler, value), router_data=router)
                        token = f"token-{me}-{thing.kind}-{path}"
                        answers = [delta async for delta in processor.enqueue_stream_delta(token, event)]
                        assert SECRET not in repr(answers), (name, thing.kind)
                        said[f"{name} of a {thing.kind} at {path}"] = told(answers, me, found)
    return said


def test_what_is_another_persons_is_answered_by_every_handler_like_what_is_not_there(
    service: Service,
) -> None:
    found = things(service)
    for name in (ONE, OTHER):
        service.model.log_in(name, PASSWORD)
    before = belongings(service)
    theirs = asyncio.run(_tell_all(service, ONE, found, absent=False))
    assert belongings(service) == before
    absent = asyncio.run(_tell_all(service, OTHER, found, absent=True))
    assert len(theirs) > 500
    different = {name: (theirs[name], absent[name]) for name in theirs if theirs[name] != absent[name]}
    assert not different, "\n".join(f"{name}\n  {one}\n  {other}" for name, (one, other) in different.items())


def test_what_is_another_persons_is_answered_by_every_route_like_what_is_not_there(
    service: Service, api: Api
) -> None:
    found = things(service)
    named = [route for route in http.routes if isinstance(route, Route) and "{" in route.path]
    assert len(named) >= 6

    async def calls() -> int:
        count = 0
        async with api() as client:
            secret = service.model.log_in(ONE, PASSWORD)[1]
            client.cookies.set(SESSION_COOKIE, secret)
            client.headers["Authorization"] = f"Bearer {secret}"
            for route in named:
                for thing in found:
                    for method in sorted(route.methods or ()):
                        answers = []
                        for value in (thing.theirs, thing.absent):
                            path = re.sub(r"\{id\}|\{key\}|\{mailbox\}|\{address:text\}", value, route.path)
                            path = re.sub(r"\{[^}]*\}", "0", path)
                            body = {"starred": True} if method == "PATCH" else {"id": value}
                            answer = await client.request(method, path, json=body)
                            assert SECRET not in answer.text
                            answers.append((answer.status_code, told(answer.text, ONE, found)))
                        assert answers[0] == answers[1], (route.path, thing.kind)
                        assert answers[0][0] >= 400, (route.path, thing.kind)
                        count += 1
        return count

    before = belongings(service)
    assert asyncio.run(calls()) > 50
    assert belongings(service) == before


@pytest.mark.parametrize("credential", ["none", "another's old one"])
def test_no_guarded_route_answers_without_a_session(service: Service, api: Api, credential: str) -> None:
    things(service)
    ended = service.model.log_in(ONE, PASSWORD)[1]
    service.model.sessions.close(ended)

    async def calls() -> int:
        count = 0
        async with api() as client:
            if credential != "none":
                client.cookies.set(SESSION_COOKIE, ended)
                client.headers["Authorization"] = f"Bearer {ended}"
            for route in http.routes:
                assert isinstance(route, Route)
                if route.path in PUBLIC_ROUTES:
                    continue
                path = re.sub(r"\{[^}]*\}", "1", route.path)
                for method in sorted((route.methods or set()) - {"HEAD"}):
                    answer = await client.request(method, path)
                    refused = (
                        answer.status_code in (401, 403, 404) or answer.headers.get("location") == "/login"
                    )
                    assert refused, (method, path, answer.status_code)
                    assert SECRET not in answer.text
                    count += 1
        return count

    before = service.store.count({})
    assert asyncio.run(calls()) >= 10
    assert service.store.count({}) == before
