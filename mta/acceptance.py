"""Acceptance: a mail becomes a submission and its deliveries, many mails in one transaction."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from mta.outcomes import Status
from mta.statements import arrays, insertion
from mta.submission import Delivery, NewSubmission, Submission
from mta.tables import deliveries, submissions, traces
from mta.tree import is_plain, needs_mime, read_tree
from store.driver import Driver

TIME_DIGITS = 11
"""Hexadecimal digits at the beginning of an id that say when it was given, in milliseconds since the epoch."""
_MESSAGE_ID = re.compile(rb"(?:\A|\n)message-id:\s*(<[!-;=?-~]{1,200}>)", re.IGNORECASE)


class Acceptance(NamedTuple):
    """A mail about to be accepted, with all that is worked out before the database is asked."""

    id: str
    created: float
    expires: float
    new: NewSubmission
    digest: str
    recipients: tuple[str, ...]
    needs_mime: bool


def acceptance_of(new: NewSubmission, now: float, lifetime: float) -> Acceptance:
    """What is to be written of a mail.

    Args:
        new: the mail.
        now: the time, in seconds since the epoch.
        lifetime: how long to try, in seconds from when it may first be sent.
    """
    return Acceptance(
        # In order of time, so that indexes grow at their end.
        id=f"{oldest_id(now)}{secrets.token_hex(8)}",
        created=now,
        expires=max(now, new.not_before) + lifetime,
        new=new,
        digest=new.digest(),
        recipients=tuple(dict.fromkeys(new.recipients)),
        needs_mime=not is_plain(new.raw) and bool(needs_mime(read_tree(new.raw))),
    )


def as_accepted(item: Acceptance) -> Submission:
    """The submission as it is right after."""
    new = item.new
    return Submission(
        id=item.id,
        key=new.key,
        owner=new.owner,
        sender=new.sender,
        subject=new.subject,
        created=item.created,
        deliveries=tuple(
            Delivery(_delivery_id(item, position), recipient, Status.QUEUED, "", "", item.created)
            for position, recipient in enumerate(item.recipients)
        ),
    )


def oldest_id(created: float) -> str:
    """What the ids of submissions begin with that were accepted at this time, in seconds since the epoch."""
    return f"{int(created * 1000):0{TIME_DIGITS}x}"


def accept(connection: Connection, lists: Sequence[Sequence[Acceptance]]) -> list[list[tuple[str, str]]]:
    """Write them, but for those whose key is there already.

    Args:
        connection: the transaction.
        lists: the mails of each caller.

    Returns:
        For each mail the id and the digest of the submission that has its key now.
    """
    answers = iter(_accept(connection, [item for items in lists for item in items]))
    return [[next(answers) for _ in items] for items in lists]


def _accept(connection: Connection, items: Sequence[Acceptance]) -> list[tuple[str, str]]:
    first: dict[tuple[str, str], Acceptance] = {}
    for item in items:
        first.setdefault((item.new.owner, item.new.key), item)
    # In one order everywhere, so that two hosts writing the same keys never wait for each other.
    batch = [first[pair] for pair in sorted(first)]
    driver = Driver.below(connection)
    rows = [_submission_row(item) for item in batch]
    inserted = driver.change(_INSERT_SUBMISSION.on_sqlite, _INSERT_SUBMISSION.on_postgresql, rows)
    if inserted == len(items):
        ours, answers = batch, [(item.id, item.digest) for item in items]
    else:
        there = _there(connection, first)
        ours = [item for pair, item in first.items() if there[pair][0] == item.id]
        answers = [there[item.new.owner, item.new.key] for item in items]
    _INSERT_DELIVERY.run(driver, [row for item in ours for row in _delivery_rows(item)])
    if traced := [{"submission_id": item.id, "context": item.new.trace} for item in ours if item.new.trace]:
        connection.execute(traces.insert(), traced)
    return answers


def _there(
    connection: Connection, new: Mapping[tuple[str, str], Acceptance]
) -> dict[tuple[str, str], tuple[str, str]]:
    """The id and the digest of what has each owner's key now."""
    there = {pair: (item.id, item.digest) for pair, item in new.items()}
    for row in connection.execute(_KEYS, {"keys": [key for _, key in new]}):
        if (row.owner, row.key) in there:
            there[row.owner, row.key] = (row.id, row.digest)
    return there


# Accepting is the hot path: written for the driver itself, since SQLAlchemy's care takes as long again.
_INSERT_SUBMISSION = insertion(
    submissions,
    [column.name for column in submissions.c if column is not submissions.c.summary],
    tail="ON CONFLICT (owner, key) DO NOTHING",
    source=arrays,
    one_by_one=True,
)
_INSERT_DELIVERY = insertion(
    deliveries,
    ["id", "submission_id", "position", "recipient", "updated", "priority", "due", "expires", "needs_mime"],
    {
        "status": f"'{Status.QUEUED}'",
        **dict.fromkeys(("provider", "detail", "lease", "pinned", "refused_by"), "''"),
        **dict.fromkeys(("attempt", "rounds"), "0"),
        "doubtful": "false",
    },
    one_by_one=True,
)
_KEYS = select(submissions.c.id, submissions.c.owner, submissions.c.key, submissions.c.digest).where(
    submissions.c.key.in_(bindparam("keys", expanding=True))
)


def _submission_row(item: Acceptance) -> tuple[Any, ...]:
    new = item.new
    return (
        item.id,
        new.owner,
        new.key,
        item.digest,
        new.sender,
        new.subject,
        item.created,
        new.policy.value,
        new.needs_envelope,
        len(new.raw),
        new.raw,
        _message_id(new.raw),
    )


def _message_id(raw: bytes) -> str:
    end = raw.find(b"\r\n\r\n")
    found = _MESSAGE_ID.search(raw, 0, end if end >= 0 else len(raw))
    return found[1].decode("ascii") if found else ""


def _delivery_rows(item: Acceptance) -> Iterable[tuple[Any, ...]]:
    rank, due = int(item.new.rank), max(item.created, item.new.not_before)
    for position, recipient in enumerate(item.recipients):
        id = _delivery_id(item, position)
        yield id, item.id, position, recipient, item.created, rank, due, item.expires, item.needs_mime


def _delivery_id(item: Acceptance, position: int) -> str:
    return f"{item.id}-{position}"
