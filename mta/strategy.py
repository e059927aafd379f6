"""Failure strategies: when a provider's patience has run out."""

from __future__ import annotations

from abc import ABC, abstractmethod


class FailureStrategy(ABC):
    """Judges one provider by how its attempts go. Only its own failures come here, never a bad address."""

    @abstractmethod
    def failed(self) -> bool:
        """Note a failure, and say whether the provider is to be taken out of the schedule."""

    @abstractmethod
    def succeeded(self) -> None:
        """Note that the provider is alive."""


class ThresholdFailureStrategy(FailureStrategy):
    """So many consecutive failures are too many."""

    def __init__(self, threshold: int) -> None:
        """
        Args:
            threshold: the consecutive failure that takes the provider out, at least 1.

        Raises:
            ValueError: the threshold is less than 1.
        """
        if threshold < 1:
            raise ValueError(
                f"a threshold of {threshold} would take out a provider that works; use 1 or more"
            )
        self._threshold = threshold
        self._failures = 0

    def failed(self) -> bool:
        """Note a failure; True for the n-th consecutive one."""
        self._failures += 1
        return self._failures >= self._threshold

    def succeeded(self) -> None:
        """Begin counting anew."""
        self._failures = 0
