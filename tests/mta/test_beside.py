"""Several processes on one spool: what one does the others hear, and what came in to one another files."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text

from mta import correspondent
from mta.desk import Desk
from mta.events import Event, EventKind, OwnerChange, StatusChange
from mta.incoming import IncomingMail, IncomingTray
from mta.news import KEPT, News, write_news
from mta.outcomes import Status
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE, incoming, news
from store import Database, StoreUnavailable, migrate
from tests.e2e.server import Sender
from tests.migrated import SPOOL, migrated
from tests.mta.scripted import PATIENCE, Scripted, Station, mail, wait_until

Start = Callable[..., Station]
CHANGE = StatusChange(1.0, "ann", "s", "s-0", "bob@example.com", Status.SENT, "smtp", 'It "took" it.\n🚀')
NOTICE = Event(EventKind.INFORM_USER, 2.0, "Sent.", "smtp", "ann", "s", "s-0", "bob@example.com", Status.SENT)


@pytest.fixture
def desk(database: Database) -> Iterator[Callable[[], Desk]]:
    desks: list[Desk] = []

    def start() -> Desk:
        desks.append(Desk(database))
        desks[-1].start()
        return desks[-1]

    yield start
    for one in desks:
        assert one.stop(PATIENCE)


def arrival(id: str) -> IncomingMail:
    return IncomingMail(
        id, "bob@example.com", "ann@example.com", b"Subject: " + id.encode() + b"\r\n\r\nx", 1.0
    )


def test_news_when_others_write_then_read_once_in_order_and_never_ones_own(database: Database) -> None:
    mine, theirs = News(database, "mine"), News(database, "theirs")
    theirs.post([OwnerChange(0.0, "before")], 0.0)
    mine.begin()
    theirs.post([CHANGE, NOTICE], 1.0)
    mine.post([OwnerChange(3.0, "me")], 3.0)
    theirs.post([OwnerChange(4.0, "ann")], 4.0)
    assert mine.read() == [CHANGE, NOTICE, OwnerChange(4.0, "ann")]
    assert mine.read() == []


def test_news_when_another_release_wrote_more_then_what_is_known_is_read(database: Database) -> None:
    mine = News(database, "mine")
    mine.begin()
    known = {"is": "owner", "at": 1.0, "owner": "ann", "colour": "red"}
    body = json.dumps([{"is": "surprise", "at": 2.0}, {"is": "event", "kind": "NEW"}, known])
    with database.transaction() as connection:
        connection.execute(news.insert().values(at=1.0, holder="newer", body=body))
    assert mine.read() == [OwnerChange(1.0, "ann")]


def test_news_when_an_earlier_number_is_committed_later_then_it_is_read_all_the_same(
    postgres_url: str,
) -> None:
    database = Database(postgres_url)
    migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
    mine = News(database, "mine")
    mine.begin()
    with database.transaction() as slow:
        write_news(slow, "theirs", 1.0, [OwnerChange(1.0, "slow")])
        with database.transaction() as quick:
            write_news(quick, "theirs", 1.0, [OwnerChange(1.0, "quick")])
        assert mine.read() == [OwnerChange(1.0, "quick")]
    assert mine.read() == [OwnerChange(1.0, "slow")]
    assert mine.read() == []
    database.close()


def test_news_when_old_then_forgotten_and_numbers_are_not_given_again(database: Database) -> None:
    mine, theirs = News(database, "mine"), News(database, "theirs")
    mine.begin()
    theirs.post([OwnerChange(0.0, "old")], 0.0)
    assert len(mine.read()) == 1
    theirs.forget(KEPT + 1.0)
    with database.read() as connection:
        assert connection.execute(news.select()).first() is None
    theirs.post([OwnerChange(9.0, "new")], 9.0)
    assert mine.read() == [OwnerChange(9.0, "new")]


def test_desk_when_a_container_sends_then_its_changes_and_notices_are_told(
    station: Start, desk: Callable[[], Desk]
) -> None:
    beside = desk()
    changes: list[StatusChange] = []
    events: list[Event] = []
    beside.watch(changes.append)
    beside.listen(events.append)
    station(Scripted("smtp"), time=time.time)
    submission = beside.submit(mail())
    wait_until(lambda: [one.status for one in changes] == [Status.SENDING, Status.SENT], lambda: changes)
    wait_until(lambda: any(one.kind is EventKind.INFORM_USER for one in events), lambda: events)
    assert {one.submission_id for one in changes} == {submission.id}
    assert [one.kind for one in events if one.kind is EventKind.OK] == []
    assert [one.name for one in beside.health()] == ["smtp"]


def test_desk_when_one_announces_then_each_hears_it_once(desk: Callable[[], Desk]) -> None:
    one, other = desk(), desk()
    heard: dict[str, list[str]] = {"one": [], "other": []}
    one.follow(heard["one"].append)
    other.follow(heard["other"].append)
    one.announce("ann")
    wait_until(lambda: heard == {"one": ["ann"], "other": ["ann"]}, lambda: heard)
    other.announce("bob")
    wait_until(lambda: heard == {"one": ["ann", "bob"], "other": ["ann", "bob"]}, lambda: heard)


def test_desk_when_it_cancels_then_the_others_hear_it(desk: Callable[[], Desk]) -> None:
    one, other = desk(), desk()
    changes: list[StatusChange] = []
    other.watch(changes.append)
    submission = one.submit(mail())
    one.cancel(submission.id)
    wait_until(lambda: [change.status for change in changes] == [Status.CANCELLED], lambda: changes)


def test_tray_when_a_mail_cannot_be_filed_then_it_stays_and_keeps_no_other_waiting(
    desk: Callable[[], Desk], database: Database
) -> None:
    filed: list[str] = []

    def file(mail: IncomingMail) -> None:
        if mail.id.startswith("bad"):
            raise RuntimeError("the disk is full")
        filed.append(mail.id)

    one = desk()
    for number in range(30):
        one.hand_in(arrival(f"bad-{number:02}"))
    one.hand_in(arrival("good"))
    one.hand_in(arrival("good"))
    one.file_with(file)
    wait_until(lambda: filed == ["good"], lambda: filed)
    wait_until(lambda: "good" not in IncomingTray(database).ids("", 100))
    assert len(IncomingTray(database).ids("", 100)) == 30


def test_tray_when_the_store_is_away_then_it_is_filed_once_that_is_back(
    desk: Callable[[], Desk], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correspondent, "STORE_PAUSE", 0.05)
    tries: list[str] = []

    def file(mail: IncomingMail) -> None:
        tries.append(mail.id)
        if len(tries) < 3:
            raise StoreUnavailable("the store server does not answer")

    one = desk()
    one.hand_in(arrival("one"))
    one.file_with(file)
    wait_until(lambda: IncomingTray(database).ids("", 100) == [], lambda: tries)
    assert tries == ["one"] * 3


def test_tray_when_two_processes_file_then_each_mail_is_filed_and_none_stays(
    desk: Callable[[], Desk], database: Database
) -> None:
    filed: set[str] = set()
    for one in (desk(), desk()):
        one.file_with(lambda mail: filed.add(mail.id))
    for number in range(50):
        IncomingTray(database).put(arrival(str(number)))
    wait_until(lambda: filed == {str(number) for number in range(50)}, lambda: len(filed))
    wait_until(lambda: IncomingTray(database).ids("", 100) == [])


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{migrated(tmp_path / 'bitmail.db', SPOOL)}")
    yield database
    database.close()


def test_news_when_looked_for_then_by_their_numbers_whatever_else_there_is(shared: Database) -> None:
    asked: list[str] = []
    mine = News(shared, "mine")

    @event.listens_for(shared.engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, *more: object) -> None:
        if "FROM spool_news" in statement:
            asked.append(statement)

    mine.read()
    with shared.read() as connection:
        (statement,) = asked
        steps = [
            row[3]
            for row in connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement}", (0,) * statement.count("?")
            )
        ]
    assert not [step for step in steps if "SCAN" in step], (statement, steps)


def test_python_m_mta_when_killed_and_started_again_then_all_is_sent_and_filed_once(
    shared: Database, tmp_path: Path
) -> None:
    filed: list[str] = []
    seen: set[str] = set()
    lock = threading.Lock()

    def file(mail: IncomingMail) -> None:  # once, by its id, as INBOX does
        with lock:
            if mail.id not in seen:
                seen.add(mail.id)
                filed.append(mail.recipient)

    web = Desk(shared)
    web.start()
    sent: set[str] = set()
    web.watch(lambda change: sent.add(change.delivery_id) if change.status is Status.SENT else None)
    early = [web.submit(mail(key=f"early-{number}")) for number in range(10)]  # before anybody sends
    sender = Sender(tmp_path, BITMAIL_PROVIDERS="loopback?rate=40&concurrency=2")
    sender.start()
    wait_until(lambda: len(sent) >= 3, lambda: sent)
    late = [web.submit(mail(key=f"late-{number}")) for number in range(10)]
    sender.kill()
    sender.start()
    ids = [one.id for one in (*early, *late)]
    wait_until(
        lambda: all(
            delivery.status is Status.SENT
            for one in web.submissions(ids).values()
            for delivery in one.deliveries
        )
    )
    web.file_with(file)  # only now is there somebody who files
    wait_until(lambda: len(filed) == 20, lambda: filed)
    wait_until(lambda: IncomingTray(shared).ids("", 100) == [])
    assert sender.stop() == 0
    assert web.stop(PATIENCE)
    with shared.read() as connection:
        assert connection.execute(incoming.select()).first() is None
        assert (
            connection.execute(text("SELECT count(*) FROM spool_deliveries WHERE lease <> ''")).scalar() == 0
        )
