"""A request that belongs to a trace has its id on every line, and no other request has."""

import pytest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}


def lines_of(server, answer):
    request_id = answer.headers["X-Request-ID"]
    return [line for line in server.log().splitlines() if f"request_id={request_id}" in line]


def asked(server, headers, **fields):
    return server.ask("POST", "/v1/audio/speech", {"input": "Hello.", **fields}, headers)


@pytest.mark.parametrize("fields", [{"response_format": "wav"}, {"response_format": "mp3"}, {"stream_format": "sse"}])
def test_the_line_of_a_speech_names_its_trace_and_the_next_one_of_the_worker_does_not(start, fields):
    server = start("--workers", "1").ready()
    with_trace = asked(server, HEADERS, **fields)
    without = asked(server, {}, **fields)

    (line,) = server.eventually(lambda: lines_of(server, with_trace))
    assert "event=speech.done" in line and f"trace_id={TRACE}" in line
    (line,) = server.eventually(lambda: lines_of(server, without))
    assert "event=speech.done" in line and "trace_id" not in line


def test_a_refusal_names_its_trace(server):
    answer = asked(server, HEADERS, voice="nobody")

    (line,) = server.eventually(lambda: lines_of(server, answer))
    assert "event=request.refused" in line and f"trace_id={TRACE}" in line


def test_no_header_of_the_answer_has_the_trace(server):
    answer = asked(server, HEADERS)

    assert TRACE not in str(answer.headers)


@pytest.mark.parametrize("traceparent", ["nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff-{TRACE}-00f067aa0ba902b7-01"])
def test_an_invalid_parent_is_ignored(server, traceparent):
    answer = asked(server, {"traceparent": traceparent})

    assert 200 == answer.status
    (line,) = server.eventually(lambda: lines_of(server, answer))
    assert "trace_id" not in line
