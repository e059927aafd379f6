"""What became of mail is counted by the minute, whichever container did it, and a look costs the minutes alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from mta.desk import Desk
from mta.events import OwnerChange, StatusChange
from mta.hooks.call import DeliveryReport
from mta.outcomes import Outcome, Status
from mta.tables import tallies
from mta.tallies import MINUTES, Tallies, add_tally
from store import Database
from tests.mta.scripted import Clock, Scripted, Station, wait_until

NOW = 6000.0 * 60


def count(database: Database, holder: str, minute: int, *statuses: Status) -> None:
    told = [StatusChange(0.0, "ann", "s", "d", "r", status, "smtp", "") for status in statuses]
    with database.transaction() as connection:
        add_tally(connection, holder, minute * 60.0 + 30, [OwnerChange(0.0, "ann"), *told])


def test_all_containers_are_counted_together_by_minute_and_half_hour(database: Database) -> None:
    count(database, "one", 6000, Status.SENT, Status.SENT, Status.FAILED, Status.SENDING)
    count(database, "one", 6000, Status.SENT)
    count(database, "other", 6000, Status.BOUNCED, Status.DEFERRED)
    count(database, "one", 5999, Status.COMPLAINED, Status.UNCERTAIN, Status.CANCELLED, Status.DELIVERED)
    count(database, "one", 5900, Status.SENT)
    count(database, "one", 6000 - MINUTES, Status.SENT)
    hour, day = Tallies(database).lately(NOW)
    assert (len(hour), len(day)) == (60, 48)
    assert [(one.at, one.sent, one.failed, one.held) for one in hour[-2:]] == [
        (NOW - 60, 0, 1, 1),
        (NOW, 3, 2, 1),
    ]
    assert sum(one.sent + one.failed + one.held for one in hour) == 8
    assert [sum(getattr(one, name) for one in day) for name in ("sent", "failed", "held")] == [4, 3, 2]


def test_what_is_a_day_old_is_forgotten(database: Database) -> None:
    for minute in (6000 - MINUTES, 6001 - MINUTES, 6000):
        count(database, "one", minute, Status.SENT)
    Tallies(database).forget(NOW)
    with database.read() as connection:
        assert sorted(connection.execute(select(tallies.c.minute)).scalars()) == [6001 - MINUTES, 6000]


def test_a_look_goes_by_the_minutes_whatever_the_spool_holds(database: Database) -> None:
    plan = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.transaction() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        asked = f"{plan} SELECT minute, sum(sent) FROM spool_tallies WHERE minute >= 5 GROUP BY minute"
        said = " ".join(str(row) for row in connection.execute(text(asked)))
    assert "USING PRIMARY KEY" in said or "spool_tallies_pkey" in said


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REJECTED_RECIPIENT])
def test_what_a_container_sends_and_a_report_changes_is_seen_in_another_process(
    station: Callable[..., Station], database: Database, clock: Clock, outcome: Outcome
) -> None:
    sender = station(Scripted("smtp", outcome))
    submission = sender.submit()
    status = Status.SENT if outcome is Outcome.ACCEPTED else Status.FAILED
    delivery = sender.wait_for(submission, status)
    beside = Desk(database, clock=clock)
    if outcome is Outcome.ACCEPTED:
        beside.take_reports(
            [DeliveryReport("r", "smtp", delivery.id, delivery.recipient, Status.BOUNCED, "no", clock())]
        )
        beside.settle_reports()
    hour, _ = beside.tallies.lately(clock())
    assert (hour[-1].sent, hour[-1].failed) == (int(outcome is Outcome.ACCEPTED), 1)


def test_whoever_looks_for_news_forgets_old_ones(database: Database) -> None:
    count(database, "gone", 5, Status.SENT)
    desk = Desk(database, clock=time.time)
    desk.start()

    def rows() -> int:
        with database.read() as connection:
            return len(connection.execute(select(tallies)).all())

    wait_until(lambda: rows() == 0)
    assert desk.stop()
