"""What an operator may set for a container."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class WhenDown(StrEnum):
    """What a container does when no provider is left in service."""

    TERMINATE = "terminate"
    """Say GOOD_BYE, finish what is in flight, and let the service end."""
    WAIT = "wait"
    """Stay, and wait for a provider to come back."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a delivery waits after every provider was tried: doubling, with jitter.

    Attributes:
        first: the first wait in seconds.
        most: the longest wait in seconds.
    """

    first: float = 60.0
    most: float = 3600.0

    def seconds(self, rounds: int, jitter: float) -> float:
        """The wait after so many earlier rounds; `jitter` between 0 and 1 takes up to a fifth off it."""
        return min(self.first * 2.0 ** min(rounds, 32), self.most) * (1.0 - 0.2 * jitter)


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """How a container works; times are in seconds.

    Attributes:
        lease_seconds: how long a claim lasts without renewal, so how long a delivery waits for a dead host.
        lifetime: how long a delivery is tried before it fails.
        backoff: the waits between rounds over all providers.
        uncertain_grace: how long an unclear delivery is held, so that a webhook can settle it.
        when_down: what to do when no provider is left.
        poll: how often to look for deliveries that another process submitted.
        claim_ahead: deliveries claimed beyond what the providers can take at this moment, at most.
        concurrency: attempts at once over all providers, at most.
        turn: the longest gathering of results into one commit while there is other work.
        overrun: how long beyond its own time-out a provider may take before its attempt is written off.
        pause: the first pause of a provider taken out of service; times the number of times it was taken out.
        longest_pause: the longest such pause.
        throttle_pause: the pause of a throttled provider that gave no time.
        quota_pause: the pause of a provider over its quota that gave no time.
        forgive: after so long in service, earlier times out of service are forgotten.
        beat: how often to say how the providers are.
        keep: how long finished submissions stay whole in the spool, or 0 for ever.
    """

    lease_seconds: float = 20.0
    lifetime: float = 2 * 86400.0
    backoff: Backoff = field(default_factory=Backoff)
    uncertain_grace: float = 60.0
    when_down: WhenDown = WhenDown.TERMINATE
    poll: float = 1.0
    claim_ahead: int = 32
    concurrency: int = 256
    turn: float = 0.02
    overrun: float = 5.0
    pause: float = 30.0
    longest_pause: float = 1800.0
    throttle_pause: float = 30.0
    quota_pause: float = 3600.0
    forgive: float = 3600.0
    beat: float = 15.0
    keep: float = 30 * 86400.0
