"""A voice that fails: an error before the first byte is an error response, a later one a truncated stream."""

import http.client
import json

import pytest

APPLICATION = "tests.support.failing_voice:create()"
LONG = "A sentence that is long enough to be decoded in several windows, one after the other. " * 6


@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_first_window_is_a_500(start, stream):
    server = start(APPLICATION, environment={"CHORUS_FAIL_AT": "0"}, expects_errors=True).ready()

    answer = server.speak("Hello.", stream=stream)

    assert 500 == answer.status
    assert "synthesis_failed" == answer.json()["error"]["code"]
    assert "event=speech.failed" in server.log()
    assert "Traceback" not in server.log()


def test_a_whole_answer_that_fails_later_is_a_500_too(start):
    server = start(APPLICATION, environment={"CHORUS_FAIL_AT": "3"}, expects_errors=True).ready()

    answer = server.speak(LONG)

    assert 500 == answer.status
    assert {"message", "type", "param", "code"} == set(answer.json()["error"])


def test_a_stream_that_fails_later_is_truncated(start):
    server = start(APPLICATION, environment={"CHORUS_FAIL_AT": "3"}, expects_errors=True).ready()
    workers = {worker.pid for worker in server.workers()}
    connection = server.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "stream": True, "response_format": "wav"}))
    response = connection.getresponse()

    with pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    connection.close()

    assert 200 == response.status
    assert len(cut.value.partial) > 22050
    assert workers == {worker.pid for worker in server.workers()}


@pytest.mark.parametrize("environment", [{}, {"CHORUS_FAIL_WITH": "no more memory"}])
def test_an_event_stream_ends_with_an_error_event(start, environment):
    server = start(APPLICATION, environment={"CHORUS_FAIL_AT": "3", **environment}, expects_errors=True).ready()

    answer = server.speak(LONG, stream_format="sse", response_format="pcm")
    events = [json.loads(block[6:]) for block in answer.body.decode().split("\n\n") if block]

    assert "speech.audio.delta" == events[0]["type"]
    assert "error" == events[-1]["type"]
    assert "synthesis_failed" == events[-1]["error"]["code"]
    assert {"message", "type", "param", "code"} == set(events[-1]["error"])
    assert "event=speech.failed" in server.log()
