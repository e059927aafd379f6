"""Acceptance: a mail becomes a submission and its deliveries, many mails in one transaction."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select

from mta.outcomes import Status
from mta.statements import arrays, insertion
from mta.submission import Delivery, NewSubmission, Submission
from mta.tables import deliveries, submissions, traces
from mta.tree import is_plain, lowered_head, needs_mime, read_tree
from store.driver import Driver

Row = tuple[Any, ...]
"""The parameters of one row of a statement."""

TIME_DIGITS = 11
"""Hexadecimal digits at the beginning of an id that say when it was given, in milliseconds since the epoch."""
CHANCE_DIGITS = 16
"""Hexadecimal digits after them, that nobody can guess."""
_MESSAGE_ID = re.compile(rb"(?:\A|\n)message-id:\s*(<[!-;=?-~]{1,200}>)", re.IGNORECASE)


class Acceptance(NamedTuple):
    """A mail about to be accepted, with all that is worked out before the database is asked.

    Attributes:
        id: of its submission.
        digest: what it is known by when its key comes again.
        created: when it was accepted, in seconds since the epoch.
        new: the mail.
        row: what is written of its submission.
        delivery_rows: what is written of its deliveries.
    """

    id: str
    digest: str
    created: float
    new: NewSubmission
    row: Row
    delivery_rows: list[Row]


def acceptances(news: Sequence[NewSubmission], now: float, lifetime: float) -> list[Acceptance]:
    """What is to be written of mails that came together.

    Args:
        news: the mails.
        now: the time, in seconds since the epoch.
        lifetime: how long to try, in seconds from when it may first be sent.
    """
    moment = oldest_id(now)  # ids in order of time, so that indexes grow at their end
    chance = secrets.token_hex(len(news) * CHANCE_DIGITS // 2)
    starts = range(0, len(chance), CHANCE_DIGITS)
    ids = [moment + chance[start : start + CHANCE_DIGITS] for start in starts]
    return [_acceptance(id, new, now, lifetime) for id, new in zip(ids, news, strict=True)]


def _acceptance(id: str, new: NewSubmission, now: float, lifetime: float) -> Acceptance:
    raw = new.raw
    head = lowered_head(raw)
    digest = new.digest()
    row = (
        id,
        new.owner,
        new.key,
        digest,
        new.sender,
        new.subject,
        now,
        str(new.policy),
        new.needs_envelope,
        len(raw),
        raw,
        _message_id(raw, head),
    )
    rank = int(new.rank)
    due = now if now > new.not_before else new.not_before
    expires = due + lifetime
    wants_mime = not is_plain(raw, head) and bool(needs_mime(read_tree(raw)))
    delivery_rows: list[Row] = []
    for position, recipient in enumerate(dict.fromkeys(new.recipients)):
        row_id = f"{id}-{position}"
        delivery_rows.append((row_id, id, position, recipient, now, rank, due, expires, wants_mime))
    return Acceptance(id, digest, now, new, row, delivery_rows)


def as_accepted(item: Acceptance) -> Submission:
    """The submission as it is right after."""
    new = item.new
    deliveries = tuple(
        Delivery(id, recipient, Status.QUEUED, "", "", item.created)
        for id, _, _, recipient, *_ in item.delivery_rows
    )
    return Submission(item.id, new.key, new.owner, new.sender, new.subject, item.created, deliveries)


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
    answers = _accept(connection, list(chain.from_iterable(lists)))
    ends = accumulate(map(len, lists), initial=0)
    return [answers[start:end] for start, end in pairwise(ends)]


def _accept(connection: Connection, items: Sequence[Acceptance]) -> list[tuple[str, str]]:
    driver = Driver.below(connection)
    rows = [item.row for item in items]
    if not driver.is_sqlite:  # which lets in one writer at a time
        # In one order everywhere, so that two hosts writing the same keys never wait for each other.
        rows.sort(key=_OWNER_AND_KEY)
    inserted = driver.change(_INSERT_SUBMISSION.on_sqlite, _INSERT_SUBMISSION.on_postgresql, rows)
    if inserted == len(items):
        ours, answers = items, [(item.id, item.digest) for item in items]
    else:
        there = _there(connection, items)
        answers = [there[_OWNER_AND_KEY(item.row)] for item in items]
        ours = [item for item, (id, _) in zip(items, answers, strict=True) if id == item.id]
    _INSERT_DELIVERY.run(driver, [row for item in ours for row in item.delivery_rows])
    if traced := [{"submission_id": item.id, "context": item.new.trace} for item in ours if item.new.trace]:
        connection.execute(traces.insert(), traced)
    return answers


def _there(connection: Connection, items: Sequence[Acceptance]) -> dict[tuple[str, str], tuple[str, str]]:
    """The id and the digest of what has each owner's key now."""
    rows = connection.execute(_KEYS, {"keys": list({item.new.key for item in items})})
    return {(row.owner, row.key): (row.id, row.digest) for row in rows}


# Accepting is the hot path: written for the driver itself, since SQLAlchemy's care takes as long again.
_COLUMNS = [column.name for column in submissions.c if column is not submissions.c.summary]
_OWNER_AND_KEY = itemgetter(_COLUMNS.index("owner"), _COLUMNS.index("key"))
_INSERT_SUBMISSION = insertion(
    submissions,
    _COLUMNS,
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


def _message_id(raw: bytes, head: bytes) -> str:
    start = head.find(b"message-id:")
    found = _MESSAGE_ID.search(raw, max(start - 1, 0), len(head)) if start >= 0 else None
    return found[1].decode("ascii") if found else ""
