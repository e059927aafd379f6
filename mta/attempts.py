"""Attempts: threads that write down that an attempt starts, call the provider, and hand in the answer."""

from __future__ import annotations

import logging
import threading

from mta.claim import Claim
from mta.outcomes import Answer, Outcome
from mta.providers.base import Outgoing
from mta.runs import Run
from mta.spool import Spool
from mta.starts import Starts, failed_answer
from store import logs, tracing
from store.errors import StoreUnavailable

LOG = logging.getLogger(__name__)

IDLE_SECONDS = 30.0
"""How long a thread without work stays."""


class Attempts:
    """The threads of one container: as many as attempts are made at once, and gone when there are none."""

    def __init__(self, starts: Starts, spool: Spool) -> None:
        """
        Args:
            starts: how attempts are started.
            spool: where the mail itself is.
        """
        self._starts = starts
        self._work = starts.work
        self._spool = spool

    def hire(self) -> None:
        """Start one more thread."""
        threading.Thread(target=self._make_attempts, name="attempt", daemon=True).start()

    def _make_attempts(self) -> None:
        while (run := self._work.take(IDLE_SECONDS)) is not None:
            with logs.about(**run.about()):
                self._make(run)

    def _make(self, run: Run) -> None:
        claim, provider = run.claim, run.service.provider
        at = self._starts.clock()
        raw, ours, error = b"", False, None
        try:
            raw = self._spool.raw(claim.submission_id) if claim.raw is None else claim.raw
            seconds = self._starts.patience()
            ours = self._starts.leases.start(
                claim.id, claim.attempt, provider.name, at, run.task.unwritten, seconds
            )
        except KeyError:
            pass  # the submission was removed
        except Exception as reason:  # noqa: BLE001 - said by `goes_on`; the thread must not end with it in its hand
            error = reason
        if not self._starts.goes_on(run, ours, error):
            return
        with tracing.span(
            "attempt",
            tracing.Kind.CLIENT,
            parent=self._trace_of(claim),
            submission=claim.submission_id,
            delivery=claim.id,
            provider=provider.name,
            number=run.claim.attempt,
        ) as span:
            self._starts.tell_sending(run.claim, at)
            answer = _send(run, Outgoing(claim.id, claim.sender, claim.recipient, raw))
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


def _send(run: Run, message: Outgoing) -> Answer:
    try:
        return run.service.provider.send(message)
    except Exception as error:  # noqa: BLE001 - said there
        return failed_answer(run, error)
