"""`python -m bench.failover`: how long a mail takes while one of three providers fails."""

from __future__ import annotations

import argparse
import logging
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from bench.figures import Figure, report
from bench.relay import relay
from mta.container import Container
from mta.events import StatusChange
from mta.outcomes import Status
from mta.providers.base import ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from mta.service import ServiceState
from mta.strategy import ThresholdFailureStrategy
from mta.submission import NewSubmission
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate

LATENCY = 0.05
TIMEOUT = 2.0
GAP = 0.01
"""Seconds between two mails."""
THRESHOLD = 5
NEVER = 1_000_000_000
PATIENCE = 60.0
RAW = b"Subject: A mail of the bench\r\n\r\n".ljust(2046, b"x") + b"\r\n"


@dataclass(frozen=True, slots=True)
class Waits:
    """How long mails took, in seconds: those submitted while all were in service, and those after that."""

    before: list[float]
    after: list[float]

    @property
    def all(self) -> list[float]:
        """All of them."""
        return self.before + self.after


def send(ports: Sequence[int], mails: int, threshold: int) -> Waits:
    """Send mails through as many relays as there are ports, and see how long each takes."""
    options = ProviderOptions(concurrency=16, timeout=TIMEOUT)
    providers = [
        SMTP(f"relay {number}", Relay("127.0.0.1", port, tls=Tls.NONE), options)
        for number, port in enumerate(ports)
    ]
    sent: dict[str, float] = {}

    def changed(change: StatusChange) -> None:
        if change.status is Status.SENT:
            sent[change.submission_id] = time.perf_counter()

    with spool() as database:
        container = Container(database, providers, strategy=lambda: ThresholdFailureStrategy(threshold))
        container.watch(changed)
        container.start()
        submitted: list[tuple[str, float, bool]] = []
        for number in range(mails):
            time.sleep(GAP)
            is_out = any(one.state is not ServiceState.IN_SERVICE for one in container.health())
            at = time.perf_counter()
            submitted.append((container.submit(mail(number)).id, at, is_out))
        until = time.monotonic() + PATIENCE
        while len(sent) < mails:
            if time.monotonic() > until:
                raise RuntimeError(f"only {len(sent)} of {mails} mails were sent")
            time.sleep(GAP)
        container.stop()
    return Waits(
        [sent[id] - at for id, at, is_out in submitted if not is_out],
        [sent[id] - at for id, at, is_out in submitted if is_out],
    )


def mail(number: int) -> NewSubmission:
    """A mail of 2 KB to one recipient."""
    return NewSubmission(
        str(number), "ann", "ann@example.com", ("bob@example.net",), "A mail of the bench", RAW
    )


@contextmanager
def spool() -> Iterator[Database]:
    """An empty spool on SQLite."""
    with tempfile.TemporaryDirectory(prefix="failover") as folder:
        database = Database(f"sqlite:///{folder}/spool.db")
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        yield database
        database.close()


@contextmanager
def refusing() -> Iterator[int]:
    """A port that refuses connections: it is taken, and nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def hanging() -> Iterator[int]:
    """A port where connections are made, and nobody ever says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as sock:
        yield sock.getsockname()[1]


def measure(mails: int) -> list[Figure]:
    """All three cases, the healthy one before and after the others."""
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(relay(LATENCY)) for _ in range(3))
        closed, silent = stack.enter_context(refusing()), stack.enter_context(hanging())
        healthy = send([first, second, third], mails, THRESHOLD).all
        refused = send([first, second, closed], mails, THRESHOLD).all
        always = send([first, second, closed], mails, NEVER).all
        hung = send([first, second, silent], mails, THRESHOLD)
        healthy += send([first, second, third], mails, THRESHOLD).all
    usual = median(healthy) * 1000
    figures = [Figure("failover", f"median mail, all three healthy ({LATENCY * 1000:.0f} ms)", usual, "ms")]
    for what, waits in (
        ("one refuses connections", refused),
        ("one refuses connections, and is never taken out", always),
    ):
        value = median(waits) * 1000
        figures += [
            Figure("failover", f"median mail, {what}", value, "ms", "all healthy", value / usual),
            Figure("failover", f"added to the median, {what}", value - usual, "ms"),
        ]
    longest, later = max(hung.all), max(hung.after, default=float("nan"))
    return [
        *figures,
        Figure("failover", "longest mail, all healthy", max(healthy) * 1000, "ms"),
        Figure(
            "failover",
            f"longest mail, one hangs, less the usual {usual:.0f} ms",
            longest * 1000 - usual,
            "ms",
            f"its time-out of {TIMEOUT:g} s",
            (longest - usual / 1000) / TIMEOUT,
        ),
        Figure("failover", "longest mail submitted after it was taken out", later * 1000, "ms"),
        Figure("failover", "median mail submitted after it was taken out", median(hung.after) * 1000, "ms"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=500, help="in each case")
    mails = parser.parse_args().mails
    logging.getLogger("bitmail.mta").setLevel(
        logging.CRITICAL
    )  # it says of each failure what is measured here
    report(measure(mails))


if __name__ == "__main__":
    main()
