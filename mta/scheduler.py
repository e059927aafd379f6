"""Schedulers: which provider gets the next delivery."""

from __future__ import annotations

import importlib
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from mta.errors import UnknownScheduler
from mta.outcomes import Outcome
from mta.providers.base import Provider


class Scheduler(ABC):
    """Picks a provider for each delivery. It is called by one thread at a time, and must not block."""

    @abstractmethod
    def pick(self, candidates: Sequence[Provider]) -> Provider:
        """Pick the provider for the next delivery.

        Args:
            candidates: at least one; all are in service, have room, and can take the delivery.
        """

    def learn(self, provider: Provider, outcome: Outcome, seconds: float) -> None:  # noqa: B027 - most do not
        """Hear what an attempt came to and how long it took."""


class RoundRobin(Scheduler):
    """Each in its turn: the one whose last turn is longest ago.

    While all have room, each of n gets exactly every n-th delivery. One that was full or out of service for a
    while is next as soon as it is back, once, and then has its turn like the others.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._last: dict[str, int] = {}

    def pick(self, candidates: Sequence[Provider]) -> Provider:
        """The candidate whose last turn is longest ago; at first in the order given."""
        self._turn += 1
        chosen = min(candidates, key=lambda provider: self._last.get(provider.name, 0))
        self._last[chosen.name] = self._turn
        return chosen


class Weighted(Scheduler):
    """Each by its weight, evenly mixed: of weights 3 and 1, every fourth delivery goes to the second.

    Stride scheduling (Waldspurger and Weihl, 1995): each has its own pace, and the one furthest behind is
    next. One that was away for a while does not catch up.
    """

    def __init__(self) -> None:
        self._reached: dict[str, float] = {}
        self._now = 0.0

    def pick(self, candidates: Sequence[Provider]) -> Provider:
        """The candidate that is furthest behind its share."""
        chosen = min(candidates, key=self._next)
        self._now = self._reached[chosen.name] = self._next(chosen)
        return chosen

    def _next(self, provider: Provider) -> float:
        stride = 1.0 / max(provider.options.weight, 1)
        return max(self._reached.get(provider.name, 0.0) + stride, self._now)


@dataclass(slots=True)
class _Experience:
    """What is known of a provider, recent attempts counting most."""

    seconds: float | None = None
    success: float = 1.0
    last_turn: int = 0

    def cost(self, usual: float) -> float:
        """Seconds that a success costs, with the trouble of failing; `usual` where no speed is known yet."""
        seconds = usual if self.seconds is None else self.seconds
        return max(seconds, SHORTEST) / max(self.success, WORST) ** 2


SHORTEST = 0.001
"""Seconds below which providers count as equally fast."""
WORST = 0.01
MEMORY = 0.2
"""The share of the latest attempt in what is known."""
EXPLORATION = 20
"""Each so-manieth delivery goes to the provider not heard of for longest: 5 %."""

_ALIVE = {Outcome.ACCEPTED, Outcome.REJECTED_RECIPIENT, Outcome.REJECTED_MESSAGE, Outcome.DEFERRED}
_FAILED = {Outcome.UNAVAILABLE, Outcome.UNCERTAIN, Outcome.MISCONFIGURED}


class Adaptive(Scheduler):
    """By latency and success, exponentially weighted: one twice as slow gets a quarter.

    Each twentieth delivery goes to the one whose last turn is longest ago, so that the slow are heard of too.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        """
        Args:
            chance: the randomness; with the same seed and history the picks are the same.
        """
        self._chance = chance or random.Random()  # noqa: S311 - a schedule, no secret
        self._known: dict[str, _Experience] = {}
        self._turn = 0

    def pick(self, candidates: Sequence[Provider]) -> Provider:
        """At random by experience; first of all those that were never tried."""
        self._turn += 1
        known = [self._experience(provider) for provider in candidates]
        longest_ago = min(range(len(known)), key=lambda index: known[index].last_turn)
        if known[longest_ago].last_turn == 0 or self._turn % EXPLORATION == 0:
            chosen = longest_ago
        else:
            usual = min((one.seconds for one in known if one.seconds is not None), default=1.0)
            shares = [one.cost(usual) ** -2 for one in known]
            chosen = self._chance.choices(range(len(known)), shares)[0]
        known[chosen].last_turn = self._turn
        return candidates[chosen]

    def learn(self, provider: Provider, outcome: Outcome, seconds: float) -> None:
        """Mix an attempt into what is known of its provider."""
        known = self._experience(provider)
        if outcome in _ALIVE:
            # Only then: that it refuses fast does not make it fast.
            known.seconds = seconds if known.seconds is None else _mixed(known.seconds, seconds)
        if outcome in _ALIVE or outcome in _FAILED:
            known.success = _mixed(known.success, float(outcome in _ALIVE))

    def _experience(self, provider: Provider) -> _Experience:
        return self._known.setdefault(provider.name, _Experience())


def _mixed(earlier: float, latest: float) -> float:
    return (1 - MEMORY) * earlier + MEMORY * latest


BUILT_IN: dict[str, type[Scheduler]] = {"round-robin": RoundRobin, "weighted": Weighted, "adaptive": Adaptive}


def name_of(scheduler: Scheduler) -> str:
    """What a scheduler is called in the configuration."""
    kind = type(scheduler)
    own = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, built_in in BUILT_IN.items() if kind is built_in), own)


def make_scheduler(name: str) -> Scheduler:
    """The scheduler by its name in the configuration.

    Args:
        name: `round-robin`, `weighted`, `adaptive`, or `package.module:Class` for one's own.

    Raises:
        UnknownScheduler: there is none of this name, or it is no scheduler.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]()
    module, colon, class_name = name.partition(":")
    known = ", ".join(BUILT_IN)
    if not colon:
        raise UnknownScheduler(f"there is no scheduler {name!r}; take {known} or package.module:Class")
    try:
        made = getattr(importlib.import_module(module), class_name)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UnknownScheduler(f"the scheduler {name!r} cannot be made: {error}") from error
    if not isinstance(made, Scheduler):
        raise UnknownScheduler(f"{name!r} is no scheduler; derive it from mta.scheduler.Scheduler")
    return made
