"""`python -m bench.schedulers`: what a scheduler makes of providers that are not equally fast."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, report
from mta.container import Container
from mta.outcomes import Status
from mta.providers.base import ProviderOptions
from mta.providers.smtp import SMTP
from mta.providers.smtp_connection import Relay, Tls
from mta.scheduler import Adaptive, RoundRobin, Scheduler
from mta.settings import ContainerSettings
from mta.submission import NewSubmission
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE
from store import Database, migrate
from tests.fakes.esp import Esp

SPEEDS = {"fast": 0.02, "medium": 0.04, "slow": 0.2}
"""Seconds in which each provider answers."""
IN_FLIGHT = 16
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Race:
    """How long it took to send all the mails, in seconds, and how many each provider took."""

    seconds: float
    taken: Mapping[str, int]


@contextmanager
def unequal_providers() -> Iterator[list[Esp]]:
    """Providers of different speeds, in processes of their own."""
    with ExitStack() as stack:
        esps = [stack.enter_context(Esp(name)) for name in SPEEDS]
        for esp in esps:
            esp.behave(latency=SPEEDS[esp.name])
        yield esps


def race(scheduler: Scheduler, mails: int, esps: Sequence[Esp]) -> Race:
    """Send so many mails, `IN_FLIGHT` at once."""
    before = {esp.name: len(esp.ledger()) for esp in esps}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bitmail-bench-")))
        database = Database(f"sqlite:///{folder / 'spool.db'}")
        stack.callback(database.close)
        migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
        container = Container(
            database,
            [
                SMTP(
                    esp.name,
                    Relay("127.0.0.1", esp.port, tls=Tls.NONE),
                    ProviderOptions(concurrency=IN_FLIGHT),
                )
                for esp in esps
            ],
            scheduler=scheduler,
            settings=ContainerSettings(concurrency=IN_FLIGHT),
        )
        container.submit(
            NewSubmission(
                key="bench",
                owner="bench",
                sender="bench@example.com",
                recipients=tuple(f"r{number}@example.com" for number in range(mails)),
                subject="Bench",
                raw=b"Subject: Bench\r\n\r\n" + b"x" * 2000 + b"\r\n",
            )
        )
        sent = threading.Semaphore(0)
        container.watch(lambda change: sent.release() if change.status is Status.SENT else None)
        began = time.perf_counter()
        container.start()
        for _ in range(mails):
            if not sent.acquire(timeout=PATIENCE):
                raise TimeoutError(f"not all of {mails} mails were sent within {PATIENCE:g} s")
        seconds = time.perf_counter() - began
        container.stop()
        return Race(seconds, {esp.name: len(esp.ledger()) - before[esp.name] for esp in esps})


def main() -> None:
    """Let each scheduler send the same mails by the same providers."""
    parser = argparse.ArgumentParser(prog="bench schedulers")
    parser.add_argument("--mails", type=int, default=1000)
    mails = parser.parse_args().mails
    schedulers: dict[str, Scheduler] = {"round robin": RoundRobin(), "adaptive": Adaptive()}
    with unequal_providers() as esps:
        races = {name: race(scheduler, mails, esps) for name, scheduler in schedulers.items()}
    usual = races["round robin"].seconds
    figures = [
        Figure("schedulers", f"{mails:,} mails, {name}", one.seconds, "s", "round robin", one.seconds / usual)
        for name, one in races.items()
    ]
    figures += [
        Figure("schedulers", f"{name}: share of the {speed}", one.taken[speed] / mails, "of mails")
        for name, one in races.items()
        for speed in SPEEDS
    ]
    report(figures)


if __name__ == "__main__":
    main()
