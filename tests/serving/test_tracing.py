"""OpenTelemetry with a real server and a real collector, and a server that works without the collector."""

import http.client
import re
import signal
import socket
from contextlib import contextmanager

import psutil
import pytest

from tests.support.collector import run_collector

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SERVER_KIND = 2
TEXT = "Confidential, this sentence is."


@pytest.fixture
def collector():
    with run_collector() as collector:
        yield collector


@pytest.fixture
def traced(collector, start):
    """Return a function that starts a server whose spans are collected until its last worker has ended."""

    def traced(*arguments, environment=None, **options):
        environment = {**collector.environment(), **(environment or {})}
        return start("--workers", "2", *arguments, environment=environment, **options).ready()

    return traced


def spans_of(server, collector, answer, least=1):
    """Wait for the spans of a response, its own first; later each worker may hold a connection to the collector."""
    request_id = answer.headers["X-Request-ID"]
    spans = server.eventually(lambda: found if len(found := collector.of(request_id)) >= least else None)
    server.remember_descriptors()
    return spans


def request_speech(server, headers=TRACEPARENT, **fields):
    return server.ask("POST", "/v1/audio/speech", {"input": TEXT, "response_format": "wav", **fields}, headers)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_speech_is_a_child_span_of_its_client_with_spans_of_its_phases(traced, collector, streamed):
    server = traced()
    answer = request_speech(server, stream=streamed)
    own, *phases = spans_of(server, collector, answer, 4)

    assert (TRACE, PARENT, "POST /v1/audio/speech", SERVER_KIND) == (own.trace_id, own.parent_id, own.name, own.kind)
    assert ("POST", "/v1/audio/speech", 200) == tuple(
        own.facts[f"http.{name}"] for name in ("request.method", "route", "response.status_code")
    )
    assert ("joe", len(TEXT), "done") == tuple(own.facts[f"tts.{name}"] for name in ("voice", "characters", "outcome"))
    assert own.facts["tts.audio_s"] > 1 and own.facts["tts.first_audio_s"] > 0
    assert {"queue", "first window", "rest of the speech"} == {phase.name for phase in phases}
    assert {TRACE} == {phase.trace_id for phase in phases}
    assert all(own.began_ns <= phase.ended_ns <= own.ended_ns for phase in phases)
    assert not own.is_error
    assert ("chorus-tts", server.worker_of(answer)) == (own.origin["service.name"], own.origin["process.pid"])


def test_no_span_contains_the_text(traced, collector):
    server = traced()
    for path in ("/api/tts?text=Confidential.", "/process?INPUT_TEXT=Confidential.", "/Confidential", "/api/Confidential"):
        server.ask("GET", path)
    assert 200 == server.ask("GET", "/").status  # the page: gunicorn would send its files itself
    last = request_speech(server)
    spans_of(server, collector, last, 4)

    assert len({span.trace_id for span in collector.spans()}) >= 3
    assert not [body for body in collector.bodies if b"onfidential" in body]


def test_a_request_without_a_trace_starts_one_and_the_log_names_it(traced, collector):
    server = traced()
    answer = request_speech(server, {})
    own, *_ = spans_of(server, collector, answer)

    assert "" == own.parent_id
    assert re.search(rf"request_id={answer.headers['X-Request-ID']} .*trace_id={own.trace_id}", server.log())


def test_a_refused_request_has_a_span_with_the_reason_and_a_probe_has_none(traced, collector):
    server = traced()
    server.ask("GET", "/readyz")
    server.ask("GET", "/metrics")
    refused = request_speech(server, voice="nobody")
    own, *phases = spans_of(server, collector, refused)

    assert (400, "voice_not_found") == (own.facts["http.response.status_code"], own.facts["error.type"])
    assert not phases and not own.is_error
    assert ["POST /v1/audio/speech"] == [span.name for span in collector.spans()]


