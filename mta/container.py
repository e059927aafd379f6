"""The MTA container: the one API over all providers.

The life of a delivery: `Spool.submit` writes it down; the `Dispatcher` claims it with a lease; the `Schedule`
chooses a provider; a thread of `Attempts` writes down that it starts, and sends; `judge` says what becomes of
it; the `Dispatcher` writes that, and then the `Bulletin` tells it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence

from mta.attempts import Attempts
from mta.bulletin import Bulletin
from mta.claim import Claim
from mta.dispatcher import Dispatcher
from mta.events import Event, StatusChange
from mta.health import HealthBoard
from mta.holder import new_holder
from mta.hooks.call import DeliveryReport
from mta.leases import Leases
from mta.outcomes import Status
from mta.providers.base import Provider
from mta.reports import Reports
from mta.returns import Returns
from mta.schedule import Schedule
from mta.scheduler import RoundRobin, Scheduler
from mta.service import ProviderHealth, Service
from mta.settings import ContainerSettings
from mta.spool import Spool
from mta.strategy import FailureStrategy, ThresholdFailureStrategy
from mta.submission import NewSubmission, Submission
from mta.work import Work
from store.database import Database

THRESHOLD = 5
"""Consecutive failures that take a provider out, unless another strategy is given."""


def _default_strategy() -> FailureStrategy:
    return ThresholdFailureStrategy(THRESHOLD)


def _nothing() -> None:
    pass


class Container:
    """Sends mail by several providers from one durable spool.

    Every method may be called from any thread; none waits for a provider except `stop`. A container that is
    never started still accepts mail, for another one on the same spool to send.
    """

    def __init__(
        self,
        database: Database,
        providers: Sequence[Provider],
        scheduler: Scheduler | None = None,
        strategy: Callable[[], FailureStrategy] = _default_strategy,
        settings: ContainerSettings | None = None,
        clock: Callable[[], float] = time.time,
        chance: random.Random | None = None,
        when_nobody_left: Callable[[], None] = _nothing,
    ) -> None:
        """
        Args:
            database: where the spool lives; migrated, and closed by whoever opened it.
            providers: at least one, each with its own name.
            scheduler: picks among them; round robin by default.
            strategy: makes the failure strategy of one provider.
            settings: how it works.
            clock: the time in seconds since the epoch.
            chance: the randomness of jitter.
            when_nobody_left: called once, in a thread of its own, after the last provider left service and
                what was in flight is finished and written; the service is to end then.

        Raises:
            ValueError: no provider, or two with one name.
        """
        names = [provider.name for provider in providers]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"a container needs providers with different names, not {names}; give them names"
            )
        settings = settings or ContainerSettings()
        self._settings = settings
        self._clock = clock
        self._providers = tuple(providers)
        self._spool = Spool(database)
        self._reports = Reports(database)
        self.returns = Returns(database)
        """The deliveries that came to nothing, until somebody has told their authors."""
        self._bulletin = Bulletin()
        holder = new_holder()
        leases = Leases(database, holder)
        self._board = HealthBoard(database, holder, stale_after=4 * settings.beat)
        services = [Service(provider, strategy(), settings) for provider in providers]
        schedule = Schedule(services, scheduler or RoundRobin(), settings)
        self._work = Work(schedule, settings, clock, chance or random.Random())  # noqa: S311 - jitter, no secret
        self._dispatcher = Dispatcher(
            self._work, leases, self._bulletin, self._board, settings, clock, when_nobody_left
        )
        self._attempts = Attempts(self._work, self._spool, leases, clock, self._tell_sending)
        self._is_started = False

    def submit(self, new: NewSubmission) -> Submission:
        """Accept a mail: on disk when this returns, and sent as soon as a provider takes it.

        The same key and the same mail again give the same submission, as it is now, and send nothing twice.

        Raises:
            KeyConflict: the owner used this key for another mail.
        """
        submission, is_new = self._spool.submit(new, self._clock(), self._settings.lifetime)
        if is_new and self._is_started:
            self._dispatcher.wake()
        return submission

    def submission(self, submission_id: str) -> Submission | None:
        """The submission with its deliveries and attempts as it is now, or None."""
        return self._spool.submission(submission_id)

    def submissions(self, ids: Iterable[str]) -> dict[str, Submission]:
        """Those of these submissions that exist, by id; few queries for any number."""
        return self._spool.submissions(ids)

    def raw(self, submission_id: str) -> bytes:
        """The mail itself, byte by byte as it was submitted.

        Raises:
            KeyError: there is no such submission.
        """
        return self._spool.raw(submission_id)

    def take_reports(self, reports: Iterable[DeliveryReport], token: str = "", used_for: str = "") -> int:
        """Write down what a provider reported: on disk when this returns, and settled by `settle_reports`.

        Args:
            reports: what became of deliveries.
            token: what the provider may use once only, or "".
            used_for: what it may be used for again, since repeating that changes nothing; "" for nothing.

        Returns:
            How many of them did not come before.

        Raises:
            HookRefused: the token was used before.
        """
        return self._reports.add(reports, self._clock(), token, used_for)

    def settle_reports(self) -> None:
        """Make of every report that waits what it means for its delivery, and tell that.

        A delivery that a provider surely has is not sent again. May be called by any number of processes.
        """
        while (news := self._reports.settle(self._clock())) is not None:
            for one in news:
                self._bulletin.tell_change(one.change)
                if one.event is not None:
                    self._bulletin.tell(one.event)

    def prune_reports(self) -> None:
        """Forget the reports that are too old to come again."""
        self._reports.prune(self._clock())

    def cancel(self, submission_id: str) -> Submission | None:
        """Cancel those deliveries of a submission that surely no provider has.

        Returns:
            The submission as it is now, or None when there is none.
        """
        now = self._clock()
        cancelled = self._spool.cancel(submission_id, now)
        submission = self._spool.submission(submission_id)
        if submission is not None:
            for one in cancelled:
                self._bulletin.tell_change(
                    StatusChange(
                        at=now,
                        owner=submission.owner,
                        submission_id=submission_id,
                        delivery_id=one.id,
                        recipient=one.recipient,
                        status=one.status,
                        provider=one.provider,
                        detail=one.detail,
                    )
                )
        return submission

    def listen(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call back for each event, in the container's threads, until the function returned is called."""
        return self._bulletin.listen(callback)

    def watch(self, callback: Callable[[StatusChange], None]) -> Callable[[], None]:
        """Call back for each status change once it is on disk, in the container's threads, until the function
        returned is called.
        """
        return self._bulletin.watch(callback)

    def start(self) -> None:
        """Begin to send what is in the spool."""
        self._is_started = True
        self._work.start(self._attempts.hire)
        self._dispatcher.start()

    def stop(self, timeout: float = 30.0) -> bool:
        """Start nothing more, finish what is in flight, and give back the rest to other containers.

        Args:
            timeout: seconds to wait; an attempt that runs on then is uncertain.

        Returns:
            Whether everything in flight was finished.
        """
        if not self._is_started:
            return True
        self._dispatcher.stop(timeout)
        if not self._work.is_over():
            return False
        for provider in self._providers:
            provider.close()
        return True

    def health(self) -> list[ProviderHealth]:
        """How each provider of this container is."""
        return list(self._work.health())

    def health_of_all(self) -> dict[str, list[ProviderHealth]]:
        """How the providers of every container on this spool are, by container."""
        return self._board.all(self._clock())

    def restore(self, provider_name: str) -> None:
        """Put a provider back into service, after whatever was wrong with it was mended.

        Raises:
            KeyError: there is no such provider.
        """
        self._work.restore(provider_name)

    def _tell_sending(self, claim: Claim, at: float) -> None:
        self._dispatcher.tell_change(claim, Status.SENDING, "", at)
