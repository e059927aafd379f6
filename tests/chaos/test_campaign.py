"""Ten rounds of the crash campaign, and proof that its audit finds what it looks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mta.claim import Result
from mta.leases import Leases
from mta.outcomes import Outcome, Status
from mta.settling import Settlement
from mta.spool import Spool
from mta.submission import NewSubmission, Submission
from mta.verdict import Verdict
from store import Database
from tests.chaos.audit import Findings, audit
from tests.chaos.campaign import CONTAINERS, Campaign
from tests.chaos.load import Promise
from tests.fakes.esp import Taken
from tests.migrated import SPOOL, migrated
from tests.store.postgres import private_postgres

ROUNDS = 10
NOW = 1_800_000_000.0


@pytest.mark.parametrize("kind", CONTAINERS)
def test_kills_when_at_random_moments_then_nothing_is_lost_and_nothing_is_sent_twice_unsaid(
    tmp_path: Path, kind: str
) -> None:
    with ExitStack() as stack:
        on_postgres = kind == "postgresql"
        url = (
            stack.enter_context(private_postgres()) if on_postgres else f"sqlite:///{tmp_path / 'bitmail.db'}"
        )
        report = Campaign(tmp_path, url, seed=ROUNDS).run(ROUNDS)
    assert report.findings.faults == [], report.line()
    assert report.faults == [], report.line()
    assert report.accepted >= 3 * ROUNDS
    assert report.findings.taken >= report.findings.statuses["sent"] > report.accepted / 2


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{migrated(tmp_path / 'spool.db', SPOOL)}")
    yield database
    database.close()


@pytest.fixture
def handle(database: Database) -> Callable[..., Submission]:
    """Submits a mail and settles its one delivery by attempts of these outcomes, the last one with this status."""

    def handle(*outcomes: Outcome, status: Status = Status.SENT, detail: str = "") -> Submission:
        new = NewSubmission("key", "ann", "ann@example.com", ("bob@example.com",), "Hi", b"Hi\r\n")
        submission, _ = Spool(database).submit(new, NOW, 1000)
        leases = Leases(database, "us")
        for outcome in outcomes:
            (claim,) = leases.turn(NOW, NOW + 20, want=1).claims
            assert leases.start(claim.id, claim.attempt, "smtp", NOW)
            claim = dataclasses.replace(claim, attempt=claim.attempt + 1)
            waits = Verdict(Status.UNCERTAIN, detail, due=NOW)
            leases.turn(NOW, NOW, [Settlement(claim, waits, Result(outcome, 1, ""))])
        if outcomes:
            (claim,) = leases.turn(NOW, NOW + 20, want=1).claims
            leases.turn(NOW, NOW, [Settlement(claim, Verdict(status, detail))])
        return submission

    return handle


def look(database: Database, submission: Submission, taken: int, /, **broken: object) -> Findings:
    """The audit of one mail that was accepted and is in the ledger so many times."""
    (delivery,) = submission.deliveries
    promise = Promise("ann", "key", submission.id, ("bob@example.com",))
    ledger = [Taken(delivery.id, delivery.recipient, NOW)] * taken
    return audit(database, [dataclasses.replace(promise, **broken)], ledger)  # type: ignore[arg-type]


A, U = Outcome.ACCEPTED, Outcome.UNCERTAIN


def test_audit_when_all_is_well_then_it_finds_nothing(
    database: Database, handle: Callable[..., Submission]
) -> None:
    assert look(database, handle(A), 1).faults == []


def test_audit_when_taken_twice_and_said_so_then_counted_and_no_fault(
    database: Database, handle: Callable[..., Submission]
) -> None:
    findings = look(database, handle(U, A, detail="It may arrive twice."), 2)
    assert (findings.faults, findings.marked_twice) == ([], 1)


@pytest.mark.parametrize(
    "broken",
    [{"submission": "gone"}, {"key": "other"}, {"recipients": ("bob@example.com", "eve@example.com")}],
)
def test_audit_when_a_promise_is_not_in_the_spool_then_lost(
    database: Database, handle: Callable[..., Submission], broken: dict[str, object]
) -> None:
    assert len(look(database, handle(A), 1, **broken).lost) == 1


def test_audit_when_a_delivery_waits_then_unfinished(
    database: Database, handle: Callable[..., Submission]
) -> None:
    assert len(look(database, handle(), 0).unfinished) == 1


@pytest.mark.parametrize(
    ("outcomes", "taken", "detail"),
    [((A,), 2, "It may arrive twice."), ((U, A), 2, ""), ((U, A), 3, "It may arrive twice.")],
)
def test_audit_when_taken_more_often_than_said_then_doubled(
    database: Database,
    handle: Callable[..., Submission],
    outcomes: tuple[Outcome, ...],
    taken: int,
    detail: str,
) -> None:
    assert len(look(database, handle(*outcomes, detail=detail), taken).doubled) == 1


@pytest.mark.parametrize(
    ("outcomes", "status", "taken"),
    [((A,), Status.SENT, 0), ((U,), Status.SENT, 0), ((U,), Status.FAILED, 1), ((A, A), Status.UNCERTAIN, 1)],
)
def test_audit_when_a_status_is_not_what_the_ledger_says_then_untrue(
    database: Database,
    handle: Callable[..., Submission],
    outcomes: tuple[Outcome, ...],
    status: Status,
    taken: int,
) -> None:
    assert len(look(database, handle(*outcomes, status=status), taken).untrue) == 1


def test_audit_when_the_ledger_knows_a_delivery_that_the_spool_does_not_then_untrue(
    database: Database,
) -> None:
    assert len(audit(database, [], [Taken("unknown", "bob@example.com", NOW)]).untrue) == 1
