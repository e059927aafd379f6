"""Tracing: what a mail's way through the tiers takes, told to a collector as OpenTelemetry has it.

Off unless OTEL_EXPORTER_OTLP_ENDPOINT is set, and then it costs a look at one variable. A span names things by their
ids; it says nothing of people and nothing of what they write.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from store.settings import StoreSettings

HEADER = b"traceparent"
"""Carries a context from one process to another, as W3C's Trace Context has it."""

log = logging.getLogger(__name__)


class Kind(StrEnum):
    """Which side of a call a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"


class Span:
    """One step of a trace; this one is of none, and says nothing."""

    def say(self, **attributes: str | int) -> None:
        """Add ids, names of providers and outcomes; never what is personal."""

    def answered(self, status: int) -> None:
        """It was a request, answered with this HTTP status."""

    def fail(self) -> None:
        """It did not do what it was for."""


class Tracer(Protocol):
    """Makes spans and knows which one is current; any thread may ask it."""

    def span(
        self, name: str, kind: Kind, parent: str, attributes: dict[str, str | int]
    ) -> AbstractContextManager[Span]:
        """A span, current until it ends; the child of `parent`, else of the current one."""

    def past(self, name: str, began: int, parent: str, attributes: dict[str, str | int]) -> None:
        """A span that began at a time in nanoseconds since the epoch and ends now."""

    def context(self) -> str:
        """The current span as a `traceparent`, or ""."""

    def trace_id(self) -> str:
        """The id of the current trace, or ""."""

    def say(self, attributes: dict[str, str | int]) -> None:
        """Add to the current span, if there is one."""


_NOTHING = Span()
_tracer: Tracer | None = None


def set_up(service: str, settings: StoreSettings) -> None:
    """Trace what this process does from now on, where the settings name a collector.

    Args:
        service: what the process is called there.
        settings: what the operator set.
    """
    global _tracer
    if not settings.otel_endpoint:
        return
    try:
        from store.telemetry import Telemetry  # here, since it takes time to import and most do not need it
    except ImportError:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and nothing is traced: OpenTelemetry is not installed. Install the "
            "packages that requirements.txt names under tracing, or leave the setting out."
        )
    else:
        _tracer = Telemetry(service, settings.otel_endpoint, settings.otel_headers)


def is_on() -> bool:
    """Whether anything is traced."""
    return _tracer is not None


@contextmanager
def span(
    name: str, kind: Kind = Kind.INTERNAL, *, parent: str = "", **attributes: str | int
) -> Iterator[Span]:
    """Time the block as a step of the current trace, or of a new one.

    Args:
        name: of the step; one of few.
        kind: which side of a call it is.
        parent: `context` of the step that it belongs to, where that is another than the current one.
        attributes: as in `Span.say`.
    """
    if _tracer is None:
        yield _NOTHING
        return
    with _tracer.span(name, kind, parent, attributes) as one:
        yield one


@contextmanager
def step(name: str, kind: Kind = Kind.INTERNAL) -> Iterator[Span]:
    """The same, but only as a part of a trace that there is already."""
    if not trace_id():
        yield _NOTHING
        return
    with span(name, kind) as one:
        yield one


def past(name: str, began: int, parent: str, **attributes: str | int) -> None:
    """Note a step of another trace that began at `began`, in nanoseconds since the epoch, and ends now."""
    if _tracer is not None:
        _tracer.past(name, began, parent, attributes)


def say(**attributes: str | int) -> None:
    """Add to the current step, if there is one; as `Span.say`."""
    if _tracer is not None:
        _tracer.say(attributes)


def now() -> int:
    """The time in nanoseconds since the epoch."""
    return time.time_ns()


def context() -> str:
    """The current step, so that another process or a later one can go on with its trace; "" when there is none."""
    return "" if _tracer is None else _tracer.context()


def trace_id() -> str:
    """The id of the current trace, or ""."""
    return "" if _tracer is None else _tracer.trace_id()


def request(scope: Scope) -> AbstractContextManager[Span]:
    """A request as a step of its caller's trace, or of a new one; named by the first part of its address alone."""
    method, area = scope["method"], scope["path"].lstrip("/").partition("/")[0]
    return span(f"{method} /{area}", Kind.SERVER, parent=parent_of(scope))


def parent_of(scope: Scope) -> str:
    """The step of its caller's that a request is for, or ""."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER), "")


class Requests:
    """Makes a step of every request to some areas; an ASGI application."""

    def __init__(self, app: ASGIApp, areas: Collection[str], *, begins: bool = True) -> None:
        """
        Args:
            app: what answers.
            areas: first parts of the addresses that count.
            begins: whether a request that belongs to no trace begins one.
        """
        self._app = app
        self._areas = frozenset(areas)
        self._begins = begins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer within the step."""
        if not (is_on() and scope["type"] == "http" and self._counts(scope)):
            await self._app(scope, receive, send)
            return
        with request(scope) as one:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    one.answered(message["status"])
                await send(message)

            await self._app(scope, receive, noted)

    def _counts(self, scope: Scope) -> bool:
        area = scope["path"].lstrip("/").partition("/")[0]
        return area in self._areas and (self._begins or bool(parent_of(scope)))
