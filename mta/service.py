"""A provider's service: whether it is in the schedule, how much room it has, and how it comes back."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from enum import StrEnum, auto

from mta.outcomes import Answer, Outcome
from mta.providers.base import Provider
from mta.settings import ContainerSettings
from mta.strategy import FailureStrategy

SHORTEST_PAUSE = 1.0
"""Seconds that a throttled provider pauses even if it gave a time that is over."""
RECENT = 200
"""Attempts that success and latency are told of."""
NO_SUCCESS = (Outcome.UNAVAILABLE, Outcome.UNCERTAIN, Outcome.MISCONFIGURED)
"""What a provider answers that is ill."""
LONGEST_PAUSE = 86400.0
"""Seconds after which it is asked again even if it gave a time that is far away."""


class ServiceState(StrEnum):
    """How a provider is."""

    IN_SERVICE = "in service"
    PAUSED = "paused"
    """Alive, but wants no mail until a time it gave."""
    OUT = "out"
    """Taken out of the schedule; after its pause one delivery tries it."""
    TRIAL = "trial"
    """One delivery is trying it."""


class Transition(StrEnum):
    """What an answer did to a provider's service."""

    NONE = auto()
    PAUSED = auto()
    TAKEN_OUT = auto()
    MISCONFIGURED = auto()
    BARRED_SENDER = auto()
    RETURNED = auto()
    WITHDRAWN = auto()


@dataclass(frozen=True, slots=True)
class ProviderFigures:
    """How fast and how well a provider takes mail.

    Attributes:
        running: attempts in flight.
        concurrency, rate, weight: its options.
        used: attempts of the last second that count against the rate.
        recent: how many attempts the following are about, the latest `RECENT` at most.
        success: which share of those it answered as one does that is alive.
        p50, p95: seconds that half, and 19 of 20, took at most.
    """

    running: int = 0
    concurrency: int = 0
    rate: float = 0.0
    weight: int = 1
    used: float = 0.0
    recent: int = 0
    success: float = 0.0
    p50: float = 0.0
    p95: float = 0.0


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """How a provider is, for operators and the page.

    Attributes:
        name: the provider's.
        state: in service, paused, out, or on trial.
        until: when its pause ends, in seconds since the epoch; None in service, or until an operator acts.
        error: what went wrong last, or "".
        counts: attempts by outcome since the container started.
        figures: how fast and how well it takes mail.
    """

    name: str
    state: ServiceState
    until: float | None
    error: str
    counts: dict[Outcome, int] = field(default_factory=dict)
    figures: ProviderFigures = field(default_factory=ProviderFigures)


