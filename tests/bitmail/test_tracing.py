"""Tracing: one trace from a request to its attempt in another process, and nothing of it where it is not asked for."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import select

from bitmail import frontend
from bitmail.api import api
from bitmail.monitor import Monitor
from bitmail.service import Service
from bitmail.shield import Shield
from mta.desk import Desk
from mta.hooks.call import DeliveryReport
from mta.outcomes import Status
from mta.pruner import Pruner
from mta.tables import traces
from store import Database, logs, tracing
from store.settings import StoreSettings
from tests.bitmail.conftest import logged_in
from tests.bitmail.test_topologies import SECRET, store_server, web
from tests.e2e.server import ROOT, Sender
from tests.fakes.collector import FakeCollector, Told
from tests.migrated import SPOOL, migrated
from tests.mta.scripted import mail, wait_until

AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
"""Milliseconds in which spans gather."""
RECIPIENT, SUBJECT = "grace.hopper@example.com", "A subject for nobody else"


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    with FakeCollector() as collector:
        yield collector


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{migrated(tmp_path / 'spool.db', SPOOL)}")
    yield database
    database.close()


@pytest.fixture
def traced(collector: FakeCollector, monkeypatch: pytest.MonkeyPatch) -> FakeCollector:
    """What this process tells goes to the collector, until the test is over."""
    monkeypatch.setattr(tracing, "_tracer", None)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", AT_ONCE["OTEL_BSP_SCHEDULE_DELAY"])
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=the%20key")
    tracing.set_up("bitmail", StoreSettings(_env_file=None))  # type: ignore[call-arg]
    return collector


async def send(service: Service) -> str:
    """Have a mail sent by the API, as its users reach it; its id."""
    app = Monitor(Shield(api(), frontend.CLIENT, (), service.secret), service)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mail.test")
    async with logged_in(client) as script:
        answer = await script.post(
            "/api/sendmail", json={"to": RECIPIENT, "subject": SUBJECT, "text": "Words for nobody else."}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["submission"])


def one(collector: FakeCollector, name: str, **attributes: str) -> Told:
    """The span of a name and with these attributes, once it was told."""
    wanted = {f"bitmail.{key}": value for key, value in attributes.items()}

    def found() -> list[Told]:
        return [span for span in collector.spans(name) if wanted.items() <= span.attributes.items()]

    wait_until(lambda: len(found()) > 0, lambda: collector.accepted)
    (span,) = found()
    return span


def test_one_trace_goes_from_a_request_through_the_store_and_the_spool_to_the_attempt_and_the_report(
    traced: FakeCollector, tmp_path: Path
) -> None:
    with store_server(tmp_path / "far") as url:
        settings = {"store_url": url, "store_secret": SecretStr(SECRET), "container": "beside"}
        sender = Sender(tmp_path / "near")
        with web(tmp_path / "near", **settings) as service:
            sender.start()
            submission = asyncio.run(send(service))
            attempt = one(traced, "attempt", submission=submission)
            request = one(traced, "POST /api", operation="sendmail")
            delivery = str(attempt.attributes["bitmail.delivery"])
            wait_until(lambda: _status(service, submission) is Status.SENT)
            report = DeliveryReport("r", "loopback", delivery, RECIPIENT, Status.DELIVERED, "", time.time())
            service.container.take_reports([report])
            service.container.settle_reports()
            reported = one(traced, "report", submission=submission)
            assert sender.stop() == 0
        submitted = one(traced, "submit", submission=submission)
        put = [span for span in traced.spans("POST /entries") if span.trace == request.trace]

    assert request.parent == ""
    assert request.attributes["http.response.status_code"] == 202
    assert {span.trace for span in (attempt, submitted, reported)} == {request.trace}
    assert attempt.parent == reported.parent == submitted.id
    assert (request.service, attempt.service) == ("bitmail", "bitmail-mta")
    assert attempt.attributes["bitmail.provider"] == "loopback"
    assert attempt.attributes["bitmail.outcome"] == "accepted"
    assert not attempt.failed
    assert reported.attributes["bitmail.status"] == "delivered"
    assert put
    asked = {span.id: span.name for span in traced.accepted if span.service == "bitmail"}
    assert {asked[span.parent] for span in put} <= {
        f"store entries {verb}"
        for verb in ("put", "get", "get_by_id", "put_if_absent", "update", "update_by_id")
    }
    told = b"".join(request.body for request in traced.requests)
    assert not [word for word in (RECIPIENT, "grace", SUBJECT, "nobody else") if word.encode() in told]
    assert {request.headers["x-key"] for request in traced.requests} == {"the key"}


def _status(service: Service, submission: str) -> Status:
    found = service.container.submission(submission)
    assert found is not None
    return found.deliveries[0].status


def test_a_log_line_within_a_step_says_its_trace(traced: FakeCollector) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    handler.addFilter(logs._with_fields)
    logger = logging.getLogger("bitmail.traced")
    logger.addHandler(handler)
    with tracing.span("attempt"):
        logger.warning("slow")
    logger.warning("later")
    logger.removeHandler(handler)
    within, after = map(json.loads, stream.getvalue().splitlines())
    assert within["trace_id"] == one(traced, "attempt").trace
    assert "trace_id" not in after


def test_an_error_is_told_by_its_class_alone(traced: FakeCollector) -> None:
    with pytest.raises(LookupError), tracing.span("send"):
        raise LookupError(RECIPIENT)
    told = one(traced, "send")
    assert told.failed
    assert told.attributes == {"error.type": "LookupError"}
    assert RECIPIENT.encode() not in b"".join(request.body for request in traced.requests)


def test_what_a_caller_says_of_a_trace_that_is_none_begins_one(traced: FakeCollector) -> None:
    scope = {"method": "POST", "path": "/sendmail", "headers": [(tracing.HEADER, b"00-nonsense")]}
    with tracing.request(scope):
        pass
    assert one(traced, "POST /sendmail").parent == ""


def test_where_no_collector_is_named_nothing_is_kept_and_nothing_imported(database: Database) -> None:
    submission = Desk(database).submit(mail())
    with database.read() as connection:
        assert connection.execute(select(traces)).first() is None
    assert submission.deliveries
    words = "import sys, mta.container, store.proxy; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=False).returncode == 0


def test_what_was_traced_is_forgotten_with_the_mail(traced: FakeCollector, database: Database) -> None:
    desk = Desk(database, clock=lambda: 1000.0)
    submission = desk.submit(mail())
    desk.cancel(submission.id)
    with database.read() as connection:
        (kept,) = connection.execute(select(traces)).all()
    assert kept.submission_id == submission.id
    assert kept.context.split("-")[1] == one(traced, "submit").trace
    Pruner(database, 10.0, lambda: 2000.0).prune()
    with database.read() as connection:
        assert connection.execute(select(traces)).first() is None


def test_without_the_packages_mail_goes_on_and_the_log_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "_tracer", None)
    monkeypatch.delitem(sys.modules, "store.telemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    tracing.set_up("bitmail", StoreSettings(_env_file=None, otel_endpoint="http://127.0.0.1:4318"))  # type: ignore[call-arg]
    assert not tracing.is_on()
    assert "requirements.txt names under tracing" in caplog.text


def test_a_collector_that_is_away_keeps_no_mail_and_no_end_waiting(
    collector: FakeCollector, tmp_path: Path
) -> None:
    collector.close()
    sender = Sender(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **AT_ONCE)
    sender.start()
    database = Database(f"sqlite:///{tmp_path / 'bitmail.db'}")
    desk = Desk(database)
    id = desk.submit(mail()).id
    wait_until(
        lambda: (found := desk.submission(id)) is not None and found.deliveries[0].status is Status.SENT
    )
    database.close()
    assert sender.stop() == 0


def test_an_endpoint_that_is_no_address_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="no address of a collector"):
        StoreSettings(_env_file=None, otel_endpoint="collector:4318")  # type: ignore[call-arg]


def test_a_mail_handed_in_to_the_container_goes_on_with_its_callers_trace(
    collector: FakeCollector, tmp_path: Path
) -> None:
    secret = "a secret that nobody guesses"
    settings = {"BITMAIL_CONTAINER_SECRET": secret, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    sender = Sender(tmp_path, **settings, **AT_ONCE)
    sender.start()
    trace, caller = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"Authorization": f"Bearer {secret}", "traceparent": f"00-{trace}-{caller}-01"}
    wire = {
        "Headers": {"From": "ada@example.com", "To": RECIPIENT, "Subject": SUBJECT},
        "Content": "SGVsbG8K",
    }
    answer = httpx.post(f"{sender.url}/sendmail", json=wire, headers=headers)
    assert answer.status_code == 202, answer.text
    attempt = one(collector, "attempt", submission=answer.json()["submission"])
    assert sender.stop() == 0
    request, submit = one(collector, "POST /sendmail"), one(collector, "submit")
    assert {span.trace for span in (request, submit, attempt)} == {trace}
    assert (request.parent, submit.parent, attempt.parent) == (caller, request.id, submit.id)
