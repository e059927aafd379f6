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
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mta.outcomes import Outcome, Status
from mta.settings import ContainerSettings
from mta.submission import Policy, Submission
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


@dataclass(frozen=True, slots=True)
class Left:
    """A delivery as a crash may leave it.

    Attributes:
        attempt: what the last attempt came to; `open` for one that was started and has no outcome.
    """

    status: Status
    lease: str
    policy: Policy
    attempt: Literal["none", "open"] | Outcome

    @property
    def ends_as(self) -> Status:
        """Never sent again where it may have been sent, if that is the policy."""
        unclear = self.status in {Status.SENDING, Status.UNCERTAIN}
        return Status.UNCERTAIN if unclear and self.policy is Policy.AT_MOST_ONCE else Status.SENT


EVERY_STATE = [
    Left(status, lease, policy, attempt)
    for status in sorted(set(Status) - FINAL)
    for lease in ("", "a container of long ago")
    for policy in Policy
    for attempt in ("none", "open", *Outcome)
]


def leave(sending: Station, database: Database, left: Left, now: float) -> Submission:
    """Put a delivery into the spool as it was left."""
    submission = sending.submit(policy=left.policy)
    (delivery,) = submission.deliveries
    tried = left.attempt != "none"
    row = {"status": left.status, "lease": left.lease, "due": now + 20, "attempt": int(tried)}
    with database.transaction() as connection:
        connection.execute(
            deliveries.update()
            .where(deliveries.c.id == delivery.id)
            .values(**row, provider="smtp" if tried else "")
        )
        if tried:
            outcome = None if left.attempt == "open" else left.attempt
            made = {
                "delivery_id": delivery.id,
                "number": 1,
                "provider": "smtp",
                "at": now,
                "outcome": outcome,
            }
            connection.execute(attempts.insert().values(**made, ms=0, detail="", provider_id=""))
    return submission


def test_every_state_when_not_final_then_some_container_brings_it_to_an_end(
    station: Start, database: Database, clock: Clock
) -> None:
    sending = station(Scripted("smtp"), begin=False)
    there = [(leave(sending, database, left, clock.now), left) for left in EVERY_STATE]
    sending.container.start()
    clock.forward(21)  # the leases end
    wait_until(lambda: not is_any(database, Status.SENDING))
    clock.forward(61)  # the grace of those that were being sent
    wait_until(lambda: not waits(database))
    ended = [(left, sending.delivery(submission).status) for submission, left in there]
    assert ended == [(left, left.ends_as) for left in EVERY_STATE]


def is_any(database: Database, status: Status) -> bool:
    with database.read() as connection:
        return (
            connection.execute(deliveries.select().where(deliveries.c.status == status)).first() is not None
        )


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
    sending = station(smtp, time=time.time, settings=ContainerSettings(poll=0.02, uncertain_grace=0.3))
    sending.wait_for(submission, Status.SENT)  # sooner than a dead container's leases end
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
    sending = station(Harmless("smtp"), time=time.time)  # with the usual grace of a minute
    sending.wait_for(submission, Status.SENT)
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
