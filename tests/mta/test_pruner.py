"""What was finished long ago leaves the spool, and is shown as before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import func, select, text

from mta.claim import Claim, Result
from mta.errors import KeyConflict
from mta.holder import new_holder
from mta.leases import Leases
from mta.outcomes import Outcome, Status
from mta.pruner import MOST_SUBMISSIONS, PERIOD, Pruner
from mta.settings import ContainerSettings
from mta.settling import Settlement
from mta.spool import Spool
from mta.submission import Attempt, Submission
from mta.tables import attempts, deliveries
from mta.verdict import Verdict
from store import Database
from tests.mta.scripted import Clock, Scripted, Station, mail, wait_until

DAY = 86400.0
KEEP = 30 * DAY


@pytest.fixture(autouse=True)
def due(database: Database) -> None:
    """No round was made yet."""
    with database.transaction() as connection:
        connection.execute(text("UPDATE spool_chores SET due = 0"))


@pytest.fixture
def spool(database: Database) -> Spool:
    return Spool(database)


@pytest.fixture
def pruner(database: Database, clock: Clock) -> Pruner:
    return Pruner(database, KEEP, clock)


@pytest.fixture
def finish(database: Database, clock: Clock) -> Callable[[], None]:
    """Makes two attempts for everything that is due: the first is refused, and the second is taken."""
    leases = Leases(database, new_holder())

    def settle(claim: Claim, number: int, verdict: Verdict, outcome: Outcome) -> Claim:
        now = clock.now + number
        assert leases.start(claim.id, number - 1, f"relay {number}", now)
        tried = replace(claim, attempt=number, provider=f"relay {number}", status=Status.SENDING)
        result = Result(outcome, 12, f"answer {number}", "abc")
        assert leases.turn(now, now + 20, [Settlement(tried, verdict, result)]).applied == (True,)
        return verdict.carry_on(tried)

    def finish() -> None:
        for claim in leases.turn(clock.now, clock.now + 20, want=1000).claims:
            again = Verdict(Status.QUEUED, "answer 1", again=True)
            next = settle(claim, 1, again, Outcome.UNAVAILABLE)
            settle(next, 2, Verdict(Status.SENT, "answer 2"), Outcome.ACCEPTED)

    return finish


def rows(database: Database) -> tuple[int, int]:
    """Deliveries and attempts in the spool."""
    with database.read() as connection:
        count = [connection.scalar(select(func.count()).select_from(one)) for one in (deliveries, attempts)]
    return count[0] or 0, count[1] or 0


def shown(submission: Submission) -> Submission:
    """The submission with only the last attempt of each delivery, without what the provider called it."""

    def last(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
        return tuple(replace(one, provider_id="") for one in attempts[-1:])

    return replace(
        submission,
        deliveries=tuple(replace(one, attempts=last(one.attempts)) for one in submission.deliveries),
    )


def test_prune_when_finished_long_ago_then_shown_as_before(
    spool: Spool, database: Database, pruner: Pruner, clock: Clock, finish: Callable[[], None]
) -> None:
    submission, _ = spool.submit(mail("bob@example.com", "jürgen@example.com"), clock.now, DAY)
    finish()
    before = spool.submission(submission.id)
    assert before is not None
    assert rows(database) == (2, 4)
    clock.forward(KEEP + 60)
    assert pruner.prune() == 1
    assert rows(database) == (0, 0)
    assert spool.submission(submission.id) == shown(before)
    assert {one.status for one in before.deliveries} == {Status.SENT}
    with pytest.raises(KeyError):
        spool.raw(submission.id)


def test_submit_when_the_same_was_pruned_then_still_the_same_submission(
    spool: Spool, database: Database, pruner: Pruner, clock: Clock, finish: Callable[[], None]
) -> None:
    first, _ = spool.submit(mail(), clock.now, DAY)
    finish()
    clock.forward(KEEP + 60)
    assert pruner.prune() == 1
    again, is_new = spool.submit(mail(), clock.now, DAY)
    assert (again.id, is_new) == (first.id, False)
    assert again.deliveries[0].status is Status.SENT
    assert rows(database) == (0, 0)
    with pytest.raises(KeyConflict):
        spool.submit(mail(raw=b"Subject: Other\r\n\r\n"), clock.now, DAY)
    assert spool.cancel(first.id, clock.now) == []


def test_prune_when_not_finished_or_lately_then_whole(
    spool: Spool, database: Database, pruner: Pruner, clock: Clock, finish: Callable[[], None]
) -> None:
    lately, _ = spool.submit(mail(key="lately", not_before=clock.now + KEEP), clock.now, DAY)
    clock.forward(KEEP + 60)
    waiting, _ = spool.submit(mail(key="waiting", not_before=clock.now + 2 * KEEP), clock.now - 2 * KEEP, DAY)
    finish()
    assert pruner.prune() == 0
    assert rows(database) == (2, 2)
    assert spool.raw(lately.id) == spool.raw(waiting.id) == mail().raw


def test_prune_when_another_container_did_then_not_again_before_the_hour(
    spool: Spool, database: Database, pruner: Pruner, clock: Clock, finish: Callable[[], None]
) -> None:
    for number in range(3):
        spool.submit(mail(key=str(number)), clock.now, DAY)
    finish()
    clock.forward(KEEP + 60)
    pruners = [Pruner(database, KEEP, clock) for _ in range(8)]
    at_once = threading.Barrier(len(pruners))

    def prune(one: Pruner) -> int:
        at_once.wait()
        return one.prune()

    with ThreadPoolExecutor(len(pruners)) as pool:
        assert sorted(pool.map(prune, pruners)) == [0] * 7 + [3]
    spool.submit(mail(key="another"), clock.now - KEEP - 120, DAY)
    clock.forward(-KEEP - 120)
    finish()
    clock.forward(KEEP + 120)
    assert pruner.prune() == 0
    clock.forward(PERIOD)
    assert pruner.prune() == 1


def test_prune_when_the_clock_was_far_ahead_once_then_goes_on(
    spool: Spool, pruner: Pruner, clock: Clock, finish: Callable[[], None]
) -> None:
    clock.forward(1000 * DAY)
    assert pruner.prune() == 0
    clock.forward(-1000 * DAY)
    spool.submit(mail(), clock.now, DAY)
    finish()
    clock.forward(KEEP + 60)
    assert pruner.prune() == 1


def test_prune_when_there_are_more_than_one_batch_takes_then_all(
    spool: Spool, database: Database, pruner: Pruner, clock: Clock, finish: Callable[[], None]
) -> None:
    spool.submit(mail(*(f"r{number}@example.com" for number in range(300)), key="list"), clock.now, DAY)
    for number in range(MOST_SUBMISSIONS + 5):
        spool.submit(mail(key=str(number)), clock.now, DAY)
    finish()
    clock.forward(KEEP + 60)
    assert pruner.prune() == MOST_SUBMISSIONS + 6
    assert rows(database) == (0, 0)


def test_container_when_it_runs_then_prunes_by_itself(
    station: Callable[..., Station], database: Database, clock: Clock
) -> None:
    settings = ContainerSettings(poll=0.02, keep=KEEP)
    before = station(Scripted("smtp"), settings=replace(settings, keep=0.0))
    submission = before.submit()
    before.wait_for(submission, Status.SENT)
    clock.forward(KEEP + 60)
    after = station(Scripted("smtp"), settings=settings)
    wait_until(lambda: rows(database) == (0, 0))
    assert after.delivery(submission).status is Status.SENT
    assert [one.outcome for one in after.delivery(submission).attempts] == [Outcome.ACCEPTED]
