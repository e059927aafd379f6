"""A mail is found by whatever an operator knows of it, through an index, whatever else there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import event, text

from mta.desk import Desk
from mta.inquiry import By
from mta.outcomes import Answer, Outcome, Status
from mta.settling import LONGEST_ANSWER
from store import Database
from tests.mta.scripted import Clock, Scripted, Station, mail

RAW = b"Subject: Hello\r\nMessage-ID:\r\n <one@example.com>\r\n\r\nMessage-ID: <two@example.com>\r\n"


@pytest.fixture
def sent(station: Callable[..., Station]) -> Station:
    """A container that sent one mail among others."""
    return station(Scripted("smtp", Answer(Outcome.ACCEPTED, "ok", provider_id="4bX-77")))


@pytest.mark.parametrize(
    ("words", "by"),
    [
        ("Grace@Example.COM".replace("G", "g"), By.RECIPIENT),
        ("ann@example.com", By.SENDER),
        ("QUARTERLY rep", By.SUBJECT),
        ("quarterly report", By.SUBJECT),
        ("one@example.com", By.MESSAGE_ID),
        ("<one@example.com>", By.MESSAGE_ID),
        ("4bX-77", By.PROVIDER_ID),
    ],
)
def test_find_when_a_mail_fits_then_it_and_no_other(sent: Station, words: str, by: By) -> None:
    submission = sent.submit("grace@example.com", subject="Quarterly Report", raw=RAW)
    sent.wait_for(submission, Status.SENT)
    other = sent.container.submit(
        mail("bob@example.net", key="other", sender="eve@example.net", subject="Report")
    )
    for how in (by, By.ANYTHING):
        found = sent.container.inquiry.find(words, how)
        assert submission.id in [one.id for one in found]
        if by is not By.PROVIDER_ID:
            assert other.id not in [one.id for one in found]
    assert found[0].deliveries[0].attempts[0].outcome is Outcome.ACCEPTED


def test_find_when_it_is_an_id_then_that_mail(sent: Station) -> None:
    submission = sent.submit()
    for words in (submission.id, submission.deliveries[0].id, f"  {submission.id} "):
        assert [one.id for one in sent.container.inquiry.find(words)] == [submission.id]


def test_answers_when_a_provider_said_more_than_its_sentence_then_whole_but_not_endless(
    station: Callable[..., Station],
) -> None:
    long = '{"why": "' + "é\0" * 5000
    refused = Answer(Outcome.UNAVAILABLE, "It is down.", whole=long)
    sender = station(
        Scripted("first", refused), Scripted("second", Answer(Outcome.ACCEPTED, "ok", provider_id="7"))
    )
    delivery = sender.wait_for(submission := sender.submit(), Status.SENT)
    (key, said), *others = sender.container.inquiry.answers(submission.id).items()
    assert key == (delivery.id, 1)
    assert said.startswith('{"why": "éé')
    assert 1900 < len(said) <= LONGEST_ANSWER
    assert not others
    assert [one.provider_id for one in delivery.attempts] == ["", "7"]
    assert sender.container.inquiry.answers("nothing") == {}


@pytest.mark.parametrize("words", ["", "  ", "\0", "nobody@example.com", "two@example.com", "%", "x" * 5000])
def test_find_when_nothing_fits_then_nothing(sent: Station, words: str) -> None:
    sent.submit(raw=RAW)
    assert sent.container.inquiry.find(words) == []


def test_find_looks_at_no_more_than_what_it_finds(database: Database, clock: Clock) -> None:
    desk = Desk(database, clock=clock)
    for number in range(60):
        clock.forward(1)
        desk.submit(mail(f"p{number}@example.com", key=str(number)))
    with database.transaction() as connection:
        connection.execute(text("ANALYZE"))
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are small
    plans: list[str] = []
    asked: list[tuple[str, object]] = []
    with database.read() as connection:

        def note(_conn: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
            asked.append((statement, parameters))

        event.listen(database.engine, "before_cursor_execute", note)
        for by in By:
            desk.inquiry.find("p7@example.com", by)
        desk.inquiry.waiting(5)
        event.remove(database.engine, "before_cursor_execute", note)
        if not database.is_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in asked:
            explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
            rows = connection.exec_driver_sql(explain + statement, parameters)  # type: ignore[arg-type]
            plans += [" ".join(map(str, row)) for row in rows]
        connection.rollback()
    assert len(asked) > len(By)
    for plan in plans:
        assert "Seq Scan" not in plan
        if "SCAN spool" in plan:
            assert "spool_deliveries_due" in plan  # in its order, and no further than the limit
    assert any("spool_submissions_subject" in plan for plan in plans)


def test_find_when_many_fit_then_the_newest(database: Database, clock: Clock) -> None:
    desk = Desk(database, clock=clock)
    ids = []
    for number in range(5):
        clock.forward(1)
        ids.append(desk.submit(mail(key=str(number))).id)
    assert [one.id for one in desk.inquiry.find("bob@example.com", limit=2)] == ids[:-3:-1]


def test_waiting_lists_what_is_due_and_nothing_that_is_over(station: Callable[..., Station]) -> None:
    one = station(Scripted("smtp"), begin=False)
    waits = one.submit("late@example.com", not_before=one.container._clock() + 60)
    over = one.submit("gone@example.com")
    one.container.cancel(over.id)
    (found,) = one.container.inquiry.waiting()
    assert (found.submission, found.recipient, found.status) == (waits.id, "late@example.com", Status.QUEUED)
    assert found.due - found.accepted == pytest.approx(60, abs=0.01)


def test_retry_when_a_mail_has_failed_then_it_is_sent_after_all(station: Callable[..., Station]) -> None:
    refusal = Answer(Outcome.REJECTED_RECIPIENT, "no such user")
    one = station(Scripted("smtp", refusal, Outcome.ACCEPTED))
    submission = one.submit()
    delivery = one.wait_for(submission, Status.FAILED)
    assert one.container.retry(submission.id, delivery.id) is not None
    done = one.wait_for(submission, Status.SENT)
    assert [attempt.outcome for attempt in done.attempts] == [Outcome.REJECTED_RECIPIENT, Outcome.ACCEPTED]
    again = one.container.retry(submission.id, delivery.id)
    assert again is not None
    assert again.deliveries[0].status is Status.SENT, "what was sent is not sent again"
    assert one.container.retry("nothing", delivery.id) is None
