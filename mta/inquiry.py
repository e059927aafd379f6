"""The inquiry: finds a mail for an operator, by what is known of it, and lists what waits.

Each question is answered by an index, so that its cost depends on what is found and not on what there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BindParameter, ColumnElement, Connection, TextClause, and_, bindparam, select, text

from mta.acceptance import TIME_DIGITS
from mta.outcomes import Status
from mta.spool import Spool
from mta.submission import Submission
from mta.tables import SUBJECT_CHARACTERS, attempts, deliveries, submissions
from store.database import Database

MOST = 50
"""Mails that one question finds at most."""
MOST_ANSWERS = 500
"""Answers of providers that are shown of one mail."""
_ID = re.compile(r"([0-9a-f]{20,40})(?:-\d+)?")


class By(StrEnum):
    """What a mail is found by."""

    ANYTHING = "anything"
    RECIPIENT = "recipient"
    SENDER = "sender"
    SUBJECT = "subject"
    """The beginning of it, in any case."""
    MESSAGE_ID = "message-id"
    PROVIDER_ID = "provider-id"
    """What a provider calls a mail that it took."""
    SUBMISSION = "submission"
    """Its own id, or that of one of its deliveries."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that is not in a final state.

    Attributes:
        submission: the mail's id.
        delivery: its own id.
        recipient: `local@domain`.
        status: what is known of it.
        provider: the provider that had it last, or "".
        detail: why it waits.
        accepted: when the mail was accepted, in seconds since the epoch.
        due: when it is looked at again, in seconds since the epoch.
    """

    submission: str
    delivery: str
    recipient: str
    status: Status
    provider: str
    detail: str
    accepted: float
    due: float


class Inquiry:
    """Questions about one spool. Mails whose deliveries were pruned are no longer found by recipient or provider id."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self._database = database
        self._spool = spool

    def find(self, words: str, by: By = By.ANYTHING, limit: int = MOST) -> list[Submission]:
        """The newest mails that fit, newest first.

        Args:
            words: what is known.
            by: what that is.
            limit: mails at most.
        """
        words = words.strip().replace("\0", "")
        if not words:
            return []
        kinds = [kind for kind in By if kind is not By.ANYTHING] if by is By.ANYTHING else [by]
        found: set[str] = set()
        with self._database.read() as connection:
            for kind in kinds:
                found.update(self._ids(connection, kind, words, limit))
        ids = sorted(found, reverse=True)[:limit]
        mails = self._spool.submissions(ids)
        return [mails[id] for id in ids if id in mails]

    def answers(self, submission_id: str) -> dict[tuple[str, int], str]:
        """What providers answered to the attempts of a mail, whole, where more was said than the attempt's `detail`; by
        the delivery's id and the number of the attempt.
        """
        with self._database.read() as connection:
            rows = connection.execute(_ANSWERS, {"submission": submission_id}).all()
        return {(row.delivery_id, row.number): row.answer for row in rows}

    def waiting(self, limit: int = MOST) -> list[Waiting]:
        """The deliveries that are due next, or were due longest ago, most urgent first."""
        with self._database.read() as connection:
            rows = connection.execute(_WAITING, {"limit": limit}).all()
        return [
            Waiting(
                row.submission_id,
                row.id,
                row.recipient,
                Status(row.status),
                row.provider,
                row.detail,
                int(row.submission_id[:TIME_DIGITS], 16) / 1000,
                row.due,
            )
            for row in rows
        ]

    def _ids(self, connection: Connection, kind: By, words: str, limit: int) -> Sequence[str]:
        if kind is By.SUBMISSION:
            return [own[1]] if (own := _ID.fullmatch(words)) else []
        if kind is By.SUBJECT:
            # In no order: newest first would look at every mail that fits.
            begins = _begins(is_sqlite=self._database.is_sqlite)
            statement = select(submissions.c.id).where(begins).limit(limit)
            return connection.execute(statement, {"words": words[:SUBJECT_CHARACTERS]}).scalars().all()
        id, condition = _QUESTIONS[kind]
        statement = select(id).where(condition).order_by(id.desc()).limit(limit)
        if kind in (By.RECIPIENT, By.SENDER):
            local, at, domain = words.strip("<>").rpartition("@")
            words = f"{local}{at}{domain.lower()}"
        elif kind is By.MESSAGE_ID:
            words = f"<{words.strip('<>')}>"
        found = connection.execute(statement, {"words": words}).scalars()
        return [one.partition("-")[0] for one in found]


_WORDS: BindParameter[str] = bindparam("words")
_QUESTIONS: dict[By, tuple[ColumnElement[str], ColumnElement[bool]]] = {
    By.RECIPIENT: (deliveries.c.submission_id, deliveries.c.recipient == _WORDS),
    By.SENDER: (submissions.c.id, submissions.c.sender == _WORDS),
    By.MESSAGE_ID: (
        submissions.c.id,
        and_(submissions.c.message_id == _WORDS, submissions.c.message_id != ""),
    ),
    By.PROVIDER_ID: (
        attempts.c.delivery_id,
        and_(attempts.c.provider_id == _WORDS, attempts.c.provider_id != ""),
    ),
}
_ANSWERS = (
    select(attempts.c.delivery_id, attempts.c.number, attempts.c.answer)
    .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
    .where(deliveries.c.submission_id == bindparam("submission"), attempts.c.answer != "")
    .order_by(deliveries.c.position, attempts.c.number)
    .limit(MOST_ANSWERS)
)
_WAITING = (
    select(
        deliveries.c.submission_id,
        deliveries.c.id,
        deliveries.c.recipient,
        deliveries.c.status,
        deliveries.c.provider,
        deliveries.c.detail,
        deliveries.c.due,
    )
    .where(deliveries.c.due.is_not(None))
    .order_by(deliveries.c.priority, deliveries.c.due)
    .limit(bindparam("limit"))
)


def _begins(*, is_sqlite: bool) -> TextClause:
    """Whether a subject begins with the words; PostgreSQL's index goes by letters and not by a language's order."""
    start, words = f"lower(substr(subject, 1, {SUBJECT_CHARACTERS}))", "lower(CAST(:words AS TEXT))"
    least, less = (">=", "<") if is_sqlite else ("~>=~", "~<~")
    return text(f"{start} {least} {words} AND {start} {less} ({words} || '\U0010ffff')")