class Service:
    """One provider's service in one container. The lock of `Work` guards it."""

    def __init__(self, provider: Provider, strategy: FailureStrategy, settings: ContainerSettings) -> None:
        self.provider = provider
        self._configured_weight = provider.options.weight
        self.state = ServiceState.IN_SERVICE
        self.until: float | None = None
        self.error = ""
        self.counts: Counter[Outcome] = Counter()
        self.barred_senders: set[str] = set()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=RECENT)
        self._strategy = strategy
        self._settings = settings
        self._running = 0
        self._times_out = 0
        self._in_service_since = 0.0
        self._tokens = self._most_tokens = max(1.0, provider.options.rate)
        self._refilled: float | None = None

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    @property
    def is_out(self) -> bool:
        """Whether it left service; a pause at the provider's own wish is not that."""
        return self.state in (ServiceState.OUT, ServiceState.TRIAL)

    def wake(self, now: float) -> None:
        """End a pause whose time has come; `now` in seconds since the epoch."""
        if self.state is ServiceState.PAUSED and self.until is not None and now >= self.until:
            self._enter(ServiceState.IN_SERVICE)

    def wants_trial(self, now: float) -> bool:
        """Whether it is out, and its pause is over; `now` in seconds since the epoch."""
        return self.state is ServiceState.OUT and self.until is not None and now >= self.until

    def room(self, ticks: float) -> int:
        """Attempts that may start now, by concurrency and rate; `ticks` in seconds of a steady clock."""
        if self.state is not ServiceState.IN_SERVICE:
            return 0
        free = self.provider.options.concurrency - self._running
        if not self.provider.options.rate:
            return free
        self._refill(ticks)
        return min(free, int(self._tokens))

    def refill_in(self, ticks: float) -> float:
        """Seconds until its rate lets it go on; infinity when something else holds it up, or nothing does."""
        options = self.provider.options
        limited = (
            self.state is ServiceState.IN_SERVICE and options.rate and self._running < options.concurrency
        )
        if not limited or self.room(ticks) > 0:
            return float("inf")
        return (1.0 - self._tokens) / options.rate

    def ahead(self) -> int:
        """Deliveries that may sensibly wait for it in memory: what it takes in a second, or at once."""
        if self.state is not ServiceState.IN_SERVICE:
            return 0
        rate, concurrency = self.provider.options.rate, self.provider.options.concurrency
        return min(concurrency, max(1, int(rate))) if rate else concurrency

    def take(self, *, trial: bool) -> None:
        """Begin an attempt."""
        self._running += 1
        if self.provider.options.rate:
            self._tokens -= 1
        if trial:
            self._enter(ServiceState.TRIAL, self.until)

    def give_back(self, *, trial: bool) -> None:
        """Say that an attempt that was taken was never started."""
        self.ended()
        if self.provider.options.rate:
            self._tokens += 1
        if trial and self.state is ServiceState.TRIAL:
            self._enter(ServiceState.OUT, self.until)

    def ended(self) -> None:
        """Make room: an attempt is over, or written off."""
        self._running -= 1

    def record(self, answer: Answer, sender: str, now: float, jitter: float, *, trial: bool) -> Transition:
        """Learn from an answer.

        Args:
            answer: what the provider said.
            sender: the envelope sender of that mail.
            now: the time in seconds since the epoch.
            jitter: a random number between 0 and 1.
            trial: the attempt was this provider's trial.
        """
        self.counts[answer.outcome] += 1
        match answer.outcome:
            case Outcome.ACCEPTED | Outcome.REJECTED_RECIPIENT | Outcome.REJECTED_MESSAGE | Outcome.DEFERRED:
                return self._alive(now, trial=trial)
            case Outcome.THROTTLED | Outcome.OVER_QUOTA:
                return self._pause(answer, now, trial=trial)
            case Outcome.MISCONFIGURED if answer.sender_only:
                self.error = answer.detail
                self.barred_senders.add(sender)
                self._alive(now, trial=trial)
                return Transition.BARRED_SENDER
            case Outcome.MISCONFIGURED:
                return self.misconfigured(answer.detail)
            case Outcome.UNAVAILABLE | Outcome.UNCERTAIN:
                self.error = answer.detail
                return self._failed(now, jitter, trial=trial)

    def timed(self, outcome: Outcome, seconds: float) -> None:
        """Note how long an attempt took."""
        self._recent.append((seconds, outcome not in NO_SUCCESS))

    def weigh(self, weight: int | None) -> None:
        """Give it a weight; None for the configured one."""
        weight = self._configured_weight if weight is None else weight
        if weight != self.provider.options.weight:
            self.provider.options = replace(self.provider.options, weight=weight)

    def withdraw(self) -> None:
        """Take it out until it is restored, at an operator's word."""
        self.error = "An operator took it out."
        self._enter(ServiceState.OUT)

    def misconfigured(self, detail: str) -> Transition:
        """Take it out until an operator acts."""
        self.error = detail
        known = self.is_out and self.until is None
        self._enter(ServiceState.OUT)
        return Transition.NONE if known else Transition.MISCONFIGURED

    def restore(self) -> None:
        """Put it back into service, at an operator's word."""
        self.barred_senders.clear()
        self._strategy.succeeded()
        self._times_out = 0
        self._enter(ServiceState.IN_SERVICE)

    def clock_was_set_back(self, seconds: float) -> None:
        """Keep the length of a pause, whatever the clock says."""
        self._in_service_since -= seconds
        if self.until is not None:
            self.until -= seconds

    def health(self) -> ProviderHealth:
        """How it is now."""
        return ProviderHealth(
            self.name, self.state, self.until, self.error, dict(self.counts), self._figures()
        )

    def _figures(self) -> ProviderFigures:
        options, recent = self.provider.options, sorted(self._recent)
        count = len(recent)
        return ProviderFigures(
            running=self._running,
            concurrency=options.concurrency,
            rate=options.rate,
            weight=options.weight,
            used=round(self._most_tokens - self._tokens, 1) if options.rate else 0.0,
            recent=count,
            success=sum(good for _, good in recent) / count if count else 0.0,
            p50=round(recent[(count - 1) // 2][0], 4) if count else 0.0,
            p95=round(recent[(count * 19 - 1) // 20][0], 4) if count else 0.0,
        )

    def _alive(self, now: float, *, trial: bool) -> Transition:
        self._strategy.succeeded()
        if not (trial and self.is_out):
            return Transition.NONE
        self._in_service_since = now
        self._enter(ServiceState.IN_SERVICE)
        return Transition.RETURNED

    def _pause(self, answer: Answer, now: float, *, trial: bool) -> Transition:
        self.error = answer.detail
        if self.is_out and not trial:
            return Transition.NONE
        quota = answer.outcome is Outcome.OVER_QUOTA
        if trial:
            self._strategy.succeeded()
        usual = self._settings.quota_pause if quota else self._settings.throttle_pause
        until = now + usual
        if answer.retry_at is not None:
            until = min(max(answer.retry_at, now + SHORTEST_PAUSE), now + LONGEST_PAUSE)
        if self.state is ServiceState.PAUSED and self.until is not None and self.until >= until:
            return Transition.NONE
        self._enter(ServiceState.PAUSED, until)
        return Transition.PAUSED

    def _failed(self, now: float, jitter: float, *, trial: bool) -> Transition:
        if self.is_out and not trial:
            return Transition.NONE  # attempts that were in flight when it was taken out
        if not (self._strategy.failed() or trial):
            return Transition.NONE
        if not trial and now - self._in_service_since > self._settings.forgive:
            self._times_out = 0
        self._times_out += 1
        pause = min(self._settings.pause * self._times_out, self._settings.longest_pause)
        self._enter(ServiceState.OUT, now + pause * (1.0 - 0.2 * jitter))
        return Transition.TAKEN_OUT

    def _enter(self, state: ServiceState, until: float | None = None) -> None:
        self.state = state
        self.until = until

    def _refill(self, ticks: float) -> None:
        if self._refilled is not None:
            gained = (ticks - self._refilled) * self.provider.options.rate
            self._tokens = min(self._most_tokens, self._tokens + gained)
        self._refilled = ticks
