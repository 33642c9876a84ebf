"""The spans of a worker. Imports OpenTelemetry: for whoever `app.tracing.switch` lets in.

A span has what the log says of its request, which is never its text. Instrumentations that
exist for WSGI would send the query too, and with it the text of GET /api/tts.
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
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.scheduling.proxy_clock import is_possible, waited_s

#: How long a worker that ends tries to send what is left; a collector that is gone would have it wait for 30 s.
_LAST_WORDS_S = 2.0
#: Of the lines in which the SDK says that a collector does not answer, one in so many seconds is logged.
_COMPLAINT_S = 60.0
_COMPLAINERS = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk._shared_internal")
#: Probes and scrapes, of which nobody wants traces.
_UNTRACED = ("/livez", "/readyz", "/status", "/metrics")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: What a line of the log calls it, and what a span does.
_FACTS = {
    "request_id": "tts.request_id", "voice": "tts.voice", "speaker": "tts.speaker", "language": "tts.language",
    "chars": "tts.characters", "format": "tts.format", "streamed": "tts.streamed", "audio_s": "tts.audio_s",
    "queue_s": "tts.queue_s", "first_audio_s": "tts.first_audio_s", "rtf": "tts.rtf", "code": "error.type",
}  # fmt: skip

_parent = TraceContextTextMapPropagator()


class Tracing:
    """A WSGI application around ours. Made in a worker, after the fork: sending is a thread."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], slot: int | None) -> None:
        """Begin to send.

        Args:
            wsgi: the application to trace.
            slot: the worker's, on the board.
        """
        self._wsgi = wsgi
        self._provider = TracerProvider(resource=_resource(slot), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("chorus")
        logging.getLogger("chorus").addHandler(_Noting(self._tracer))
        for name in _COMPLAINERS:
            logging.getLogger(name).addFilter(_Seldom())

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, in a span that lasts until the answer is sent."""
        if environ["PATH_INFO"].rstrip("/") in _UNTRACED:
            return self._wsgi(environ, start_response)
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "_OTHER"
        now_s = time.time()
        seems_s = waited_s(environ.get("HTTP_X_REQUEST_START", ""), now_s) or 0.0
        came_ns = _ns(now_s - (max(0.0, seems_s) if is_possible(seems_s) else 0.0))
        span = self._tracer.start_span(
            method, _parent.extract(_told(environ), context.Context()), SpanKind.SERVER,
            {"http.request.method": method}, start_time=came_ns,
        )  # fmt: skip
        # Whoever looks for the trace from here on, as the log does, finds this span.
        said: dict[str, str] = {}
        _parent.inject(said, set_span_in_context(span))
        environ["HTTP_TRACEPARENT"] = said["traceparent"]
        ended = partial(_end, span, context.attach(set_span_in_context(span)))
        try:
            return _Answer(self._wsgi(environ, partial(_noting_head, span, environ, start_response)), ended)
        except BaseException:
            ended()
            raise

    def end(self) -> None:
        """Send what is left, or leave it; either is soon."""
        last = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        with suppress(RuntimeError):  # no thread can be started now
            last.start()
            last.join(_LAST_WORDS_S)


class _Answer:
    """The pieces of an answer, and what is to be done when they are sent, whatever comes of them."""

    def __init__(self, pieces: Iterable[bytes], ended: Callable[[], None]) -> None:
        self._pieces = pieces
        self._ended = ended

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        try:
            getattr(self._pieces, "close", lambda: None)()
        finally:
            self._ended()


class _Noting(logging.Handler):
    """Puts what a request logs into its span. Threads that serve no request have none."""

    def __init__(self, tracer: Any) -> None:
        super().__init__()
        self._tracer = tracer

    def emit(self, record: logging.LogRecord) -> None:
        span = get_current_span()
        if not span.is_recording():
            return
        fields = record.msg if isinstance(record.msg, dict) else {"event": record.msg}
        for name in _FACTS.keys() & fields.keys():
            if fields[name] is not None:
                span.set_attribute(_FACTS[name], fields[name])
        noun, _, participle = str(fields["event"]).partition(".")
        if noun in ("speech", "captions"):
            span.set_attribute("tts.outcome", participle)
        if record.levelno >= logging.ERROR:
            span.set_status(StatusCode.ERROR)
        if noun == "speech" and "took_s" in fields:
            self._divide(fields)

    def _divide(self, fields: dict[str, Any]) -> None:
        """Make spans of what a speech was until now: it is over, so that nothing is measured twice."""
        now_s = time.time()
        began_s = now_s - fields["took_s"]
        self._phase("queue", began_s - fields["queue_s"], began_s)
        if fields["first_window_s"] is not None:
            first_s = began_s + fields["first_window_s"]
            self._phase("first window", began_s, first_s)
            self._phase("rest of the speech", first_s, now_s)

    def _phase(self, name: str, began_s: float, ended_s: float) -> None:
        self._tracer.start_span(name, start_time=_ns(began_s)).end(_ns(ended_s))


class _Seldom(logging.Filter):
    """Lets one line through and then none for a while: a collector may be gone for days."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._silent_until_s = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if self._now() < self._silent_until_s:
            return False
        self._silent_until_s = self._now() + _COMPLAINT_S
        return True


def _resource(slot: int | None) -> Resource:
    """Return who sends: as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, else under our own name."""
    here: dict[str, Any] = {"service.version": importlib.metadata.version("chorus-tts"), "process.pid": os.getpid()}
    resource = Resource.create({**here, **({} if slot is None else {"tts.worker": slot})})
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "chorus-tts"}))
    return resource


def _told(environ: dict[str, Any]) -> dict[str, str]:
    return {name: environ.get(f"HTTP_{name.upper()}", "") for name in ("traceparent", "tracestate")}


def _noting_head(span: Span, environ: dict[str, Any], start_response: Callable[..., Any], status: str, *more: Any) -> Any:
    """Name a span by the route, which Flask forgets with the head, and go on."""
    code, asked = int(status[:3]), environ.get("werkzeug.request")
    span.set_attribute("http.response.status_code", code)
    if code >= 500:
        span.set_status(StatusCode.ERROR)
    # A path that is no route of ours may hold anything, so it is not told.
    if asked is not None and asked.url_rule is not None:
        span.set_attribute("http.route", asked.url_rule.rule)
        span.update_name(f"{environ['REQUEST_METHOD']} {asked.url_rule.rule}")
    return start_response(status, *more)


def _end(span: Span, token: Any) -> None:
    context.detach(token)
    span.end()


def _ns(unix_s: float) -> int:
    return int(unix_s * 1e9)
