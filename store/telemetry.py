"""Telemetry: spans as OpenTelemetry's own packages make and send them; imported only where something is traced."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as Inner
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers
from pydantic import SecretStr

from store.tracing import HEADER, Kind, Span
from store.version import version

PATH = "/v1/traces"
"""Of a collector, behind the address that is set."""

_TRACEPARENT = HEADER.decode()


class Telemetry:
    """Sends spans to a collector by OTLP over HTTP, gathered, from a thread of its own; what is left, at exit."""

    def __init__(self, service: str, endpoint: str, headers: SecretStr) -> None:
        """
        Args:
            service: what the process is called.
            endpoint: address of the collector.
            headers: what it wants to know of its callers, as `name=value,name=value`; may be empty.
        """
        given = parse_env_headers(headers.get_secret_value(), liberal=True)
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}{PATH}", headers=given or None)
        about = {"service.name": service, "service.version": version(), "host.name": socket.gethostname()}
        provider = TracerProvider(resource=Resource.create(about))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = provider.get_tracer("bitmail")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(self, name: str, kind: Kind, parent: str, attributes: dict[str, str | int]) -> Iterator[Span]:
        """As in `Tracer`. Of an error its class is told, and never its words."""
        with self._tracer.start_as_current_span(
            name,
            self._propagator.extract({_TRACEPARENT: parent}) if parent else None,
            SpanKind[kind.name],
            _named(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as inner:
            try:
                yield _Told(inner)
            except BaseException as error:
                inner.set_attribute("error.type", type(error).__name__)
                inner.set_status(StatusCode.ERROR)
                raise

    def past(self, name: str, began: int, parent: str, attributes: dict[str, str | int]) -> None:
        """As in `Tracer`."""
        within = self._propagator.extract({_TRACEPARENT: parent})
        self._tracer.start_span(name, within, attributes=_named(attributes), start_time=began).end()

    def context(self) -> str:
        """As in `Tracer`."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get(_TRACEPARENT, "")

    def trace_id(self) -> str:
        """As in `Tracer`."""
        current = get_current_span().get_span_context()
        return format_trace_id(current.trace_id) if current.is_valid else ""

    def say(self, attributes: dict[str, str | int]) -> None:
        """As in `Tracer`."""
        get_current_span().set_attributes(_named(attributes))


class _Told(Span):
    """A span that is told to the collector."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    def say(self, **attributes: str | int) -> None:
        self._inner.set_attributes(_named(attributes))

    def answered(self, status: int) -> None:
        self._inner.set_attribute("http.response.status_code", status)
        if status >= 500:
            self.fail()

    def fail(self) -> None:
        self._inner.set_status(StatusCode.ERROR)


def _named(attributes: dict[str, str | int]) -> dict[str, str | int]:
    return {f"bitmail.{name}": value for name, value in attributes.items() if value != ""}
