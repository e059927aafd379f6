"""The container's own server, in a process of its own and over a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr
from sqlalchemy import select, text

from mta.claim import Result
from mta.configuration import ConfigurationError, MtaSettings, read_settings
from mta.container import Container
from mta.desk import Desk
from mta.events import Event, EventKind
from mta.eventstream import BEHIND, REMEMBERED, EventStream
from mta.incoming import IncomingTray
from mta.intake import Intake
from mta.metrics import Metrics
from mta.outcomes import Outcome, Status
from mta.server import ContainerServer
from mta.tables import deliveries
from store import Database
from tests.e2e.server import ROOT, Sender
from tests.migrated import SPOOL, migrated
from tests.mta.scripted import PATIENCE, Scripted, wait_until
from tests.store.conftest import serving

SECRET = "a secret that nobody guesses"
MAIL = {"From": "ada@example.com", "To": "grace@example.com", "Subject": "Report"}


def wire(headers: dict[str, Any] | None = None, content: str = "Hello\n") -> dict[str, Any]:
    return {"Headers": MAIL | (headers or {}), "Content": base64.b64encode(content.encode()).decode()}


class Running:
    """One `python -m mta`, whoever talks to it, and its spool."""

    def __init__(self, var: Path, **settings: str) -> None:
        self.process = Sender(var, BITMAIL_CONTAINER_SECRET=SECRET, **settings)
        self.process.start()
        self.http = httpx.Client(
            base_url=self.process.url, headers={"Authorization": f"Bearer {SECRET}"}, timeout=PATIENCE
        )
        self.database = Database(f"sqlite:///{var / 'bitmail.db'}")
        self.desk = Desk(self.database)

    def statuses(self, submission: str) -> list[Status]:
        found = self.desk.submission(submission)
        assert found is not None
        return [delivery.status for delivery in found.deliveries]

    def close(self) -> None:
        self.http.close()
        self.database.close()
        self.process.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("var"))
    yield running
    running.close()
    assert running.process.wait() == 0
    assert not running.process.errors()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(**settings: str) -> Running:
        started.append(Running(tmp_path / "var", **settings))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_sendmail_when_a_mail_comes_in_json_then_accepted_and_sent_without_its_bcc(running: Running) -> None:
    answer = running.http.post("/sendmail", json=wire({"Bcc": "bob@example.net"}))
    assert answer.status_code == 202, answer.text
    submission = answer.json()["submission"]
    wait_until(lambda: running.statuses(submission) == [Status.SENT] * 2)
    tray = IncomingTray(running.database)
    came_back = [tray.mail(id) for id in tray.ids("", 100) if submission in id]
    assert sorted(mail.sender for mail in came_back if mail) == ["bob@example.net", "grace@example.com"]
    assert all(b"Hello" in mail.raw for mail in came_back if mail)
    assert b"bob@" not in b"".join(
        mail.raw for mail in came_back if mail and mail.sender != "bob@example.net"
    )


def test_sendmail_when_a_finished_mail_comes_with_an_envelope_then_that_counts(running: Running) -> None:
    raw = b"From: ada@example.com\r\nTo: everybody@example.org\r\nSubject: x\r\n\r\nx\r\n"
    answer = running.http.post(
        "/sendmail",
        params={"sender": "list@example.com", "recipient": ["bob@example.net", "eve@example.org"]},
        content=raw,
        headers={"Content-Type": "message/rfc822"},
    )
    assert answer.status_code == 202, answer.text
    found = running.desk.submission(answer.json()["submission"])
    assert found is not None
    assert found.sender == "list@example.com"
    assert [one.recipient for one in found.deliveries] == ["bob@example.net", "eve@example.org"]


def test_sendmail_when_the_key_comes_again_then_one_submission_and_never_another_mail(
    running: Running,
) -> None:
    def post(content: str) -> httpx.Response:
        return running.http.post("/sendmail", json=wire(content=content), headers={"Idempotency-Key": "one"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, ["same\n"] * 8))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["submission"] for answer in answers}) == 1
    other = post("other\n")
    assert other.status_code == 409
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("headers", "field"),
    [({"Subject": "x\r\nBcc: eve@example.org"}, "Subject"), ({"To": "grace"}, "To"), ({"From": ""}, "From")],
)
def test_sendmail_when_a_header_is_wrong_then_422_naming_it(
    running: Running, headers: dict[str, str], field: str
) -> None:
    answer = running.http.post("/sendmail", json=wire(headers))
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["errors"][0].keys() == {"field", "value", "reason"}


def test_sendmail_when_the_key_has_another_form_or_the_body_is_empty_then_422(running: Running) -> None:
    bad = running.http.post("/sendmail", json=wire(), headers={"Idempotency-Key": "a b"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert running.http.post("/sendmail").status_code == 422


@pytest.mark.parametrize("path", ["/sendmail", "/metrics", "/events"])
@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer a secret that nobody guesse", "Basic YTpi", "Bearer ü"]
)
def test_secret_when_it_is_not_known_then_401(running: Running, path: str, given: str) -> None:
    method = "POST" if path == "/sendmail" else "GET"
    headers = [(b"authorization", given.encode())] if given else []
    answer = httpx.request(method, running.process.url + path, headers=headers)
    assert answer.status_code == 401
    assert SECRET not in answer.text


def test_health_when_anybody_asks_then_states_and_the_rest_for_those_who_know_the_secret(
    running: Running,
) -> None:
    stranger = httpx.get(f"{running.process.url}/health")
    assert (stranger.status_code, stranger.json()["in_service"]) == (200, True)
    assert stranger.json()["providers"] == [{"name": "loopback", "state": "in service", "until": None}]
    assert running.http.get("/health").json()["providers"][0].keys() > {"error", "counts"}
    for path in ("/health/live", "/health/ready"):
        assert httpx.get(running.process.url + path).json() == {"status": "ok"}


def test_metrics_when_a_mail_was_sent_then_it_is_in_them(running: Running) -> None:
    submission = running.http.post("/sendmail", json=wire()).json()["submission"]
    wait_until(lambda: running.statuses(submission) == [Status.SENT])
    running.http.post("/sendmail", content=b"{")

    def shown() -> dict[str, float]:
        lines = running.http.get("/metrics").text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    wait_until(lambda: shown().get('bitmail_attempts_total{outcome="accepted",provider="loopback"}', 0) >= 1)
    found = shown()
    assert found["bitmail_accepted_mails_total"] >= 1
    assert found['bitmail_refused_requests_total{status="422"}'] >= 1
    assert found['bitmail_attempt_seconds_bucket{le="+Inf",provider="loopback"}'] >= 1
    assert found['bitmail_queue_deliveries{status="deferred"}'] == 0
    assert found["bitmail_queue_oldest_seconds"] >= 0
    assert found['bitmail_provider_state{provider="loopback",state="in service"}'] == 1
    assert found['bitmail_provider_state{provider="loopback",state="out"}'] == 0


def read_events(lines: Iterator[str], count: int) -> list[tuple[str, dict[str, Any]]]:
    """So many events with their ids."""
    found: list[tuple[str, dict[str, Any]]] = []
    id = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            id = value
        elif name == "data":
            found.append((id, json.loads(value)))
            if len(found) == count:
                break
    return found


def test_events_when_a_mail_is_sent_then_told_and_told_again_after_the_last_one_that_came(
    running: Running,
) -> None:
    with running.http.stream("GET", "/events") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        lines = stream.iter_lines()
        assert next(lines) == ": hello"
        submission = running.http.post("/sendmail", json=wire()).json()["submission"]
        first, second = read_events(lines, 2)
    assert first[1]["submission_id"] == second[1]["submission_id"] == submission
    assert {first[1]["kind"], second[1]["kind"]} == {"OK", "INFORM_USER"}
    with running.http.stream("GET", "/events", headers={"Last-Event-ID": first[0]}) as stream:
        assert read_events(stream.iter_lines(), 1) == [second]
    with running.http.stream("GET", "/events", headers={"Last-Event-ID": "earlier-17"}) as stream:
        lines = stream.iter_lines()
        assert any(read_events(lines, 1) == [first] for _ in range(REMEMBERED))


def test_settings_when_the_secret_is_short_then_refused_by_name_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BITMAIL_CONTAINER_SECRET", "short-secret")
    with pytest.raises(ConfigurationError, match="BITMAIL_CONTAINER_SECRET") as refused:
        read_settings(MtaSettings)
    assert "short-secret" not in str(refused.value)


class SlowRelay:
    """Takes a mail when it is told to."""

    def __init__(self) -> None:
        self.has_one = threading.Event()
        self.may_answer = threading.Event()
        self.taken = 0

    async def handle_DATA(self, *_: object) -> str:  # noqa: N802
        self.has_one.set()
        await asyncio.get_running_loop().run_in_executor(None, self.may_answer.wait, PATIENCE)
        self.taken += 1
        return "250 2.0.0 taken"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_sigterm_when_a_mail_is_in_flight_then_it_is_finished_and_the_others_wait_without_a_lease(
    start: Callable[..., Running],
) -> None:
    relay = SlowRelay()
    controller = Controller(relay, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        running = start(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{controller.port}?concurrency=1")
        submissions = [running.http.post("/sendmail", json=wire()).json()["submission"] for _ in range(3)]
        assert relay.has_one.wait(PATIENCE)
        ended = threading.Thread(target=running.process.stop)
        ended.start()
        wait_until(lambda: refuses(running.process.url))
        wait_until(lambda: leases(running.database) == 1)  # that of the mail in flight
        relay.may_answer.set()
        ended.join(PATIENCE)
        assert running.process.wait() == 0
        assert relay.taken == 1
        statuses = [status for submission in submissions for status in running.statuses(submission)]
        assert sorted(statuses) == [Status.QUEUED, Status.QUEUED, Status.SENT]
        assert leases(running.database) == 0
    finally:
        relay.may_answer.set()
        controller.stop()


def leases(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(deliveries.c.id).where(deliveries.c.lease != "")).all())


def refuses(url: str) -> bool:
    try:
        httpx.get(f"{url}/health/live")
    except httpx.TransportError:
        return True
    return False


def test_good_bye_when_the_last_provider_leaves_then_69(start: Callable[..., Running]) -> None:
    running = start(BITMAIL_PROVIDERS=f"smtp://127.0.0.1:{free_port()}", BITMAIL_FAILURE_THRESHOLD="1")
    submission = running.http.post("/sendmail", json=wire()).json()["submission"]
    assert running.process.wait() == 69
    assert any("GOOD_BYE" in line for line in running.process.lines)
    assert running.statuses(submission)[0] in (Status.QUEUED, Status.DEFERRED)


def test_docs_when_their_commands_are_run_then_each_does_what_it_says(running: Running) -> None:
    blocks = re.findall(r"(?:^    .*\n)+", (ROOT / "docs/container.md").read_text(), re.MULTILINE)
    commands = [block for block in blocks if "curl" in block]
    assert len(commands) == 3
    for command in commands:
        script = command.replace("localhost:3200", running.process.url).replace("curl ", "curl -sS -w '\\n' ")
        done = subprocess.run(
            ["bash", "-c", script], env=os.environ | {"SECRET": SECRET}, capture_output=True, text=True
        )
        complaints = [line for line in done.stderr.splitlines() if "(28)" not in line]  # that of -m 1
        assert not complaints
        assert "error" not in done.stdout.replace('"error":""', "")
        assert re.search("submission|bitmail_accepted_mails_total", done.stdout)


# What a healthy process does not show, over a real socket all the same.


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{migrated(tmp_path / 'spool.db', SPOOL)}")
    yield database
    database.close()


def make_server(
    container: Container, events: EventStream | None = None, secret: str = SECRET, **limits: Any
) -> ContainerServer:
    return ContainerServer(
        container, Intake(container), Metrics(), events or EventStream(), SecretStr(secret), **limits
    )


@pytest.fixture
def container(spool: Database) -> Container:
    return Container(spool, [Scripted("smtp")])


def test_no_secret_when_the_server_has_none_then_nobody_is_admitted(container: Container) -> None:
    server = make_server(container, secret="")
    with serving(server) as url:
        for given in ("Bearer", "Bearer x", ""):
            answer = httpx.post(f"{url}/sendmail", json=wire(), headers={"Authorization": given})
            assert answer.status_code == 401
        assert httpx.get(f"{url}/health").status_code == 200
    server.close()


def test_body_when_too_long_or_too_slow_then_refused(container: Container) -> None:
    server = make_server(container, request_limit=1000, body_seconds=0.2)
    with serving(server) as url:
        authorized = {"Authorization": f"Bearer {SECRET}"}
        assert (
            httpx.post(f"{url}/sendmail", json=wire(content="x" * 2000), headers=authorized).status_code
            == 413
        )
        pieces = iter([b"x" * 600] * 3)
        assert httpx.post(f"{url}/sendmail", content=pieces, headers=authorized).status_code == 413
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as slow:
            head = f"POST /sendmail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 9\r\n\r\n"
            slow.sendall(head.encode() + b"{")
            assert slow.makefile("rb").readline().startswith(b"HTTP/1.1 408")
    server.close()


def test_ready_when_the_spool_takes_no_write_then_503_in_time_and_ready_again_afterwards(
    container: Container, spool: Database
) -> None:
    server = make_server(container, ready_seconds=0.3)
    with serving(server) as url:
        assert httpx.get(f"{url}/health/ready").status_code == 200
        with spool.transaction() as connection:
            connection.execute(text("DELETE FROM spool_news"))
            assert httpx.get(f"{url}/health/ready").status_code == 503
            assert httpx.get(f"{url}/health/live").status_code == 200
        wait_until(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
    server.close()


def test_spool_when_it_is_away_then_503_and_nothing_is_accepted(
    container: Container, spool: Database
) -> None:
    server = make_server(container)
    with serving(server) as url:
        authorized = {"Authorization": f"Bearer {SECRET}"}
        with spool.transaction() as connection:
            connection.execute(text("ALTER TABLE spool_deliveries RENAME TO hidden"))
        answer = httpx.post(f"{url}/sendmail", json=wire(), headers=authorized)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        with spool.transaction() as connection:
            connection.execute(text("ALTER TABLE hidden RENAME TO spool_deliveries"))
            assert connection.execute(text("SELECT count(*) FROM spool_submissions")).scalar() == 0
        assert httpx.post(f"{url}/sendmail", json=wire(), headers=authorized).status_code == 202
    server.close()


def test_health_when_no_provider_is_in_service_then_503(spool: Database) -> None:
    refused = Scripted("smtp", Outcome.MISCONFIGURED)
    container = Container(spool, [refused])
    server = make_server(container)
    container.start()
    with serving(server) as url:
        httpx.post(f"{url}/sendmail", json=wire(), headers={"Authorization": f"Bearer {SECRET}"})
        wait_until(lambda: httpx.get(f"{url}/health").status_code == 503)
        assert httpx.get(f"{url}/health").json()["providers"][0]["state"] == "out"
    server.close()
    container.stop(5)


def test_events_when_a_follower_does_not_read_then_it_is_dropped_and_the_teller_never_waits(
    container: Container, caplog: pytest.LogCaptureFixture
) -> None:
    events = EventStream(quiet=0.05)
    server = make_server(container, events)
    with serving(server) as url:
        host, port = url.removeprefix("http://").split(":")
        request = f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n\r\n"
        with socket.socket() as deaf, httpx.Client(timeout=PATIENCE) as client:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((host, int(port)))
            deaf.sendall(request.encode())
            assert b"200" in deaf.recv(20)
            with client.stream(
                "GET", f"{url}/events", headers={"Authorization": f"Bearer {SECRET}"}
            ) as stream:
                lines = stream.iter_lines()
                assert {next(lines) for _ in range(3)} == {": hello", "", ": still here"}
                long = Event(EventKind.WARNING, 0.0, "x" * 20_000)
                told = 0
                while "too slow" not in caplog.text:
                    events.tell(long)
                    told += 1
                    assert told < 50 * BEHIND, "a follower that never reads was never dropped"
                    read_events(lines, 1)
        events.close()
    server.close()


def test_attempt_when_measured_then_by_outcome_and_in_seconds() -> None:
    metrics = Metrics()
    metrics.attempted("smtp", Result(Outcome.ACCEPTED, 40, ""))
    metrics.attempted("smtp", Result(Outcome.UNCERTAIN, 9000, ""))
    shown = metrics.text().decode()
    assert 'bitmail_attempts_total{outcome="uncertain",provider="smtp"} 1.0' in shown
    assert 'bitmail_attempt_seconds_bucket{le="0.05",provider="smtp"} 1.0' in shown
    assert 'bitmail_attempt_seconds_count{provider="smtp"} 2.0' in shown
