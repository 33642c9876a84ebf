"""Spans of a worker's requests. Imports OpenTelemetry, see `app.tracing.setup`.

A span is made from the request's job and its error, never from its text. The instrumentations for WSGI would send the
query too, and with it the text of GET /api/tts.
"""

import importlib.metadata
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

# The exporter imports it when it is made: 4 MB in every worker, unless the master has it (measured 2026-11-24).
import requests  # noqa: F401
from opentelemetry import context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.errors import ERROR_KEY
from app.logs import SpeechReport
from app.synthesis.explanation import ExplanationJob
from app.synthesis.job import JOB_KEY, SynthesisJob

#: How long a worker that ends tries to send the rest; without a collector it would wait for 30 s.
_SHUTDOWN_S = 2.0
#: The SDK's warnings about an absent collector are logged once in this time.
_WARNING_INTERVAL_S = 60.0
_NOISY_LOGGERS = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
#: Probes and scrapes.
_UNTRACED = ("/livez", "/health", "/readyz", "/status", "/metrics")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_propagator = TraceContextTextMapPropagator()


class Tracing:
    """WSGI middleware that makes a span of each request. Made in a worker, after the fork, since its exporter is a thread."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], slot: int | None, proxy_wait_s: Callable[..., float]) -> None:
        """Start the exporter.

        Args:
            wsgi: the application to trace.
            slot: number of the worker's slot.
            proxy_wait_s: how long the proxy had a request, by its WSGI environment.
        """
        self._wsgi = wsgi
        self._proxy_wait_s = proxy_wait_s
        self._provider = TracerProvider(resource=_resource(slot), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("chorus")
        for name in _NOISY_LOGGERS:
            logging.getLogger(name).addFilter(_RateLimit())

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, in a span that lasts until the answer is sent."""
        if environ["PATH_INFO"].rstrip("/") in _UNTRACED:
            return self._wsgi(environ, start_response)
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "_OTHER"
        parent = {name: environ.get(f"HTTP_{name.upper()}", "") for name in ("traceparent", "tracestate")}
        span = self._tracer.start_span(
            method, _propagator.extract(parent, context.Context()), SpanKind.SERVER,
            {"http.request.method": method}, start_time=_ns(time.time() - self._proxy_wait_s(environ)),
        )  # fmt: skip
        # The log reads the trace id from this header, and names this span's trace.
        header: dict[str, str] = {}
        _propagator.inject(header, set_span_in_context(span))
        environ["HTTP_TRACEPARENT"] = header["traceparent"]
        end = partial(self._end, span, environ)
        try:
            return _Answer(self._wsgi(environ, partial(_set_head, span, environ, start_response)), end)
        except BaseException:
            end()
            raise

    def end(self) -> None:
        """Send the remaining spans, for at most `_SHUTDOWN_S`."""
        thread = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        with suppress(RuntimeError):  # no thread is available
            thread.start()
            thread.join(_SHUTDOWN_S)

    def _end(self, span: Span, environ: dict[str, Any]) -> None:
        job: SynthesisJob | ExplanationJob | None = environ.get(JOB_KEY)
        if ERROR_KEY in environ:
            span.set_attribute("error.type", environ[ERROR_KEY])
        if job is not None and job.report is not None:
            self._add_speech(span, job.report)
        span.end()

    def _add_speech(self, span: Span, report: SpeechReport) -> None:
        facts = {
            **report.request, "outcome": report.outcome, "audio_s": report.audio_s, "queue_s": report.queue_s,
            "first_audio_s": report.first_audio_s, "rtf": report.rtf,
        }  # fmt: skip
        facts["characters"] = facts.pop("chars")
        for name, value in facts.items():
            if value is not None:
                span.set_attribute(f"tts.{name}", value)
        if report.reason:
            span.set_status(StatusCode.ERROR)
        unix_s = time.time() - time.monotonic()  # of the zero of the report's clock
        phases = [("queue", report.arrived_s, report.arrived_s + report.queue_s)]
        if report.first_chunk_s is not None:
            phases.append(("first window", report.started_s, report.first_chunk_s))
            phases.append(("rest of the speech", report.first_chunk_s, report.ended_s))
        for name, start_s, end_s in phases:
            phase = self._tracer.start_span(name, set_span_in_context(span), start_time=_ns(unix_s + start_s))
            phase.end(_ns(unix_s + end_s))


class _Answer:
    """An answer that calls `end` when it is closed."""

    def __init__(self, pieces: Iterable[bytes], end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        try:
            getattr(self._pieces, "close", lambda: None)()
        finally:
            self._end()


class _RateLimit(logging.Filter):
    """Passes one line and then none for a while: a collector may be absent for days."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._silent_until_s = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if self._now() < self._silent_until_s:
            return False
        self._silent_until_s = self._now() + _WARNING_INTERVAL_S
        return True


def _resource(slot: int | None) -> Resource:
    """Return the sender: as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES name it, else under our own name."""
    here: dict[str, Any] = {"service.version": importlib.metadata.version("chorus-tts"), "process.pid": os.getpid()}
    resource = Resource.create({**here, **({} if slot is None else {"tts.worker": slot})})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "chorus-tts"}))
    return resource


def _set_head(
    span: Span, environ: dict[str, Any], start_response: Callable[..., Any], status: str, headers: Any, *more: Any
) -> Any:
    """Set status, request id and route, which Flask forgets after the head; then go on."""
    code, flask_request = int(status[:3]), environ.get("werkzeug.request")
    span.set_attribute("http.response.status_code", code)
    request_id = next((value for name, value in headers if name.lower() == "x-request-id"), None)
    if request_id is not None:
        span.set_attribute("tts.request_id", request_id)
    if code >= 500:
        span.set_status(StatusCode.ERROR)
    # A path without a route may hold anything, such as a text.
    if flask_request is not None and flask_request.url_rule is not None:
        span.set_attribute("http.route", flask_request.url_rule.rule)
        span.update_name(f"{environ['REQUEST_METHOD']} {flask_request.url_rule.rule}")
    return start_response(status, headers, *more)


def _ns(unix_s: float) -> int:
    return int(unix_s * 1e9)
