"""Metrics: what an operator's Prometheus reads of a container."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from mta.claim import Result
from mta.container import Container
from mta.outcomes import Status
from mta.service import ServiceState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds, from a relay next door to a provider's time-out."""
WAITING = (Status.QUEUED, Status.SENDING, Status.DEFERRED, Status.UNCERTAIN)


class Metrics:
    """Counts what happens, and looks at the spool when it is asked.

    Attributes:
        registry: where the numbers are.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.registry = CollectorRegistry()
        self._accepted = Counter(
            "bitmail_accepted_mails", "Mails accepted by this server", registry=self.registry
        )
        self._refused = Counter(
            "bitmail_refused_requests",
            "Requests to send a mail that were refused, by status",
            ["status"],
            registry=self.registry,
        )
        self._attempts = Counter(
            "bitmail_attempts", "Attempts by outcome", ["provider", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "bitmail_attempt_seconds",
            "How long attempts took",
            ["provider"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def watch(self, container: Container) -> None:
        """Show the state of a container as well."""
        self.registry.register(_State(container, self._clock))

    def accepted(self) -> None:
        """A mail was accepted."""
        self._accepted.inc()

    def refused(self, status: int) -> None:
        """A request to send a mail was refused."""
        self._refused.labels(str(status)).inc()

    def attempted(self, provider: str, result: Result) -> None:
        """An attempt came to an end."""
        self._attempts.labels(provider, result.outcome).inc()
        self._seconds.labels(provider).observe(result.ms / 1000)

    def text(self) -> bytes:
        """All of it in the text format of Prometheus. May block.

        Raises:
            StoreUnavailable: the spool cannot be read.
        """
        return generate_latest(self.registry)


class _State:
    """What is true at this moment, looked up when it is asked for."""

    def __init__(self, container: Container, clock: Callable[[], float]) -> None:
        self._container = container
        self._clock = clock

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        backlog = self._container.backlog()
        depth = GaugeMetricFamily(
            "bitmail_queue_deliveries", "Deliveries not in a final state", labels=["status"]
        )
        for status in WAITING:
            depth.add_metric([status], backlog.waiting.get(status, 0))
        yield depth
        age = 0.0 if backlog.oldest is None else max(0.0, self._clock() - backlog.oldest)
        yield GaugeMetricFamily(
            "bitmail_queue_oldest_seconds", "Age of the oldest mail with a delivery that waits", value=age
        )
        state = GaugeMetricFamily(
            "bitmail_provider_state", "1 for the state a provider is in", labels=["provider", "state"]
        )
        for one in self._container.health():
            for possible in ServiceState:
                state.add_metric([one.name, possible], float(one.state is possible))
        yield state
