"""Metrics: what an operator's Prometheus reads of a web server, and of the container inside it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from bitmail.caller import FAILED, GIVEN_UP, SWITCHED_OFF, TAKEN
from bitmail.door import Knock
from mta.calls import Calls
from mta.metrics import Metrics
from store import JsonStore
from store.operations import Operation
from store.wire import name_of

LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STORE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
LAG_INTERVAL = 0.5
"""Seconds between two looks at how late the event loop is."""
AREAS = ("api", "hooks", "account", "enter", "leave", "mail", "_event")
"""First parts of the addresses that are counted by themselves; everything else is `page`."""


class WebMetrics(Metrics):
    """Counts what happens in a web server, beside what its container does."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = Counter(
            "bitmail_requests", "Requests by area and status", ["area", "status"], registry=self.registry
        )
        self._knocks = Counter(
            "bitmail_log_ins", "Log-ins by what came of them", ["outcome"], registry=self.registry
        )
        for knock in Knock:
            self._knocks.labels(knock)
        self._calls = Counter(
            "bitmail_webhook_calls", "Calls of webhooks by outcome", ["outcome"], registry=self.registry
        )
        for outcome in (TAKEN, FAILED, GIVEN_UP):
            self._calls.labels(outcome)
        self._switched_off = Counter(
            "bitmail_webhooks_switched_off", "Webhooks that were switched off", registry=self.registry
        )
        self._clients = Gauge("bitmail_web_clients", "Pages connected now", registry=self.registry)
        self._lag = Histogram(
            "bitmail_event_loop_lag_seconds",
            "How late the event loop is",
            buckets=LAG_BUCKETS,
            registry=self.registry,
        )
        self._store = Histogram(
            "bitmail_store_seconds",
            "How long operations of the store took",
            ["operation"],
            buckets=STORE_BUCKETS,
            registry=self.registry,
        )
        self._store_failures = Counter(
            "bitmail_store_failures",
            "Operations of the store that failed",
            ["operation"],
            registry=self.registry,
        )

    def called(self, outcome: str, calls: int) -> None:
        """So many calls of webhooks came to this."""
        if outcome == SWITCHED_OFF:
            self._switched_off.inc(calls)
        else:
            self._calls.labels(outcome).inc(calls)

    def watch_calls(self, calls: Calls) -> None:
        """Show how many calls of webhooks wait, looked up when it is asked for."""
        waiting = Gauge(
            "bitmail_webhook_calls_waiting", "Calls that wait, up to ten thousand", registry=self.registry
        )
        waiting.set_function(calls.backlog)

    def answered(self, path: str, status: int) -> None:
        """A request was answered."""
        area = path.lstrip("/").partition("/")[0]
        self._requests.labels(area if area in AREAS else "page", str(status)).inc()

    def knocked(self, knock: Knock) -> None:
        """Somebody tried to log in."""
        self._knocks.labels(knock).inc()

    def connected(self, change: int) -> None:
        """So many pages more are connected, or fewer."""
        self._clients.inc(change)

    def stored(self, operation: str, seconds: float, *, failed: bool) -> None:
        """An operation of the store came to an end."""
        self._store.labels(operation).observe(seconds)
        if failed:
            self._store_failures.labels(operation).inc()

    async def watch_loop(self) -> None:
        """Measure for ever how late the event loop is."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_INTERVAL
            await asyncio.sleep(LAG_INTERVAL)
            self._lag.observe(max(0.0, loop.time() - due))


class MeasuredStore(JsonStore):
    """Another store, `inner`, with its operations measured."""

    def __init__(self, store: JsonStore, metrics: WebMetrics) -> None:
        self.inner = store
        self._metrics = metrics

    def perform(self, operation: Operation[Any]) -> Any:
        """As the other store does."""
        began, failed = time.perf_counter(), True
        try:
            answer = self.inner.perform(operation)
            failed = False
            return answer
        finally:
            self._metrics.stored(name_of(operation), time.perf_counter() - began, failed=failed)

    def close(self) -> None:
        """As the other store does."""
        self.inner.close()
