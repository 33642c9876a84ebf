"""A collector of traces that listens, as OpenTelemetry's does, and remembers what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Sent:
    """One span as it came."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    began_ns: int
    ended_ns: int
    is_error: bool
    facts: dict[str, Any]
    #: Of the process that sent it.
    sender: dict[str, Any]


@dataclass
class Collector:
    """What has come so far, and where it listens."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """Return what has a server send its traces here, and soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def spans(self) -> list[Sent]:
        return [span for body in list(self.bodies) for span in _spans(body)]

    def of(self, request_id: str) -> list[Sent]:
        """Return the spans of one request, its own first."""
        spans = self.spans()
        own = [span for span in spans if span.facts.get("tts.request_id") == request_id]
        return own + [span for span in spans if own and span.parent_id == own[0].span_id]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listen for as long as this lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def _spans(body: bytes) -> Iterator[Sent]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        sender = _values(resource.resource.attributes)
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            yield Sent(
                span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name, span.kind,
                span.start_time_unix_nano, span.end_time_unix_nano, span.status.code == 2, _values(span.attributes), sender,
            )  # fmt: skip


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
