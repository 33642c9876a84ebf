"""A request with a traceparent has its trace id on every log line, and other requests have none."""

import pytest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def lines_of(server, answer):
    request_id = answer.headers["X-Request-ID"]
    return [line for line in server.log().splitlines() if f"request_id={request_id}" in line]


def request_speech(server, headers, **fields):
    return server.ask("POST", "/v1/audio/speech", {"input": "Hello.", **fields}, headers)


@pytest.mark.parametrize("fields", [{"response_format": "wav"}, {"response_format": "mp3"}, {"stream_format": "sse"}])
def test_the_log_line_of_a_speech_has_its_trace_and_the_next_request_has_none(start, fields):
    server = start("--workers", "1").ready()
    with_trace = request_speech(server, HEADERS, **fields)
    without = request_speech(server, {}, **fields)

    (line,) = server.eventually(lambda: lines_of(server, with_trace))
    assert "event=speech.done" in line and f"trace_id={TRACE}" in line
    (line,) = server.eventually(lambda: lines_of(server, without))
    assert "event=speech.done" in line and "trace_id" not in line


def test_a_refused_request_is_logged_with_its_trace(server):
    answer = request_speech(server, HEADERS, voice="nobody")

    (line,) = server.eventually(lambda: lines_of(server, answer))
    assert "event=request.refused" in line and f"trace_id={TRACE}" in line


def test_no_response_header_has_the_trace(server):
    answer = request_speech(server, HEADERS)

    assert TRACE not in str(answer.headers)


@pytest.mark.parametrize("traceparent", ["nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{TRACE}-00f067aa0ba902b7-01"])
def test_an_invalid_traceparent_is_ignored(server, traceparent):
    answer = request_speech(server, {"traceparent": traceparent})

    assert 200 == answer.status
    (line,) = server.eventually(lambda: lines_of(server, answer))
    assert "trace_id" not in line
