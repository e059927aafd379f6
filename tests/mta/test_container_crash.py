"""After a crash: no delivery is stuck, and none that may have been sent is taken for unsent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mta.outcomes import Outcome, Status
from mta.settings import ContainerSettings
from mta.submission import Policy
from mta.tables import attempts, deliveries
from store import Database
from tests.mta.scripted import PATIENCE, Clock, Harmless, Scripted, Station, wait_until

Start = Callable[..., Station]

FINAL = {
    Status.SENT,
    Status.DELIVERED,
    Status.BOUNCED,
    Status.COMPLAINED,
    Status.FAILED,
    Status.CANCELLED,
}

# A container that says when an attempt begins, and never ends one.
DOOMED = """
import os, sys, threading
from mta.container import Container
from mta.providers.base import Provider, ProviderOptions
from store import Database

class Hanging(Provider):
    def send(self, message):
        os.write(1, f"sending {message.recipient}\\n".encode())  # at once, so that lines never mix
        threading.Event().wait()

Container(Database(sys.argv[1]), [Hanging("smtp", ProviderOptions(concurrency=2))]).start()
threading.Event().wait()
"""


def kill_during_two_attempts(url: str) -> None:
    """Run a container until it makes two attempts, and kill it as the kernel kills."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", DOOMED, url], stdout=subprocess.PIPE, env=environment)
    try:
        assert process.stdout is not None
        said = b""
        while said.count(b"sending") < 2:
            readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
            more = os.read(process.stdout.fileno(), 1000) if readable else b""
            assert more, f"the container to be killed did not begin to send: {said!r}"
            said += more
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize("status", sorted(set(Status) - FINAL))
@pytest.mark.parametrize("lease", ["", "a container of long ago"])
@pytest.mark.parametrize("policy", Policy)
def test_status_when_not_final_then_some_container_brings_it_to_an_end(
    station: Start, database: Database, clock: Clock, status: Status, lease: str, policy: Policy
) -> None:
    sending = station(Scripted("smtp"), begin=False)
    submission = sending.submit(policy=policy)
    tried = status in {Status.SENDING, Status.UNCERTAIN}
    with database.transaction() as connection:
        row = {"status": status, "lease": lease, "due": clock.now + 20, "attempt": int(tried)}
        connection.execute(deliveries.update().values(**row, provider="smtp" if tried else ""))
        if tried:
            made = {
                "delivery_id": submission.deliveries[0].id,
                "number": 1,
                "provider": "smtp",
                "at": clock.now,
            }
            connection.execute(attempts.insert().values(**made, ms=0, detail="", provider_id=""))
    sending.container.start()
    clock.forward(21)
    if status is Status.SENDING:
        sending.wait_for(submission, Status.UNCERTAIN)
        clock.forward(61)
    wait_until(lambda: not waits(database), lambda: sending.now(submission))
    given_up = tried and policy is Policy.AT_MOST_ONCE
    assert sending.delivery(submission).status is (Status.UNCERTAIN if given_up else Status.SENT)


def waits(database: Database) -> bool:
    with database.read() as connection:
        return (
            connection.execute(deliveries.select().where(deliveries.c.due.is_not(None))).first() is not None
        )


def test_kill_when_attempts_were_made_then_those_are_uncertain_and_the_rest_is_not(
    station: Start, database: Database
) -> None:
    accepting = station(Scripted("unused"), begin=False, time=time.time)
    submission = accepting.submit(*(f"r{number}@example.com" for number in range(6)))
    kill_during_two_attempts(database.url.render_as_string(hide_password=False))
    started = {one.recipient for one in accepting.now(submission).deliveries if one.status is Status.SENDING}
    assert len(started) == 2
    smtp = Scripted("smtp")
    began = time.monotonic()
    sending = station(smtp, time=time.time, settings=ContainerSettings(poll=0.02, uncertain_grace=0.3))
    sending.wait_for(submission, Status.SENT)
    assert time.monotonic() - began < 10, "a dead container's leases were waited for"
    for delivery in sending.now(submission).deliveries:
        outcomes = [one.outcome for one in delivery.attempts]
        if delivery.recipient in started:
            assert outcomes == [Outcome.UNCERTAIN, Outcome.ACCEPTED]
            assert "service stopped" in delivery.attempts[0].detail
            assert "twice" in delivery.detail
        else:
            assert outcomes == [Outcome.ACCEPTED]
    assert Counter(smtp.recipients) == Counter(f"r{number}@example.com" for number in range(6))


def test_kill_when_repeating_is_harmless_then_finished_at_once_after_the_restart(
    station: Start, database: Database
) -> None:
    accepting = station(Scripted("unused"), begin=False, time=time.time)
    submission = accepting.submit(*(f"r{number}@example.com" for number in range(6)))
    kill_during_two_attempts(database.url.render_as_string(hide_password=False))
    began = time.monotonic()
    sending = station(Harmless("smtp"), time=time.time)  # with the usual grace of a minute
    sending.wait_for(submission, Status.SENT)
    assert time.monotonic() - began < 10
    unclear = [one for one in sending.now(submission).deliveries if len(one.attempts) == 2]
    assert len(unclear) == 2
    assert all(one.attempts[0].outcome is Outcome.UNCERTAIN for one in unclear)


def test_kill_when_at_most_once_then_never_sent_again(station: Start, database: Database) -> None:
    accepting = station(Scripted("unused"), begin=False, time=time.time)
    submission = accepting.submit("a@example.com", "b@example.com", policy=Policy.AT_MOST_ONCE)
    kill_during_two_attempts(database.url.render_as_string(hide_password=False))
    smtp = Scripted("smtp")
    sending = station(smtp, time=time.time, settings=ContainerSettings(poll=0.02, uncertain_grace=0.05))
    wait_until(lambda: not waits(database))
    assert {one.status for one in sending.now(submission).deliveries} == {Status.UNCERTAIN}
    assert smtp.called == []
