"""Requests whose meaning is clear, to a real server: one of each kind."""

import io
import json
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
import soundfile

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LONG = "A sentence that is long enough to be decoded in several windows, one after the other. " * 12


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/v1/audio/speech", json.dumps({"input": "...", "response_format": "wav"})),
    ("GET", "/api/tts?text=...", None),
    ("POST", "/process", "INPUT_TEXT=..."),
])  # fmt: skip
def test_a_piece_without_a_sound_does_not_end_a_conversation(server, method, path, body):
    answer = server.ask(method, path, body)

    assert (200, "the text has no sound") == (answer.status, answer.headers["X-Unspeakable"])
    samples, rate_hz = soundfile.read(io.BytesIO(answer.body))
    assert 0.2 * rate_hz == samples.size and not samples.any()


def test_text_of_a_terminal_is_spoken(server):
    answer = server.speak("\x1b[1mBold\x1b[0m\x0cand\0 loud.", seed=1)

    assert "U+001B, U+0000" == answer.headers["X-Dropped-Characters"]
    assert server.speak("Bold and loud.", seed=1).body == answer.body


def test_a_form_of_quoted_values_in_capitals_is_a_body(server):
    form = {"input": "Hello.", "voice": "Alloy", "speed": "1.5", "seed": "7", "response_format": "WAV", "stream": "False"}

    answer = server.ask("POST", "/v1/audio/speech", urllib.parse.urlencode(form), FORM)

    assert server.speak("Hello.", speed=1.5, seed=7).body == answer.body
    assert answer.body == server.ask("POST", "/v1/audio/speech", b"\xef\xbb\xbf" + json.dumps(form).encode(), FORM).body


def test_a_mistake_in_json_is_found_by_its_place(server):
    error = server.ask("POST", "/v1/audio/speech", '{"input": "Hello.",}').json()["error"]

    assert "line 1, column 20: a comma before }" in error["message"]


def test_probes_of_other_clients_are_answered(server):
    assert [200, 200] == [server.ask("GET", path).status for path in ("/health", "/v1/test")]


def test_clients_that_are_refused_together_are_given_different_times(start):
    server = start("--workers", "1", keys={"admission": {"queue": 0}, "threads": 2}).ready()
    with ThreadPoolExecutor(8) as pool:
        speaking = [pool.submit(server.speak, LONG, seed=seed) for seed in range(2)]
        server.eventually(lambda: 2 == server.ask("GET", "/status").json()["workers"][0]["active"])
        refused = list(pool.map(lambda _: server.speak("Hello."), range(6)))
        assert {200} == {each.result().status for each in speaking}

    assert {503} == {each.status for each in refused}
    assert {True} == {each.json()["error"]["message"].startswith("the queue is full (0 wait)") for each in refused}
    assert 6 == len({each.headers["retry-after-ms"] for each in refused})
