"""Bounces: a delivery that came to nothing is told to its author in INBOX, and its address remembered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from bitmail.accounts import Accounts
from bitmail.catalogue import speaking
from bitmail.mailboxes import Mailboxes
from bitmail.preferences import PreferencesKept
from bitmail.returned import told
from bitmail.suppressions import Suppressions
from mta.bounce import Bounce, bounce_message
from mta.desk import Desk
from mta.outcomes import Status
from mta.returns import Batch
from mta.submission import Submission

log = logging.getLogger(__name__)

NOT_DELIVERED = (Status.FAILED, Status.BOUNCED)


class Bounces:
    """Works off what came back, a batch of one submission at a time; each step may be repeated."""

    def __init__(
        self,
        container: Desk,
        accounts: Accounts,
        mailboxes: Mailboxes,
        suppressions: Suppressions,
        preferences: PreferencesKept,
        domain: str,
        changed: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            container: knows what came back.
            accounts, mailboxes, suppressions: whose it was, where it is told, and where it is remembered.
            preferences: know in which language it is told.
            domain: our own.
            changed: called with the author's name when a message was filed.
            clock: the time in seconds since the epoch.
        """
        self._container = container
        self._accounts = accounts
        self._mailboxes = mailboxes
        self._suppressions = suppressions
        self._preferences = preferences
        self._domain = domain
        self._changed = changed
        self._clock = clock

    def work_off(self) -> None:
        """Tell the authors of whatever came back, and has waited for others to come back with it."""
        failed: Exception | None = None
        for batch in self._container.returns.take(self._clock()):
            try:
                self._work_off(batch)
            except Exception as error:  # noqa: BLE001 - raised when all the others were told
                failed = error
        if failed is not None:
            raise failed

    def _work_off(self, batch: Batch) -> None:
        submission = self._container.submission(batch.submission_id)
        if submission is not None and self._is_here(submission.owner):
            self._tell(submission, batch)
            self._remember(submission, batch)
        self._container.returns.finish(batch.name)

    def _is_here(self, owner: str) -> bool:
        """Whether the author has a mailbox: a script may have sent it, or the account may be deleted since."""
        return self._accounts.at(self._accounts.account(owner).address) is not None

    def _remember(self, submission: Submission, batch: Batch) -> None:
        deliveries = {delivery.id: delivery for delivery in submission.deliveries}
        self._suppressions.add_all(
            submission.owner,
            (
                (deliveries[one.delivery_id].recipient, one.status, deliveries[one.delivery_id].detail)
                for one in batch.returns
                if one.status is Status.COMPLAINED or (one.status is Status.BOUNCED and one.permanent)
            ),
        )

    def _tell(self, submission: Submission, batch: Batch) -> None:
        returned = {one.delivery_id for one in batch.returns if one.status in NOT_DELIVERED}
        failed = tuple(
            # As it is now: what was delivered after all is no reason for a message.
            delivery
            for delivery in submission.deliveries
            if delivery.id in returned and delivery.status in NOT_DELIVERED
        )
        if not failed:
            return
        at = max(one.at for one in batch.returns)
        raw = self._container.raw(submission.id)
        bounce = Bounce(batch.name, submission, failed, raw, at)
        with speaking(self._preferences.language(submission.owner)):
            message = bounce_message(bounce, told(bounce), self._domain)
        if self._mailboxes.file(submission.owner, f"bounce-{batch.name}", message, at):
            self._changed(submission.owner)
