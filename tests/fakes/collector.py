"""A collector of OpenTelemetry over a real socket, which decodes what it is sent by the protocol's own definition."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.fakes.http import FakeService, Reply, Request


@dataclass(frozen=True, slots=True)
class Told:
    """A span as it was told."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    failed: bool
    attributes: dict[str, str | int]


class FakeCollector(FakeService):
    """Keeps every span."""

    def answer(self, request: Request) -> Reply:
        if request.path != "/v1/traces" or request.headers["content-type"] != "application/x-protobuf":
            return Reply(404)
        asked = ExportTraceServiceRequest.FromString(request.body)
        for resource in asked.resource_spans:
            service = next(
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            )
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.accepted.append(
                        Told(
                            service,
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            span.status.code == 2,
                            {
                                one.key: one.value.string_value or one.value.int_value
                                for one in span.attributes
                            },
                        )
                    )
        return Reply(
            200, ExportTraceServiceResponse().SerializeToString(), {"Content-Type": "application/x-protobuf"}
        )

    def spans(self, name: str) -> list[Told]:
        """The spans of a name, in the order in which they ended."""
        return [span for span in list(self.accepted) if span.name == name]
