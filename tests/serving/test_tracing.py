"""OpenTelemetry of a real server: spans that a real collector gets, and a server that does not care where there is none."""

import http.client
import re
import signal
import socket
from contextlib import contextmanager

import psutil
import pytest

from tests.support.collector import collecting

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
SERVER_KIND = 2
TEXT = "Confidential, this sentence is."


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def traced(collector, start):
    """Start a server whose traces are collected until its last worker has ended."""

    def traced(*arguments, environment=None, **options):
        environment = {**collector.environment(), **(environment or {})}
        return start("--workers", "2", *arguments, environment=environment, **options).ready()

    return traced


def spans_of(server, collector, answer, least=1):
    """Wait for the spans of an answer, its own first; from then on a worker may hold a connection to the collector."""
    request_id = answer.headers["X-Request-ID"]
    spans = server.eventually(lambda: found if len(found := collector.of(request_id)) >= least else None)
    server.remember_descriptors()
    return spans


def asked(server, headers=TRACEPARENT, **fields):
    return server.ask("POST", "/v1/audio/speech", {"input": TEXT, "response_format": "wav", **fields}, headers)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_speech_is_a_span_under_its_clients_with_what_it_took_under_it(traced, collector, streamed):
    server = traced()
    answer = asked(server, stream=streamed)
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
    assert ("chorus-tts", server.worker_of(answer)) == (own.sender["service.name"], own.sender["process.pid"])


def test_no_text_leaves_in_a_span_however_it_came(traced, collector):
    server = traced()
    for path in ("/api/tts?text=Confidential.", "/process?INPUT_TEXT=Confidential.", "/Confidential", "/api/Confidential"):
        server.ask("GET", path)
    assert 200 == server.ask("GET", "/").status  # the page, whose files gunicorn would send by itself
    last = asked(server)
    spans_of(server, collector, last, 4)

    assert len({span.trace_id for span in collector.spans()}) >= 3
    assert not [body for body in collector.bodies if b"onfidential" in body]


def test_a_request_without_a_trace_begins_one_and_the_log_names_it(traced, collector):
    server = traced()
    answer = asked(server, {})
    own, *_ = spans_of(server, collector, answer)

    assert "" == own.parent_id
    assert re.search(rf"request_id={answer.headers['X-Request-ID']} .*trace_id={own.trace_id}", server.log())


def test_a_refusal_says_why_and_a_probe_is_no_span(traced, collector):
    server = traced()
    server.ask("GET", "/readyz")
    server.ask("GET", "/metrics")
    refused = asked(server, voice="nobody")
    own, *phases = spans_of(server, collector, refused)

    assert (400, "voice_not_found") == (own.facts["http.response.status_code"], own.facts["error.type"])
    assert not phases and not own.is_error
    assert ["POST /v1/audio/speech"] == [span.name for span in collector.spans()]


def test_who_does_not_want_their_request_traced_has_no_span(traced, collector):
    server = traced()
    asked(server, {"traceparent": f"00-{TRACE}-{PARENT}-00"})
    spans_of(server, collector, asked(server, {}))

    assert TRACE not in {span.trace_id for span in collector.spans()}


def test_a_stream_that_fails_after_its_head_is_an_error_though_its_status_is_200(traced, collector):
    server = traced("tests.support.failing_voice:create()", environment={"CHORUS_FAIL_AT": "3"}, expects_errors=True)
    with pytest.raises(http.client.IncompleteRead):
        asked(server, {"X-Request-ID": "cut"}, stream=True, input=f"{TEXT} " * 20)
    own = server.eventually(lambda: next(iter(collector.of("cut")), None))
    server.remember_descriptors()

    assert (200, "failed", True) == (own.facts["http.response.status_code"], own.facts["tts.outcome"], own.is_error)


@pytest.mark.parametrize("preload", [True, False])
def test_workers_that_come_after_others_send_theirs_too(traced, collector, preload):
    server = traced(keys={"preload": preload}, expected_deaths=1)
    first = {worker.pid for worker in server.workers()}
    server.process.send_signal(signal.SIGHUP)
    server.eventually(lambda: server.log().count("ending=stopped") == 2)
    assert not first & {worker.pid for worker in server.workers()}
    victim = server.workers()[0]
    victim.kill()
    server.eventually(lambda: "ending=killed" in server.log() and len(server.workers()) == 2)

    answers = server.on_every_worker(lambda: asked(server, {}))
    senders = {spans_of(server, collector, answer)[0].sender["process.pid"] for answer in answers.values()}

    assert senders == set(answers) == {worker.pid for worker in server.workers()}
    assert 1 == psutil.Process(server.process.pid).num_threads()


def test_what_is_not_sent_yet_is_sent_when_a_worker_ends(traced, collector):
    server = traced(environment={"OTEL_BSP_SCHEDULE_DELAY": "3600000"})
    answer = asked(server)
    assert not collector.bodies
    server.stop()

    assert collector.of(answer.headers["X-Request-ID"])


@contextmanager
def deaf():
    """Take connections and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def gone():
    """Be nowhere."""
    with deaf() as url:
        pass
    yield url


@pytest.mark.parametrize("missing", [deaf, gone])
def test_a_collector_that_is_missing_costs_one_line_a_minute_and_no_request(start, missing):
    """And it keeps no worker from ending in order."""
    with missing() as url:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_TIMEOUT": "3600", "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
        }  # fmt: skip
        # The SDK by itself would take half a minute to end, and the master would kill the worker.
        arguments = ("--workers", "1", "--graceful-timeout", "10")
        server = start(*arguments, environment=environment, expects_errors=True).ready()
        answers = [asked(server, input="Short.") for _ in range(20)]
        server.eventually(lambda: "log=opentelemetry" in server.log())
        server.remember_descriptors()
        server.process.terminate()
        status = server.process.wait(60)
        log = server.log()

    assert ([200] * 20, 0) == ([answer.status for answer in answers], status)
    assert "ending=stopped" in log
    # Of the exporter and of the queue that is full.
    assert len(re.findall("log=opentelemetry", log)) <= 2


@pytest.mark.parametrize(
    "variables, said",
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', expected http/protobuf"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "ValueError: max_queue_size must be a positive integer"),
        ({"PYTHONPATH": "without"}, "pip install 'chorus-tts[otel]'"),
    ],
)
def test_where_traces_cannot_be_sent_that_is_said_once_and_all_is_served(start, tmp_path, variables, said):
    if "PYTHONPATH" in variables:  # a package in the way is one that is not there
        (tmp_path / "opentelemetry").mkdir()
        (tmp_path / "opentelemetry" / "__init__.py").touch()
        variables = {"PYTHONPATH": str(tmp_path)}
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", **variables}
    server = start("--workers", "1", environment=environment).ready()

    assert 200 == asked(server).status
    (line,) = [line for line in server.log().splitlines() if "event=tracing.disabled" in line]
    assert said in line
