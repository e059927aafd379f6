"""Schedulers: which provider gets the next delivery."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mta.outcomes import Outcome
from mta.providers.base import Provider


class Scheduler(ABC):
    """Picks a provider for each delivery. It is called by one thread at a time, and never blocks."""

    @abstractmethod
    def pick(self, candidates: Sequence[Provider]) -> Provider:
        """Pick the provider for the next delivery.

        Args:
            candidates: at least one; all are in service, have room, and can take the delivery.
        """

    def learn(self, provider: Provider, outcome: Outcome, seconds: float) -> None:  # noqa: B027 - optional
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
