"""The audit: what was promised, what the spool says, and what the providers' ledgers say, held against each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mta.outcomes import Outcome, Status
from mta.spool import Spool
from mta.submission import Delivery, Submission
from mta.tables import deliveries, submissions
from store import Database
from tests.chaos.load import Promise
from tests.fakes.esp import Taken

PAGE = 500


@dataclass(slots=True)
class Findings:
    """What an audit found; every list is empty when all is well.

    Attributes:
        lost: accepted mails, or recipients of them, that the spool does not know.
        unfinished: deliveries that came to no end although nothing stood in their way.
        doubled: deliveries that providers took more often than their unclear attempts explain, or that do not say
            that they may arrive twice.
        untrue: deliveries whose status is not what the ledgers say.
        submissions, deliveries, statuses: what the spool holds.
        outcomes: of all attempts.
        taken: lines of the ledgers.
        marked_twice: deliveries taken more than once, which say so.
    """

    lost: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)
    submissions: int = 0
    deliveries: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    taken: int = 0
    marked_twice: int = 0

    @property
    def faults(self) -> list[str]:
        """All that is not as it has to be."""
        return [*self.lost, *self.unfinished, *self.doubled, *self.untrue]


def audit(database: Database, promises: Iterable[Promise], ledger: Iterable[Taken]) -> Findings:
    """Hold the three against each other; to be called when nothing runs any more."""
    findings = Findings()
    found = _submissions(database)
    waiting = _waiting(database)
    for promise in promises:
        _check_promise(promise, found.get(promise.submission), findings)
    taken = Counter(line.delivery for line in ledger)
    findings.taken = taken.total()
    findings.submissions = len(found)
    for submission in found.values():
        for delivery in submission.deliveries:
            _check_delivery(delivery, taken.pop(delivery.id, 0), delivery.id in waiting, findings)
    findings.untrue += [f"{id}: a provider took it, and the spool does not know it" for id in taken]
    return findings


def _submissions(database: Database) -> dict[str, Submission]:
    with database.read() as connection:
        ids = list(connection.execute(submissions.select().with_only_columns(submissions.c.id)).scalars())
    spool = Spool(database)
    found: dict[str, Submission] = {}
    for start in range(0, len(ids), PAGE):
        found |= spool.submissions(ids[start : start + PAGE])
    return found


def _waiting(database: Database) -> set[str]:
    query = deliveries.select().with_only_columns(deliveries.c.id).where(deliveries.c.due.is_not(None))
    with database.read() as connection:
        return set(connection.execute(query).scalars())


def _check_promise(promise: Promise, found: Submission | None, findings: Findings) -> None:
    if found is None or (found.owner, found.key) != (promise.owner, promise.key):
        findings.lost.append(f"{promise.key} was accepted as {promise.submission}, and is not there")
        return
    missing = set(promise.recipients) - {delivery.recipient for delivery in found.deliveries}
    findings.lost += [f"{promise.key} was accepted for {recipient} too" for recipient in sorted(missing)]


def _check_delivery(delivery: Delivery, taken: int, waits: bool, findings: Findings) -> None:
    outcomes = Counter(str(attempt.outcome or "none") for attempt in delivery.attempts)
    findings.deliveries += 1
    findings.statuses[delivery.status] += 1
    findings.outcomes += outcomes
    accepted, unclear = outcomes[Outcome.ACCEPTED], outcomes[Outcome.UNCERTAIN]
    shown = f"{delivery.id} ({delivery.status}, {dict(outcomes)}, taken {taken} times: {delivery.detail})"
    if waits or outcomes["none"]:
        findings.unfinished.append(shown)
    is_told = delivery.status is not Status.SENT or "twice" in delivery.detail
    if taken > accepted + unclear or (taken > 1 and not is_told):
        findings.doubled.append(shown)
    elif taken > 1:
        findings.marked_twice += 1
    if taken < accepted or (delivery.status is Status.SENT and not taken):
        findings.untrue.append(f"{shown} was not sent")
    if taken and delivery.status in (Status.FAILED, Status.CANCELLED):
        findings.untrue.append(f"{shown} was sent")
