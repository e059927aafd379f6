"""Accepting submissions, and showing what became of them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import IntegrityError

from mta.errors import KeyConflict
from mta.outcomes import Status
from mta.spool import Spool
from mta.submission import NewSubmission, Priority, Submission
from mta.tables import MTA_MIGRATIONS, MTA_VERSION_TABLE, deliveries, metadata, submissions
from store import Database, migrate
from tests.mta.scripted import mail

Result = TypeVar("Result")

NOW = 1_800_000_000.0
LIFETIME = 86400.0
FINAL = {
    Status.SENT,
    Status.DELIVERED,
    Status.BOUNCED,
    Status.COMPLAINED,
    Status.FAILED,
    Status.CANCELLED,
}


@pytest.fixture
def spool(database: Database) -> Spool:
    return Spool(database)


def test_submit_when_it_returns_then_another_process_sees_all(spool: Spool, database: Database) -> None:
    raw = bytes(range(256)) * 10
    submission, is_new = spool.submit(mail("bob@example.com", "cat@example.com", raw=raw), NOW, LIFETIME)
    assert is_new
    other = Database(database.url.render_as_string(hide_password=False))
    assert Spool(other).submission(submission.id) == submission
    assert Spool(other).raw(submission.id) == raw
    other.close()
    assert [one.recipient for one in submission.deliveries] == ["bob@example.com", "cat@example.com"]
    assert {one.status for one in submission.deliveries} == {Status.QUEUED}


def test_submit_when_repeated_then_the_same_submission(spool: Spool) -> None:
    first, _ = spool.submit(mail(), NOW, LIFETIME)
    again, is_new = spool.submit(mail(), NOW + 5, LIFETIME)
    assert not is_new
    assert again == first


@pytest.mark.parametrize(
    "other",
    [
        {"raw": b"Subject: Hello\r\n\r\nHi!\r\n"},
        {"subject": "Hello!"},
        {"sender": "ann@example.org"},
        {"recipients": ("bob@example.com", "eve@example.com")},
    ],
)
def test_submit_when_the_key_was_used_for_another_mail_then_refused(
    spool: Spool, other: dict[str, Any]
) -> None:
    first, _ = spool.submit(mail(), NOW, LIFETIME)
    with pytest.raises(KeyConflict, match="new key"):
        spool.submit(replace(mail(), **other), NOW, LIFETIME)
    assert spool.submission(first.id) == first


def test_submit_when_fields_could_run_together_then_they_do_not(spool: Spool) -> None:
    spool.submit(mail("a@example.com", subject="b\nc"), NOW, LIFETIME)
    with pytest.raises(KeyConflict):
        spool.submit(mail("a@example.com", "b", subject="c"), NOW, LIFETIME)


def test_submit_when_composed_anew_with_the_same_fingerprint_then_the_same_submission(spool: Spool) -> None:
    first, _ = spool.submit(mail(raw=b"Date: 1\r\n\r\n", fingerprint="f"), NOW, LIFETIME)
    again, _ = spool.submit(mail(raw=b"Date: 2\r\n\r\n", fingerprint="f"), NOW, LIFETIME)
    assert again.id == first.id
    assert spool.raw(first.id) == b"Date: 1\r\n\r\n"
    with pytest.raises(KeyConflict):
        spool.submit(mail(fingerprint="g"), NOW, LIFETIME)


def test_submit_when_two_owners_use_one_key_then_two_submissions(spool: Spool) -> None:
    first, _ = spool.submit(mail(), NOW, LIFETIME)
    second, is_new = spool.submit(mail(owner="eve"), NOW, LIFETIME)
    assert is_new
    assert first.id != second.id


def test_submit_when_many_come_at_once_with_few_keys_then_one_submission_a_key(
    spool: Spool, database: Database
) -> None:
    barrier = threading.Barrier(16)

    def submit(number: int) -> tuple[str, str]:
        if number < 16:
            barrier.wait()
        key = f"key-{number % 8}"
        return key, spool.submit(mail(key=key), NOW, LIFETIME)[0].id

    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(submit, range(160)))
    assert len(made) == 8
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(submissions)) == 8
        assert connection.scalar(select(func.count()).select_from(deliveries)) == 8


def test_submit_all_when_a_key_stands_in_it_twice_then_the_first_has_it(spool: Spool) -> None:
    other = mail(key="b", raw=b"Subject: Other\r\n\r\nwords\r\n")
    first, again, refused, last = spool.submit_all(
        [mail(key="b"), mail(key="b"), other, mail(key="a")], NOW, LIFETIME
    )

    assert not isinstance(first, KeyConflict)
    assert not isinstance(last, KeyConflict)
    assert (first[1], last[1]) == (True, True)
    assert again == (first[0], False)
    assert isinstance(refused, KeyConflict)
    assert {len(one.deliveries) for one in (first[0], last[0])} == {1}


@pytest.fixture
def spools(database: Database) -> Iterator[list[Spool]]:
    """Of several processes, as far as the database can tell: each has connections of its own."""
    others = [Database(database.url.render_as_string(hide_password=False)) for _ in range(4)]
    yield [Spool(one) for one in others]
    for one in others:
        one.close()


def at_once(spools: list[Spool], submit: Callable[[Spool, int], Result]) -> list[Result]:
    """What each of several submitters of each spool gets, all starting at the same moment."""
    submitters = [spool for spool in spools for _ in range(4)]
    barrier = threading.Barrier(len(submitters))

    def start(number: int) -> Result:
        barrier.wait()
        return submit(submitters[number], number)

    with ThreadPoolExecutor(len(submitters)) as pool:
        return list(pool.map(start, range(len(submitters))))


def test_submit_when_several_processes_use_one_key_at_once_then_one_of_them_made_the_submission(
    spools: list[Spool], database: Database
) -> None:
    def submit(key: str, spool: Spool, _number: int) -> tuple[Submission, bool]:
        return spool.submit(mail(key=key), NOW, LIFETIME)

    for race in range(10):
        made = at_once(spools, partial(submit, f"{race}"))
        assert len({submission.id for submission, _ in made}) == 1
        assert [is_new for _, is_new in made].count(True) == 1
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(deliveries)) == 10


def test_submit_when_several_processes_use_one_key_for_different_mails_at_once_then_one_mail_wins(
    spools: list[Spool], database: Database
) -> None:
    def submit(key: str, spool: Spool, number: int) -> bool:
        try:
            return spool.submit(mail(key=key, subject=f"Mail {number}"), NOW, LIFETIME)[1]
        except KeyConflict:
            return False

    for race in range(10):
        assert at_once(spools, partial(submit, f"{race}")).count(True) == 1
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(deliveries)) == 10


def test_submit_when_one_conflicts_among_many_then_only_that_is_refused(spool: Spool) -> None:
    spool.submit(mail(key="used"), NOW, LIFETIME)

    def submit(number: int) -> bool:
        try:
            key = "used" if number == 7 else f"key-{number}"
            return spool.submit(mail(key=key, subject=f"Mail {number}"), NOW, LIFETIME)[1]
        except KeyConflict:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(submit, range(16))) == [number != 7 for number in range(16)]


def test_submit_when_a_recipient_stands_twice_then_one_delivery(spool: Spool) -> None:
    submission, _ = spool.submit(mail("b@example.com", "a@example.com", "b@example.com"), NOW, LIFETIME)
    assert [one.recipient for one in submission.deliveries] == ["b@example.com", "a@example.com"]


def test_submit_soon_when_a_mail_takes_long_to_look_through_then_the_caller_goes_on(spool: Spool) -> None:
    went_on = threading.Event()
    answer: Future[tuple[list[str | KeyConflict] | None, BaseException | None]] = Future()

    class Long(NewSubmission):
        def digest(self) -> str:
            assert went_on.wait(10)
            return super().digest()

    new = Long("k", "ann", "ann@example.com", ("bob@example.com",), "Long", b"Subject: Long\r\n\r\nwords\r\n")
    spool.submit_soon([new], NOW, LIFETIME, lambda ids, error: answer.set_result((ids, error)))
    went_on.set()

    ids, error = answer.result(10)
    assert error is None
    assert ids is not None
    (id,) = ids
    assert isinstance(id, str)
    assert spool.raw(id) == new.raw


@pytest.mark.parametrize("broken", [{"key": ""}, {"recipients": ()}])
def test_submission_when_it_cannot_be_then_refused(broken: dict[str, object]) -> None:
    given: dict[str, object] = {"key": "k", "recipients": ("a@example.com",), **broken}

    with pytest.raises(ValueError, match="needs"):
        NewSubmission(owner="", sender="", subject="", raw=b"", **given)  # type: ignore[arg-type]


def test_ids_when_earlier_ones_were_deleted_then_never_given_again(spool: Spool, database: Database) -> None:
    first, _ = spool.submit(mail(), NOW, LIFETIME)
    with database.transaction() as connection:
        connection.execute(submissions.delete())
        assert connection.scalar(select(func.count()).select_from(deliveries)) == 0
    second, _ = spool.submit(mail(), NOW, LIFETIME)
    assert second.id != first.id
    assert second.deliveries[0].id != first.deliveries[0].id


def test_submissions_when_a_page_of_fifty_is_asked_for_then_three_queries(
    spool: Spool, database: Database
) -> None:
    made = [
        spool.submit(mail("a@example.com", "b@example.com", key=f"{n}"), NOW, LIFETIME)[0] for n in range(50)
    ]
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    found = spool.submissions([*(one.id for one in made), "unknown"])
    event.remove(database.engine, "before_cursor_execute", note)
    assert found == {one.id: one for one in made}
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 3


def test_submission_when_unknown_then_none(spool: Spool) -> None:
    assert spool.submission("unknown") is None
    assert spool.submissions([]) == {}
    with pytest.raises(KeyError):
        spool.raw("unknown")


@pytest.mark.parametrize("status", list(Status))
def test_retry_when_another_try_may_help_then_queued_anew_and_otherwise_as_it_was(
    spool: Spool, database: Database, status: Status
) -> None:
    submission, _ = spool.submit(mail("a@example.com", "b@example.com"), NOW, LIFETIME)
    one, two = submission.deliveries
    due = None if status in FINAL else NOW + 500
    with database.transaction() as connection:
        first = deliveries.c.id == one.id
        connection.execute(
            deliveries.update().where(first).values(status=status, due=due, rounds=7, refused_by="smtp")
        )
    may = status in {Status.DEFERRED, Status.BOUNCED, Status.FAILED, Status.UNCERTAIN}
    for wrong in (two.id, "unknown"):
        assert (
            spool.retry("unknown", one.id, NOW, LIFETIME) is spool.retry(submission.id, wrong, NOW, 1) is None
        )
    retried = spool.retry(submission.id, one.id, NOW + 100, LIFETIME)
    assert (retried is not None) == may
    with database.read() as connection:
        row = connection.execute(select(deliveries).where(first)).one()
    assert row.status == (Status.QUEUED if may else status)
    assert row.due == (NOW + 100 if may else due)
    if may:
        assert (row.expires, row.rounds, row.refused_by) == (NOW + 100 + LIFETIME, 0, "")


def test_retry_when_a_container_holds_it_then_left_to_it(spool: Spool, database: Database) -> None:
    submission, _ = spool.submit(mail(), NOW, LIFETIME)
    with database.transaction() as connection:
        connection.execute(deliveries.update().values(status=Status.UNCERTAIN, due=NOW, lease="somebody"))
    assert spool.retry(submission.id, submission.deliveries[0].id, NOW, LIFETIME) is None


@pytest.mark.parametrize("status", list(Status))
def test_cancel_when_a_provider_may_have_it_then_it_stays(
    spool: Spool, database: Database, status: Status
) -> None:
    submission, _ = spool.submit(mail("a@example.com", "b@example.com"), NOW, LIFETIME)
    due = None if status in FINAL else NOW
    with database.transaction() as connection:
        first = deliveries.c.id == submission.deliveries[0].id
        connection.execute(deliveries.update().where(first).values(status=status, due=due))
    cancelled = spool.cancel(submission.id, NOW + 1)
    may = status in {Status.QUEUED, Status.DEFERRED}
    assert [one.recipient for one in cancelled] == (["a@example.com"] if may else []) + ["b@example.com"]
    now = spool.submission(submission.id)
    assert now is not None
    assert [one.status for one in now.deliveries] == [Status.CANCELLED if may else status, Status.CANCELLED]
    assert spool.cancel(submission.id, NOW + 2) == []


@pytest.mark.parametrize("status", list(Status))
def test_status_when_not_final_then_the_database_insists_on_when_to_look_again(
    spool: Spool, database: Database, status: Status
) -> None:
    spool.submit(mail(), NOW, LIFETIME)

    def put(due: float | None) -> bool:
        try:
            with database.transaction() as connection:
                connection.execute(deliveries.update().values(status=status, due=due))
        except IntegrityError:
            return False
        return True

    assert put(NOW) == (status not in FINAL)
    assert put(None) == (status in FINAL or status is Status.UNCERTAIN)


@pytest.mark.parametrize(
    ("recipients", "given", "priority"),
    [
        (1, None, Priority.NORMAL),
        (50, None, Priority.NORMAL),
        (51, None, Priority.LOW),
        (51, Priority.HIGH, Priority.HIGH),
    ],
)
def test_priority_when_not_given_then_long_lists_go_last(
    recipients: int, given: Priority | None, priority: Priority
) -> None:
    addresses = [f"r{number}@example.com" for number in range(recipients)]
    assert mail(*addresses, priority=given).rank is priority


def test_migration_when_done_then_tables_are_those_of_the_code(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "mta_version"})
        assert compare_metadata(context, metadata) == []


def words(sql: str) -> tuple[str, ...]:
    """In any order: a column that was added later stands last."""
    return tuple(sorted(re.findall(r"\w+|[^\w\s,]+", sql)))


def test_migration_when_done_on_sqlite_then_as_the_code_would_make_them(tmp_path: Path) -> None:
    """Checks, partial indexes and row ids too, which a comparison by Alembic leaves out."""
    database = Database(f"sqlite:///{tmp_path / 'migrated.db'}")
    migrate(database, MTA_MIGRATIONS, MTA_VERSION_TABLE)
    with database.read() as connection:
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name LIKE 'spool%'")).scalars()
        by_migration = {words(sql) for sql in made if sql}
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    with other.transaction() as connection:
        metadata.create_all(connection)
        made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name LIKE 'spool%'")).scalars()
        assert {words(sql) for sql in made if sql} == by_migration
    other.close()
    database.close()
