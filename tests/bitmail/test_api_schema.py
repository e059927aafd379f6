"""The HTTP API against its own description: schemathesis asks for all that the description allows, and for what it does
not allow, of the real app on a socket.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig

from bitmail.api import catalogue
from bitmail.mailboxes import MailboxName
from bitmail.model import MailModel
from bitmail.rates import Paces
from bitmail.service import Service
from bitmail.tokens import Scope
from mta.incoming import IncomingMail
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD, listening, make_service
from tests.bitmail.test_reading import MAIL

ADDRESS = "grace@example.com"
RAW = f"From: ada@localhost\r\nTo: {ADDRESS}\r\nSubject: S\r\n\r\nx".encode()
SEEN: set[tuple[str, str]] = set()
"""Which operations answered with which statuses."""
CONFIG = SchemathesisConfig.from_dict(
    {
        "operations": [
            {
                "include-name": "POST /api/sendmail",
                # What an address is, and that a mail needs one, a schema cannot say.
                "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "409", "422"]}},
            },
            {
                "include-name": "POST /api/webhooks",
                # Nor which statuses a webhook can be told, and that an address has to be in the open net.
                "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "422"]}},
            },
        ],
    }
)


@dataclass
class Running:
    """The app, and what ada has in it."""

    url: str
    service: Service
    token: str
    named: dict[str, Iterator[Any]]


seconds = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    service = make_service(tmp_path_factory.mktemp("var"), webhooks_to_loopback="on")
    service.start()
    # Calls do not wait: how fast one may call has tests of its own.
    service.paces = Paces(lambda: next(seconds))
    model = service.model
    author, _ = model.log_in("ada", PASSWORD)
    for number in range(60):
        model.receive(IncomingMail(str(number), ADDRESS, "ada@localhost", MAIL, 1.8e9))
    ids = [mail.id for mail in model.mailboxes.page("ada", MailboxName.INBOX).mails]
    model.mailboxes.move("ada", ids[:30], MailboxName.TRASH)
    model.folders.create("ada", "Receipts")
    sent = model.outbox.send_raw(author, "first", RAW)
    model.suppressions.add("ada", "bob@example.com", Status.BOUNCED, "No such user.")
    with listening(service) as url:
        yield Running(
            url,
            service,
            model.make_token("ada", "all", Scope, 1),
            {
                "id": itertools.cycle(ids),
                "submission": itertools.repeat(sent.submission.id),
                "mailbox": itertools.cycle(["INBOX", "Trash", "Sent", "Archive"]),
                "webhook": (_webhook(model) for _ in itertools.count()),
                "number": itertools.cycle("0123"),
                "address": itertools.cycle(["bob@example.com", "nobody@example.com"]),
            },
        )
    service.stop()


def _webhook(model: MailModel) -> int:
    """A webhook, the only one, that nobody listens at."""
    for one in model.webhooks.of("ada"):
        model.end_webhook("ada", one.id)
    return model.make_webhook("ada", "http://127.0.0.1:9/x")[0].id


schema = schemathesis.openapi.from_dict(catalogue.document(), config=CONFIG)
schemathesis.openapi.media_type("message/rfc822", st.just(RAW) | st.binary(max_size=300))


@schema.parametrize()
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_every_operation_when_asked_as_described_and_otherwise_then_answers_as_described(
    case: schemathesis.Case, running: Running
) -> None:
    _make_real(case, running)
    answer = case.call_and_validate(base_url=running.url, timeout=20, **_proof(case, running))
    SEEN.add((case.operation.label, str(answer.status_code)))


def test_operations_were_all_done_and_not_only_refused() -> None:
    done = {
        (f"{method.upper()} {path}", next(iter(operation["responses"])))
        for path, methods in catalogue.document()["paths"].items()
        for method, operation in methods.items()
    }
    assert done <= SEEN


def _about(case: schemathesis.Case) -> str:
    """What a case is to show, where it says so."""
    phase = case.meta.phase.data if case.meta else None
    return getattr(phase, "description", None) or ""


def _proof(case: schemathesis.Case, running: Running) -> dict[str, Any]:
    """By what the caller is known, unless that is what the case leaves out or gets wrong."""
    if "Authorization" in _about(case):
        return {}
    path = case.operation.path
    if path == "/api/login":
        return {"auth": ("ada", PASSWORD)}
    secret = running.service.model.sessions.open("ada") if path == "/api/logout" else running.token
    return {"headers": {"Authorization": f"Bearer {secret}"}}


def _make_real(case: schemathesis.Case, running: Running) -> None:
    """Have cases that are as described name what is there, where a description cannot."""
    if "in path" in _about(case):
        return
    parts = case.meta.components.values() if case.meta else ()
    if any(part.mode is not schemathesis.GenerationMode.POSITIVE for part in parts):
        return
    for name in case.path_parameters or {}:
        kind = {"submissions": "submission", "webhooks": "webhook"}.get(
            case.operation.path.split("/")[2], name
        )
        case.path_parameters[name] = str(next(running.named[kind]))
    if case.operation.label == "DELETE /api/mails/{id}":  # only what lies in Trash can be deleted
        running.service.model.mailboxes.move("ada", [int(case.path_parameters["id"])], MailboxName.TRASH)
    if isinstance(case.body, dict) and "to" in case.body:
        case.body = case.body | {"to": ADDRESS}  # what is there may be the description's own example
    if isinstance(case.body, dict) and "url" in case.body:
        case.body = case.body | {"url": "https://example.com/y"}
        for webhook in running.service.model.webhooks.of("ada"):
            running.service.model.end_webhook("ada", webhook.id)