def test_a_request_that_is_not_sampled_has_no_span(traced, collector):
    server = traced()
    request_speech(server, {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    spans_of(server, collector, request_speech(server, {}))

    assert TRACE not in {span.trace_id for span in collector.spans()}


def test_a_stream_that_fails_after_its_head_is_an_error_although_its_status_is_200(traced, collector):
    server = traced("tests.support.failing_voice:create()", environment={"CHORUS_FAIL_AT": "3"}, expects_errors=True)
    with pytest.raises(http.client.IncompleteRead):
        request_speech(server, {"X-Request-ID": "cut"}, stream=True, input=f"{TEXT} " * 20)
    own = server.eventually(lambda: next(iter(collector.of("cut")), None))
    server.remember_descriptors()

    assert (200, "failed", True) == (own.facts["http.response.status_code"], own.facts["tts.outcome"], own.is_error)


@pytest.mark.parametrize("preload", [True, False])
def test_replaced_workers_send_their_spans_too(traced, collector, preload):
    server = traced(keys={"preload": preload}, expected_deaths=1)
    first = {worker.pid for worker in server.workers()}
    server.process.send_signal(signal.SIGHUP)
    server.eventually(lambda: server.log().count("ending=stopped") == 2)
    assert not first & {worker.pid for worker in server.workers()}
    victim = server.workers()[0]
    victim.kill()
    server.eventually(lambda: "ending=killed" in server.log() and len(server.workers()) == 2)

    answers = server.on_every_worker(lambda: request_speech(server, {}))
    senders = {spans_of(server, collector, answer)[0].origin["process.pid"] for answer in answers.values()}

    assert senders == set(answers) == {worker.pid for worker in server.workers()}
    assert 1 == psutil.Process(server.process.pid).num_threads()


def test_pending_spans_are_sent_when_a_worker_ends(traced, collector):
    server = traced(environment={"OTEL_BSP_SCHEDULE_DELAY": "3600000"})
    answer = request_speech(server)
    assert not collector.bodies
    server.stop()

    assert collector.of(answer.headers["X-Request-ID"])


@contextmanager
def silent_collector():
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def missing_collector():
    """Yield the address of a closed port."""
    with silent_collector() as url:
        pass
    yield url


@pytest.mark.parametrize("missing", [silent_collector, missing_collector])
def test_an_unreachable_collector_costs_one_log_line_a_minute_and_no_request(start, missing):
    """Its workers still end in order."""
    with missing() as url:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "3600", "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
        }  # fmt: skip
        # By default the SDK takes half a minute to end, and the master would kill the worker.
        arguments = ("--workers", "1", "--graceful-timeout", "10")
        server = start(*arguments, environment=environment, expects_errors=True).ready()
        answers = [request_speech(server, input="Short.") for _ in range(20)]
        server.eventually(lambda: "log=opentelemetry" in server.log())
        server.remember_descriptors()
        server.process.terminate()
        status = server.process.wait(60)
        log = server.log()

    assert ([200] * 20, 0) == ([answer.status for answer in answers], status)
    assert "ending=stopped" in log
    # One line of the exporter, and one about the full queue.
    assert len(re.findall("log=opentelemetry", log)) <= 2


@pytest.mark.parametrize(
    "variables, reason",
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', expected http/protobuf"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "ValueError: max_queue_size must be a positive integer"),
        ({"PYTHONPATH": "without"}, "pip install 'chorus-tts[otel]'"),
    ],
)
def test_a_configuration_that_cannot_send_traces_is_logged_once_and_requests_are_served(start, tmp_path, variables, reason):
    if "PYTHONPATH" in variables:  # an empty package hides the installed one
        (tmp_path / "opentelemetry").mkdir()
        (tmp_path / "opentelemetry" / "__init__.py").touch()
        variables = {"PYTHONPATH": str(tmp_path)}
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", **variables}
    server = start("--workers", "1", environment=environment).ready()

    assert 200 == request_speech(server).status
    (line,) = [line for line in server.log().splitlines() if "event=tracing.disabled" in line]
    assert reason in line
