"""The MTA container: the one API over all providers.

The life of a delivery: `Spool.submit` writes it down; the `Dispatcher` claims it with a lease; the `Schedule`
chooses a provider; a thread of `Attempts` writes down that it starts, and sends; `judge` says what becomes of
it; the `Dispatcher` writes that, and then the `Bulletin` tells it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

from mta.attempts import Attempts
from mta.conversations import Conversations
from mta.desk import Desk
from mta.dispatcher import Dispatcher, Measure
from mta.events import Event, EventKind, ProviderOrder
from mta.leases import Leases
from mta.outcomes import Answer, Outcome
from mta.providers.base import Provider
from mta.pruner import Pruner
from mta.schedule import Schedule
from mta.scheduler import RoundRobin, Scheduler
from mta.service import ProviderHealth, Service
from mta.settings import ContainerSettings
from mta.starts import Starts
from mta.strategy import FailureStrategy, ThresholdFailureStrategy
from mta.work import Work
from store.database import Database
from store.errors import StoreUnavailable

LOG = logging.getLogger(__name__)

THRESHOLD = 5
"""Consecutive failures that take a provider out, unless another strategy is given."""


def _default_strategy() -> FailureStrategy:
    return ThresholdFailureStrategy(THRESHOLD)


def _nothing(*_: object) -> None:
    pass


class Container(Desk):
    """Sends mail by several providers from one durable spool.

    Every method may be called from any thread; none waits for a provider except `stop` and `check`. A container that is
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
        measure: Measure | None = None,
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
            measure: called with the provider's name and the result of each attempt, once that is written.

        Raises:
            ValueError: no provider, or two with one name.
        """
        names = [provider.name for provider in providers]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                f"a container needs providers with different names, not {names}; give them names"
            )
        settings = settings or ContainerSettings()
        super().__init__(database, settings, clock)
        self._providers = tuple(providers)
        leases = Leases(database, self._holder)
        services = [Service(provider, strategy(), settings) for provider in providers]
        schedule = Schedule(services, scheduler or RoundRobin(), settings)
        self._work = Work(schedule, settings, clock, chance or random.Random())  # noqa: S311 - jitter, no secret
        self._dispatcher = Dispatcher(
            self._work,
            leases,
            self._bulletin,
            self._board,
            settings,
            clock,
            when_nobody_left,
            measure or _nothing,
        )
        starts = Starts(self._work, leases, clock, self._dispatcher.tell_sending)
        self._attempts = Attempts(starts, self._spool)
        self._conversations = Conversations(starts)
        self._correspondent.heard_with(self._dispatcher.wake)
        self._bulletin.obey(self._obey)
        self._bulletin.steer(lambda _: self._steer())
        self._bulletin.listen(self._heed)
        self._pruner = Pruner(database, settings.keep, clock)

    def start(self) -> None:
        """Begin to send what is in the spool; meanwhile each provider's credentials are checked."""
        super().start()
        self._steer()
        self._work.start(self._attempts.hire, self._conversations.call)
        self._dispatcher.start()
        self._pruner.start()
        for provider in self._providers:
            threading.Thread(target=self.check, args=[provider.name], name="check", daemon=True).start()

    def stop(self, timeout: float = 30.0) -> bool:
        """Start nothing more, finish what is in flight, and give back the rest to other containers.

        Args:
            timeout: seconds to wait; an attempt that runs on then is uncertain.

        Returns:
            Whether everything in flight was finished.
        """
        if not self._is_started:
            return True
        self._pruner.stop(timeout)
        self._dispatcher.stop(timeout)
        super().stop(timeout)
        if not self._work.is_over():
            return False
        for provider in self._providers:
            provider.close()
        return True

    def health(self) -> list[ProviderHealth]:
        """How each provider of this container is."""
        return list(self._work.health())

    def check(self, provider_name: str) -> Answer:
        """Ask a provider whether its credentials are good; if not, it leaves service at once. Waits for it.

        Raises:
            KeyError: there is no such provider.
        """
        provider = {one.name: one for one in self._providers}[provider_name]
        try:
            answer = provider.check()
        except Exception as error:
            LOG.exception("%s raised instead of answering a check; its code has a fault", provider_name)
            return Answer(Outcome.UNCERTAIN, f"It failed in a way it should not ({type(error).__name__}).")
        is_good = answer.outcome is Outcome.ACCEPTED
        LOG.log(logging.INFO if is_good else logging.WARNING, "check of %s: %s", provider_name, answer.detail)
        self._work.checked(provider_name, answer)
        return answer

    def restore(self, provider_name: str) -> None:
        """Put a provider back into service, after whatever was wrong with it was mended.

        Raises:
            KeyError: there is no such provider.
        """
        self._work.restore(provider_name)

    def withdraw(self, provider_name: str) -> bool:
        """Take a provider out of service until `restore`; False when it is the last one, which stays.

        Raises:
            KeyError: there is no such provider.
        """
        return self._work.withdraw(provider_name)

    def _obey(self, order: ProviderOrder) -> None:
        if any(provider.name == order.provider for provider in self._providers):
            (self._work.withdraw if order.is_out else self._work.restore)(order.provider)

    def _heed(self, event: Event) -> None:
        """At every beat, lest a plan is missed whose news came while the spool was away."""
        if event.kind is EventKind.BEAT:
            self._steer()

    def _steer(self) -> None:
        try:
            self._work.steer(self.steering.plan())
        except StoreUnavailable as error:
            LOG.warning("the schedule goes on as it is until the spool can be read: %s", error)

    def _submitted(self) -> None:
        self._dispatcher.wake()
