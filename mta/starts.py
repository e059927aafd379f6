"""Starts of attempts: what every way of making them has in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from mta.claim import Claim
from mta.leases import Leases
from mta.outcomes import Answer, Outcome
from mta.runs import Run
from mta.work import Work
from store import logs
from store.errors import StoreUnavailable

LOG = logging.getLogger(__name__)

PATIENCE = 0.003
"""Seconds in which starts gather for one commit while the providers have enough to do."""


@dataclass(frozen=True, slots=True)
class Starts:
    """The starts of one container's attempts.

    Attributes:
        work: where attempts come from and answers go to.
        leases: where attempts are written down.
        clock: the time in seconds since the epoch.
        tell_sending: called with the delivery and the time, after its attempt is written down and before the network
            is touched; it must not wait.
    """

    work: Work
    leases: Leases
    clock: Callable[[], float]
    tell_sending: Callable[[Claim, float], None]

    def patience(self) -> float:
        """Seconds that a start may wait for others to share its commit with."""
        return PATIENCE if self.work.is_busy() else 0.0

    def goes_on(self, run: Run, ours: bool | None, error: BaseException | None) -> bool:
        """Whether an attempt goes on to the network; the work is told.

        Args:
            run: the attempt.
            ours: whether it was written down, since the delivery is still ours.
            error: what kept it from being written down, or None.
        """
        if error is None and ours:
            self.work.started(run)
            return True
        with logs.about(**run.about()):
            if isinstance(error, StoreUnavailable):
                # The dispatcher is about to find out, and says it once for all attempts.
                LOG.debug("an attempt is not made before it can be written down: %s", error)
            elif error is not None:
                LOG.error("an attempt could not be written down, so it is not made", exc_info=error)
        self.work.not_started(run, ours=error is not None)
        return False


def failed_answer(run: Run, error: BaseException) -> Answer:
    """What an attempt came to whose provider raised instead of answering; said to operators."""
    # It may have been sent before this, so nothing less than uncertain is true.
    with logs.about(**run.about()):
        name = run.service.name
        LOG.error("%s raised instead of answering; its code has a fault", name, exc_info=error)
    return Answer(Outcome.UNCERTAIN, f"It failed in a way it should not ({type(error).__name__}).")
