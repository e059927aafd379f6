"""The description of the HTTP API: complete, the same for programs and people, and its calls by curl are real ones."""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator

from bitmail.api import catalogue
from bitmail.api.operations import AnyOperation
from bitmail.api.refusals import MODELS
from bitmail.bitmail import http
from bitmail.mailboxes import PAGE as MAILS_A_PAGE
from bitmail.mailboxes import MailboxName
from bitmail.rates import PER_SECOND
from bitmail.service import Service
from bitmail.shield import BODY_LIMIT
from bitmail.tokens import MAY
from mta.incoming import IncomingMail
from mta.outcomes import Status
from tests.bitmail.conftest import PASSWORD, listening, make_service
from tests.bitmail.test_reading import MAIL

Api = Callable[[], httpx.AsyncClient]
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def described() -> Iterator[tuple[str, str]]:
    for path, methods in catalogue.document()["paths"].items():
        for method in methods:
            yield method.upper(), path


def test_every_route_when_served_then_described_and_the_other_way_round() -> None:
    served = {
        (method, re.sub(r":\w+}", "}", path))
        for route in http.routes
        if (path := getattr(route, "path", "")).startswith("/api")
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    assert served == set(described())


def test_document_when_served_then_whole_and_as_the_page_says(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            document = (await client.get("/api/openapi.json")).json()
            assert document == catalogue.document()
            assert document["openapi"] == "3.1.0"
            names = {
                name.rpartition("/")[2] for name in re.findall(r"#/components/\w+/\w+", json.dumps(document))
            }
            assert names <= set(document["components"]["schemas"])
            for schema in document["components"]["schemas"].values():
                Draft202012Validator.check_schema(schema)
            page = (await client.get("/api/docs")).text
            for operation in catalogue.operations():
                assert html.escape(operation.summary) in page
                assert f'id="{operation.name}"' in page

    asyncio.run(calls())


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names = set[str]()
        self.loaded = list[str]()
        self.ids = list[str]()
        self.targets = set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name == "src" or (name == "href" and tag == "link"):
                self.loaded.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and (value or "").startswith("#"):
                self.targets.add((value or "")[1:])


def test_page_when_shown_then_without_scripts_and_its_links_lead_somewhere(api: Api) -> None:
    async def calls() -> None:
        async with api() as client:
            answer = await client.get("/api/docs", headers={"Host": '"><script>x()</script>'})
            tags = _Tags()
            tags.feed(answer.text)
            assert "script" not in tags.names
            assert all(re.fullmatch(r"/[a-z.]+", address) for address in tags.loaded)
            assert len(tags.ids) == len(set(tags.ids))
            assert tags.targets <= set(tags.ids)
            assert "script-src" not in answer.headers["content-security-policy"]
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")

    asyncio.run(calls())


@pytest.fixture
def person(tmp_path: Path) -> Iterator[tuple[Service, str, dict[str, str]]]:
    """A service on a socket, and what the variables in the examples stand for."""
    service = make_service(tmp_path / "var", webhooks_to_loopback="on")
    service.start()
    model = service.model
    author, _ = model.log_in("ada", PASSWORD)
    model.receive(IncomingMail("1", "grace@example.com", "ada@localhost", MAIL, 1.8e9))
    (mail,) = model.mailboxes.page("ada", MailboxName.INBOX).mails
    sent = model.outbox.send_raw(author, "zero", b"From: ada@localhost\r\nTo: grace@example.com\r\n\r\nx")
    webhook, _ = model.make_webhook("ada", "http://127.0.0.1:9/hook")
    model.suppressions.add("ada", "bob@example.org", Status.BOUNCED, "No such user.")
    variables = {
        "NAME": "ada",
        "PASSWORD": PASSWORD,
        "ID": str(mail.id),
        "NUMBER": "0",
        "MAILBOX": "INBOX",
        "SUBMISSION": sent.submission.id,
        "ADDRESS": "bob@example.org",
        "WEBHOOK": str(webhook.id),
        "FILE": "file",
    }
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.4 report")
    (tmp_path / "mail.eml").write_bytes(
        b"From: ada@localhost\r\nTo: grace@example.com\r\nSubject: Ready made\r\n\r\nx"
    )
    (tmp_path / ".curlrc").write_text('silent\nwrite-out = "%{stderr}%{http_code}"\n')
    with listening(service) as url:
        yield service, url, variables
    service.stop()


def test_every_call_by_curl_when_made_as_the_page_shows_it_then_done(
    person: tuple[Service, str, dict[str, str]], tmp_path: Path
) -> None:
    service, url, variables = person
    page = httpx.get(f"{url}/api/docs").text
    shown = {
        name: [html.unescape(call) for call in re.findall(r"<pre[^>]*>(.*?)</pre>", part, re.DOTALL)]
        for name, part in re.findall(r'<article id="([a-z]+)".*?\n(.*?)</article>', page, re.DOTALL)
    }
    assert set(shown) >= {operation.name for operation in catalogue.operations()}
    for number, operation in enumerate(_in_order()):
        calls = shown[operation.name]
        assert len(calls) == max(1, len(operation.bodies)), (operation.name, calls)
        if operation.name == "erase":
            service.model.mailboxes.move("ada", [int(variables["ID"])], MailboxName.TRASH)
        for call in calls:
            assert call.endswith(f'{url}{_in_shell(operation)}"')
            secret = service.model.sessions.open("ada")
            key = f"key-{number}-{calls.index(call)}"
            done = subprocess.run(
                ["sh", "-ec", call],
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SESSION": secret, "KEY": key}
                | variables,
                capture_output=True,
                timeout=30,
                check=True,
            )
            assert done.stderr.decode() == str(int(operation.status)), (call, done.stdout)
            _check(operation, service, done.stdout, tmp_path)
    subjects = {mail.subject for mail in service.model.mailboxes.page("ada", MailboxName.SENT).mails}
    assert subjects == {"Report", "Ready made", ""}


def _in_order() -> list[AnyOperation]:
    """All operations, what deletes last."""
    return sorted(catalogue.operations(), key=lambda operation: operation.method == "DELETE")


def _in_shell(operation: AnyOperation) -> str:
    path = re.sub(r":\w+}", "}", operation.path)
    for name, parameter in operation.path_parameters.items():
        path = path.replace(f"{{{name}}}", f"${parameter.variable}")
    return path


def _check(operation: AnyOperation, service: Service, said: bytes, folder: Path) -> None:
    """What came is what the operation answers, and what it does was done."""
    match operation.name:
        case "raw":
            assert (folder / "file").read_bytes() == MAIL
        case "attachment":
            assert (folder / "file").read_bytes() == service.model.mailboxes.content(
                "ada", service.model.mailboxes.page("ada", MailboxName.ARCHIVE).mails[0].id
            ).attachments[0].content
        case "logout" | "switchonwebhook":
            assert said == b""
        case "lift":
            assert service.model.suppressions.page("ada") == []
        case "endwebhook":
            assert [one.url for one in service.model.webhooks.of("ada")] == ["https://example.com/told"]
        case "erase":
            assert service.model.mailboxes.count("ada", MailboxName.TRASH) == 0
        case "docs":
            assert said.startswith(b"<!doctype html>")
        case _:
            operation.answer.model_validate_json(said)


def test_page_for_users_when_its_commands_are_run_then_done(
    person: tuple[Service, str, dict[str, str]], tmp_path: Path
) -> None:
    service, url, variables = person
    (tmp_path / ".curlrc").unlink()
    script = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("http://127.0.0.1:3000", url)
    done = subprocess.run(
        ["sh", "-ec", script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | variables,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert b'"submission"' in done.stdout
    assert b'"mailboxes"' in done.stdout
    assert b'"subject":"Files"' in done.stdout
    assert service.model.mailboxes.count("ada", MailboxName.SENT) == 2


def test_page_for_users_when_it_tells_limits_and_scopes_then_those_that_are() -> None:
    assert f"faster than {PER_SECOND:.0f} times a second" in PAGE
    assert f"may carry {BODY_LIMIT // 1024**2} MB" in PAGE
    assert f"{MAILS_A_PAGE} mails a page" in PAGE
    for scope, words in MAY.items():
        assert f"| {words} |" in PAGE, scope
    for status in MODELS:
        assert f"| {int(status)} |" in PAGE
