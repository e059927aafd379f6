"""Attempts: threads that write down that an attempt starts, call the provider, and hand in the answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from mta.claim import Claim
from mta.leases import Leases
from mta.outcomes import Answer, Outcome
from mta.providers.base import Outgoing, Provider
from mta.runs import Run
from mta.spool import Spool
from mta.work import Work
from store import logs, tracing
from store.errors import StoreUnavailable

LOG = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""How long a thread without work stays."""
PATIENCE = 0.002
"""Seconds in which starts gather for one commit while the providers have enough to do."""


class Attempts:
    """The threads of one container: as many as attempts are made at once, and gone when there are none."""

    def __init__(
        self,
        work: Work,
        spool: Spool,
        leases: Leases,
        clock: Callable[[], float],
        tell_sending: Callable[[Claim, float], None],
    ) -> None:
        """
        Args:
            work: where attempts come from and answers go to.
            spool: where the mail itself is.
            leases: where attempts are written down.
            clock: the time in seconds since the epoch.
            tell_sending: called with the delivery and the time, after its attempt is written down and before
                the network is touched.
        """
        self._work = work
        self._spool = spool
        self._leases = leases
        self._clock = clock
        self._tell_sending = tell_sending

    def hire(self) -> None:
        """Start one more thread."""
        threading.Thread(target=self._make_attempts, name="attempt", daemon=True).start()

    def _make_attempts(self) -> None:
        while (run := self._work.take(IDLE_SECONDS)) is not None:
            claim = run.claim
            with logs.about(
                account=claim.owner,
                submission=claim.submission_id,
                delivery=claim.id,
                provider=run.service.name,
            ):
                self._make(run)

    def _make(self, run: Run) -> None:
        claim, provider = run.claim, run.service.provider
        at = self._clock()
        try:
            raw = self._spool.raw(claim.submission_id) if claim.raw is None else claim.raw
            patience = PATIENCE if self._work.is_busy() else 0.0
            ours = self._leases.start(
                claim.id, claim.attempt, provider.name, at, run.task.unwritten, patience
            )
        except KeyError:
            ours = False  # the submission was removed
        except StoreUnavailable as error:
            # The dispatcher is about to find out, and says it once for all attempts.
            LOG.debug("an attempt is not made before it can be written down: %s", error)
            self._work.not_started(run, ours=True)
            return
        except Exception:  # as above; the thread must not end with the attempt in its hand
            LOG.exception("an attempt could not be written down, so it is not made")
            self._work.not_started(run, ours=True)
            return
        if not ours:
            self._work.not_started(run, ours=False)
            return
        self._work.started(run)
        with tracing.span(
            "attempt",
            tracing.Kind.CLIENT,
            parent=self._trace_of(claim),
            submission=claim.submission_id,
            delivery=claim.id,
            provider=provider.name,
            number=run.claim.attempt,
        ) as span:
            self._tell_sending(run.claim, at)
            answer = _send(provider, Outgoing(claim.id, claim.sender, claim.recipient, raw))
            span.say(outcome=answer.outcome.value, provider_id=answer.provider_id)
            if answer.outcome is not Outcome.ACCEPTED:
                span.fail()
            self._work.finished(run, answer)

    def _trace_of(self, claim: Claim) -> str:
        """The step that submitted a mail, maybe in another process; "" where nothing is traced."""
        if not tracing.is_on():
            return ""
        try:
            return self._spool.traces([claim.submission_id]).get(claim.submission_id, "")
        except StoreUnavailable as error:
            LOG.debug("an attempt is traced on its own: %s", error)
            return ""


def _send(provider: Provider, message: Outgoing) -> Answer:
    try:
        return provider.send(message)
    except Exception as error:
        # It may have been sent before this, so nothing less than uncertain is true.
        LOG.exception("%s raised instead of answering; its code has a fault", provider.name)
        return Answer(Outcome.UNCERTAIN, f"It failed in a way it should not ({type(error).__name__}).")
