"""Leases: who holds a delivery, what is written of it, and what happens when its holder dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from mta.claim import Claim, Result
from mta.holder import is_gone, new_holder
from mta.leases import Leases
from mta.outcomes import Outcome, Status
from mta.settling import Settlement
from mta.spool import Spool
from mta.submission import Delivery, Priority, Submission
from mta.tables import deliveries
from mta.verdict import Verdict
from store import Database
from store.driver import Driver
from tests.mta.scripted import mail, wait_until

NOW = 1_800_000_000.0
UNTIL = NOW + 20

SENT = Verdict(Status.SENT, "250 OK")
ACCEPTED = Result(Outcome.ACCEPTED, 12, "250 OK", "abc")
UNCERTAIN = Result(Outcome.UNCERTAIN, 30_000, "no answer")


@pytest.fixture
def spool(database: Database) -> Spool:
    return Spool(database)


@pytest.fixture
def ours(database: Database) -> Leases:
    return Leases(database, "ours")


@pytest.fixture
def theirs(database: Database) -> Leases:
    return Leases(database, "theirs")


@pytest.fixture
def submit(spool: Spool) -> Callable[..., Submission]:
    count = iter(range(1_000_000))

    def submit(*recipients: str, at: float = NOW, **more: object) -> Submission:
        return spool.submit(mail(*recipients, key=f"{next(count)}", **more), at, 86400)[0]

    return submit


def claim_one(leases: Leases, now: float = NOW) -> Claim:
    (claim,) = leases.turn(now, now + 20, want=1).claims
    return claim


def started(leases: Leases, now: float = NOW) -> Claim:
    claim = claim_one(leases, now)
    assert leases.start(claim.id, claim.attempt, "smtp", now)
    return Claim(
        **{**as_dict(claim), "attempt": claim.attempt + 1, "status": Status.SENDING, "provider": "smtp"}
    )


def as_dict(claim: Claim) -> dict[str, object]:
    return {name: getattr(claim, name) for name in Claim.__slots__}


def delivery(spool: Spool, claim: Claim) -> Delivery:
    submission = spool.submission(claim.submission_id)
    assert submission is not None
    return submission.deliveries[0]


def settle(leases: Leases, claim: Claim, verdict: Verdict, result: Result | None) -> bool:
    return leases.turn(NOW + 1, UNTIL, [Settlement(claim, verdict, result)]).applied[0]


def test_renewal_when_attempts_start_meanwhile_then_neither_waits_for_the_other(
    database: Database, submit: Callable[..., Submission]
) -> None:
    # PostgreSQL goes through the rows by their place on disk, as it does wherever it thinks that is quickest.
    off = ("enable_indexscan=off", "enable_bitmapscan=off", "enable_indexonlyscan=off", "deadlock_timeout=1h")
    options = {} if database.is_sqlite else {"options": " ".join(f"-c {one}" for one in off)}
    own = Database(database.url.update_query_dict(options).render_as_string(hide_password=False))
    ours = Leases(own, "ours")
    submit(*(f"r{number}@example.com" for number in range(64)))
    claims = ours.turn(NOW, UNTIL, want=64).claims
    done = []

    def start(claim: Claim) -> None:
        done.append(all(ours.start(claim.id, number, "smtp", NOW, patience=0.002) for number in range(10)))

    def renew() -> None:
        while len(done) < len(claims):
            ours.turn(NOW, UNTIL, renew=[claim.id for claim in claims])
        done.append(True)

    for work in (renew, *(partial(start, claim) for claim in claims)):
        threading.Thread(target=work, daemon=True).start()
    wait_until(lambda: len(done) > len(claims))
    assert all(done)
    own.close()


def test_claim_when_due_then_all_that_a_container_needs(
    ours: Leases, submit: Callable[..., Submission]
) -> None:
    submission = submit("bob@example.com", needs_envelope=True, raw=b"x" * 100)
    claim = claim_one(ours)
    assert claim.id == submission.deliveries[0].id
    assert (claim.owner, claim.sender, claim.recipient) == ("ann", "ann@example.com", "bob@example.com")
    assert (claim.subject, claim.size, claim.needs_envelope) == ("Hello", 100, True)
    assert (claim.status, claim.attempt, claim.expires) == (Status.QUEUED, 0, NOW + 86400)


def test_claim_when_more_is_due_then_no_more_than_wanted(
    ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit(*(f"r{n}@example.com" for n in range(10)))
    assert len(ours.turn(NOW, UNTIL, want=4).claims) == 4
    assert len(ours.turn(NOW, UNTIL, want=40).claims) == 6
    assert ours.turn(NOW, UNTIL, want=40).claims == ()


def test_claim_when_not_yet_due_then_nothing(ours: Leases, submit: Callable[..., Submission]) -> None:
    submit("bob@example.com", not_before=NOW + 10)
    assert ours.turn(NOW + 9.9, UNTIL, want=1).claims == ()
    assert len(ours.turn(NOW + 10, UNTIL, want=1).claims) == 1


def test_claim_when_priorities_differ_then_the_higher_first_and_then_the_older(
    ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit("low@example.com", priority=Priority.LOW, at=NOW - 30)
    submit("younger@example.com", at=NOW - 10)
    submit("older@example.com", at=NOW - 20)
    submit("high@example.com", priority=Priority.HIGH, at=NOW)
    claims = [claim_one(ours).recipient for _ in range(4)]
    assert claims == ["high@example.com", "older@example.com", "younger@example.com", "low@example.com"]


def test_claim_when_many_wait_then_found_by_an_index(
    ours: Leases, database: Database, submit: Callable[..., Submission], monkeypatch: pytest.MonkeyPatch
) -> None:
    submit()
    claims: list[tuple[str, Sequence[Any]]] = []
    rows = Driver.rows

    def note(driver: Driver, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if "LIMIT" in statement:
            claims.append((statement, parameters))
        return rows(driver, statement, parameters)

    monkeypatch.setattr(Driver, "rows", note)
    ours.turn(NOW, UNTIL, want=5)
    monkeypatch.undo()
    assert len(claims) == len(Priority)
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as connection:
        if not database.is_sqlite:  # which would rather scan a table of one row
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in claims:
            steps = Driver.below(connection).rows(f"{explain} {statement}", parameters)
            plan = " ".join(str(row[3 if database.is_sqlite else 0]) for row in steps)
            assert "spool_deliveries_due" in plan
            assert "TEMP B-TREE" not in plan
            assert "Sort" not in plan
            assert "SCAN" not in plan
            assert "Seq Scan" not in plan


def test_lease_when_held_by_another_then_not_claimed_until_it_ends(
    ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = claim_one(theirs)
    assert ours.turn(UNTIL - 0.1, UNTIL + 20, want=1).claims == ()
    theirs.turn(UNTIL - 0.1, UNTIL + 20, renew=[claim.id])
    assert ours.turn(UNTIL + 0.1, UNTIL + 20, want=1).claims == ()
    assert claim_one(ours, UNTIL + 20).id == claim.id


def test_renew_when_another_has_it_by_now_then_it_stays_theirs(
    ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = claim_one(ours)
    claim_one(theirs, UNTIL)
    ours.turn(UNTIL, UNTIL + 1000, renew=[claim.id])
    assert claim_one(ours, UNTIL + 20).id == claim.id


def test_start_when_ours_then_written_down_before_anything_is_sent(
    spool: Spool, ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    now = delivery(spool, claim)
    assert (now.status, now.provider) == (Status.SENDING, "smtp")
    assert [(one.provider, one.outcome, one.at) for one in now.attempts] == [("smtp", None, NOW)]


def test_start_when_cancelled_meanwhile_then_refused(
    spool: Spool, ours: Leases, submit: Callable[..., Submission]
) -> None:
    submission = submit()
    claim = claim_one(ours)
    spool.cancel(submission.id, NOW)
    assert not ours.start(claim.id, claim.attempt, "smtp", NOW)
    assert delivery(spool, claim).status is Status.CANCELLED
    assert delivery(spool, claim).attempts == ()


def test_start_when_the_lease_ran_out_and_another_has_it_then_refused(
    ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = claim_one(ours)
    claim_one(theirs, UNTIL)
    assert not ours.start(claim.id, claim.attempt, "smtp", UNTIL)
    assert theirs.start(claim.id, claim.attempt, "smtp", UNTIL)


def test_start_when_called_twice_for_one_attempt_then_made_once(
    ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = claim_one(ours)
    assert ours.start(claim.id, 0, "smtp", NOW)
    assert not ours.start(claim.id, 0, "smtp", NOW)


def test_start_when_the_attempt_before_is_not_written_yet_then_that_is_too(
    spool: Spool, ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    refused = Result(Outcome.UNAVAILABLE, 7, "421 busy", "abc")
    assert ours.start(claim.id, 1, "ses", NOW + 1, refused)
    first, second = delivery(spool, claim).attempts
    assert (first.provider, first.outcome, first.ms, first.detail) == (
        "smtp",
        Outcome.UNAVAILABLE,
        7,
        "421 busy",
    )
    assert (second.provider, second.outcome) == ("ses", None)


def test_follow_clock_when_written_in_the_future_then_waits_keep_their_length_and_appointments_their_time(
    database: Database, ours: Leases, submit: Callable[..., Submission]
) -> None:
    hour = 3600.0
    submit("due@example.com", at=NOW + hour)
    submit("undo@example.com", at=NOW + hour, not_before=NOW + hour + 10)
    submit("appointed@example.com", at=NOW + hour, not_before=NOW + 3 * hour)
    submit("ordinary@example.com", at=NOW - 10, not_before=NOW + 30)

    def dues() -> dict[str, float]:
        with database.read() as connection:
            rows = connection.execute(select(deliveries.c.recipient, deliveries.c.due))
            return {row.recipient.partition("@")[0]: row.due - NOW for row in rows}

    assert ours.follow_clock(NOW) == 2
    expected = {"due": 0.0, "undo": 10.0, "appointed": 3 * hour, "ordinary": 30.0}
    assert dues() == pytest.approx(expected)
    assert ours.follow_clock(NOW) == 0
    assert dues() == pytest.approx(expected)


def test_settle_when_accepted_then_final_and_never_claimed_again(
    spool: Spool, ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    assert settle(ours, claim, SENT, ACCEPTED)
    now = delivery(spool, claim)
    assert (now.status, now.provider, now.detail, now.updated) == (Status.SENT, "smtp", "250 OK", NOW + 1)
    assert [(one.outcome, one.ms, one.detail) for one in now.attempts] == [(Outcome.ACCEPTED, 12, "250 OK")]
    assert ours.turn(NOW + 1e9, NOW + 2e9, want=1).claims == ()


def test_settle_when_another_made_a_later_attempt_then_only_the_attempt_is_noted(
    spool: Spool, ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    started(theirs, UNTIL)
    assert not settle(
        ours, claim, Verdict(Status.FAILED, "550"), Result(Outcome.REJECTED_RECIPIENT, 1, "550")
    )
    now = delivery(spool, claim)
    assert now.status is Status.SENDING
    assert [one.outcome for one in now.attempts] == [Outcome.REJECTED_RECIPIENT, None]


def test_settle_when_another_holds_it_uncertain_and_we_know_it_was_accepted_then_sent(
    spool: Spool, ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    taken = claim_one(theirs, UNTIL)
    assert taken.status is Status.SENDING
    assert settle(theirs, taken, Verdict(Status.UNCERTAIN, "?", due=UNTIL + 60), UNCERTAIN)
    assert settle(ours, claim, SENT, ACCEPTED)
    assert delivery(spool, claim).status is Status.SENT
    assert [one.outcome for one in delivery(spool, claim).attempts] == [Outcome.ACCEPTED]


def test_settle_when_another_holds_it_then_we_do_not_go_on_with_it(
    ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    claim_one(theirs, UNTIL)
    unavailable = Result(Outcome.UNAVAILABLE, 1, "refused")
    assert not settle(ours, claim, Verdict(Status.QUEUED, "refused", again=True), unavailable)
    assert not settle(ours, claim, Verdict(Status.QUEUED, "", due=UNTIL), None)


@pytest.mark.parametrize("status", [Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.CANCELLED])
def test_settle_when_better_is_known_then_it_stays(
    spool: Spool, ours: Leases, database: Database, submit: Callable[..., Submission], status: Status
) -> None:
    submit()
    claim = started(ours)
    with database.transaction() as connection:
        connection.execute(deliveries.update().values(status=status, due=None, lease=""))
    assert not settle(ours, claim, SENT, ACCEPTED)
    assert delivery(spool, claim).status is status


def test_settle_when_two_verdicts_of_one_attempt_come_together_then_the_later_holds(
    spool: Spool, ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    again = Settlement(
        claim, Verdict(Status.QUEUED, "refused", again=True), Result(Outcome.UNAVAILABLE, 1, "refused")
    )
    wait = Settlement(claim, Verdict(Status.DEFERRED, "refused", due=NOW + 60, rounds=1))
    assert ours.turn(NOW, UNTIL, [again, wait]).applied == (True, True)
    assert delivery(spool, claim).status is Status.DEFERRED
    assert ours.turn(NOW + 59, NOW + 100, want=1).claims == ()
    assert claim_one(ours, NOW + 60).rounds == 1


def test_settle_when_the_answer_holds_what_no_database_takes_then_cleaned(
    spool: Spool, ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim = started(ours)
    strange = "a\0b\ud800c" + "x" * 5000
    assert settle(ours, claim, Verdict(Status.SENT, strange), Result(Outcome.ACCEPTED, 1, strange, "id\0"))
    now = delivery(spool, claim)
    assert now.detail.startswith("ab?cx")
    assert len(now.detail) == len(now.attempts[0].detail) < 1001


def test_take_over_when_the_holder_is_gone_then_due_at_once(
    ours: Leases, theirs: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    submit()
    submit()
    claim_one(theirs)
    started(theirs)
    assert ours.take_over(NOW + 1, lambda holder: holder != "theirs") == 0
    assert ours.take_over(NOW + 1, lambda holder: holder == "theirs") == 2
    claims = ours.turn(NOW + 1, NOW + 21, want=9).claims
    assert sorted(claim.status for claim in claims) == [Status.QUEUED, Status.QUEUED, Status.SENDING]


def test_take_over_when_it_is_our_own_then_left_alone(
    ours: Leases, submit: Callable[..., Submission]
) -> None:
    submit()
    claim_one(ours)
    assert ours.take_over(NOW, lambda _: True) == 0


def test_turns_when_two_containers_claim_in_turn_then_nothing_is_claimed_twice(
    ours: Leases, theirs: Leases, submit: Callable[..., Submission], database: Database
) -> None:
    submit(*(f"r{n}@example.com" for n in range(100)))
    claimed = [
        claim.id for _ in range(10) for one in (ours, theirs) for claim in one.turn(NOW, UNTIL, want=7).claims
    ]
    assert len(claimed) == len(set(claimed)) == 100
    with database.read() as connection:
        assert connection.scalar(select(func.count()).where(deliveries.c.lease == "")) == 0


def test_holder_when_its_process_runs_then_not_gone() -> None:
    assert not is_gone(new_holder())
    assert new_holder() != new_holder()


def test_holder_when_its_process_ended_then_gone() -> None:
    code = "from mta.holder import new_holder; print(new_holder())"
    holder = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert is_gone(holder)


def test_holder_when_its_process_id_was_given_again_then_gone() -> None:
    *place, pid, _started, unique = new_holder().split("|")
    assert pid == str(os.getpid())
    assert is_gone("|".join([*place, pid, "1", unique]))


def test_holder_when_of_another_host_then_not_known_to_be_gone() -> None:
    _host, *rest = new_holder().split("|")
    assert not is_gone("|".join(["elsewhere", *rest]))
