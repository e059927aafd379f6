"""The schedule: which provider takes which delivery, and what becomes of one that nobody can take."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mta.claim import Claim
from mta.outcomes import Outcome
from mta.providers.base import Provider
from mta.scheduler import BUILT_IN, Scheduler, name_of
from mta.service import Service, ServiceState
from mta.settings import ContainerSettings
from mta.steering import Plan
from mta.verdict import Verdict, exhausted, impossible, postponed

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """The provider that gets a delivery; as its trial when it was out of service."""

    service: Service
    trial: bool = False


class Schedule:
    """The services of all providers, and what picks among them. The lock of `Work` guards it."""

    def __init__(
        self, services: Sequence[Service], scheduler: Scheduler, settings: ContainerSettings
    ) -> None:
        self.services = tuple(services)
        self._scheduler = self._configured = scheduler
        self._settings = settings

    @property
    def scheduler(self) -> str:
        """The name of the scheduler that picks now."""
        return name_of(self._scheduler)

    def steer(self, plan: Plan) -> None:
        """Go by what operators set; what they did not set is as configured."""
        wanted = plan.scheduler.value if plan.scheduler else name_of(self._configured)
        if wanted == name_of(self._configured):
            self._scheduler = self._configured
        elif wanted not in BUILT_IN:
            LOG.warning("this release has no scheduler %s, so %s stays", wanted, self.scheduler)
        elif wanted != self.scheduler:
            self._scheduler = BUILT_IN[wanted]()
        for service in self.services:
            ruling = plan.weights.get(service.name)
            service.weigh(None if ruling is None else int(ruling.value))

    def wake(self, now: float) -> None:
        """End the pauses whose time has come; `now` in seconds since the epoch."""
        for service in self.services:
            service.wake(now)

    def nobody_left(self) -> bool:
        """Whether every provider left service. Throttled ones did not: they only pause."""
        to_the_world = [service for service in self.services if not service.provider.is_local]
        return all(service.is_out for service in to_the_world or self.services)

    def is_impaired(self) -> bool:
        """Whether some provider takes no mail, so that it may be that nobody takes some delivery."""
        return any(service.state is not ServiceState.IN_SERVICE for service in self.services)

    def room(self, now: float, ticks: float) -> int:
        """Attempts that may start now, trials among them."""
        return sum(service.room(ticks) + service.wants_trial(now) for service in self.services)

    def named(self, name: str) -> Service | None:
        """The service of the provider with this name, or None."""
        return next((service for service in self.services if service.name == name), None)

    def refill_in(self, ticks: float) -> float:
        """Seconds until a provider may go on that is held up by its rate alone; infinity if none is."""
        return min((service.refill_in(ticks) for service in self.services), default=float("inf"))

    def ahead(self) -> int:
        """Deliveries that may sensibly be claimed beyond the room."""
        return min(self._settings.claim_ahead, sum(service.ahead() for service in self.services))

    def choose(
        self, claim: Claim, tried: AbstractSet[str], now: float, ticks: float, jitter: float
    ) -> Choice | Verdict | None:
        """Find a provider for a delivery.

        Args:
            claim: the delivery.
            tried: names of the providers that had their chance in this round.
            now: the time in seconds since the epoch.
            ticks: the time in seconds of a clock that never jumps.
            jitter: a random number between 0 and 1.

        Returns:
            The provider; or None when one in service will have room soon; or what becomes of the delivery
            since nobody can take it.
        """
        able = [service for service in self.services if not _lack(service.provider, claim)]
        if not able:
            return impossible(claim, _why_nobody(self.services, claim))
        able = [service for service in able if service.provider.is_local] or able
        willing = self._preferred(claim, [service for service in able if _willing(service, claim, tried)])
        for service in willing:
            if service.wants_trial(now):
                return Choice(service, trial=True)
        in_service = [service for service in willing if service.state is ServiceState.IN_SERVICE]
        if in_service:
            roomy = [service for service in in_service if service.room(ticks) > 0]
            return Choice(self._pick(roomy)) if roomy else None
        paused = [service.until for service in willing if service.until is not None and not service.is_out]
        if paused:
            return postponed(claim, now, min(paused))
        on_their_way = [service.until for service in willing if service.until is not None]
        if on_their_way and not tried:
            return postponed(claim, now, max(min(on_their_way), now + self._settings.poll))
        return exhausted(claim, now, jitter, self._settings)

    def learn(self, service: Service, outcome: Outcome, seconds: float) -> None:
        """Tell the scheduler what an attempt came to and how long it took."""
        try:
            self._scheduler.learn(service.provider, outcome, seconds)
        except Exception:  # as in _pick
            LOG.exception("the scheduler failed to learn from an attempt of %s", service.name)

    def _preferred(self, claim: Claim, willing: list[Service]) -> list[Service]:
        if claim.pinned:
            pinned = [service for service in willing if service.name == claim.pinned and not service.is_out]
            if pinned:
                return pinned
        if claim.needs_envelope:
            serving = ServiceState.IN_SERVICE
            can = [
                service for service in willing if service.provider.can_envelope and service.state is serving
            ]
            return can or willing
        return willing

    def _pick(self, roomy: Sequence[Service]) -> Service:
        by_name = {service.name: service for service in roomy}
        try:
            return by_name[self._scheduler.pick([service.provider for service in roomy]).name]
        except Exception:  # a scheduler may be anybody's code, and mail goes on without it
            LOG.exception("the scheduler failed to pick one of %s; took the first", ", ".join(by_name))
            return roomy[0]


def _willing(service: Service, claim: Claim, tried: AbstractSet[str]) -> bool:
    return (
        service.name not in tried
        and service.name != claim.refused_by
        and claim.sender not in service.barred_senders
    )


def _lack(provider: Provider, claim: Claim) -> str:
    """Why a provider can never take this delivery, or ""."""
    if not provider.takes(claim.recipient):
        return f"{provider.name} does not send there"
    if not (claim.recipient.isascii() and claim.sender.isascii()) and not provider.can_smtputf8:
        return f"{provider.name} cannot send to or from addresses with letters beyond ASCII"
    if claim.needs_mime and not provider.can_mime:
        return f"{provider.name} cannot carry a mail that is sealed, a report, or has an empty file in it"
    if provider.max_bytes is not None and claim.size > provider.max_bytes:
        most = f"{provider.name} takes mails of at most {provider.max_bytes:,} bytes"
        return f"{most}, and this one has {claim.size:,}"
    return ""


def _why_nobody(services: Sequence[Service], claim: Claim) -> str:
    return "; ".join(_lack(service.provider, claim) for service in services) + "."
