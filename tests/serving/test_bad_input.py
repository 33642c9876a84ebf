"""Invalid requests: each gets a 4xx in its dialect, and no worker ends."""

import io
import json
import socket

import pytest
import soundfile


def body(**fields):
    return json.dumps({"model": "tts-1", "input": "Hello.", "voice": "joe", **fields})


BAD_BODIES = {
    "no text": ('{"voice": "joe"}', 400, "input"),
    "empty text": (body(input=""), 400, "input"),
    "blank text": (body(input=" \n\t "), 400, "input"),
    "text over the limit": (body(input="word " * 4001), 413, "input"),
    "text of a wrong type": (body(input=["Hello"]), 400, "input"),
    "text is null": (body(input=None), 400, "input"),
    "unknown voice": (body(voice="nobody"), 400, "voice"),
    "voice of a wrong type": (body(voice=7), 400, "voice"),
    "voice object without id": (body(voice={"name": "joe"}), 400, "voice"),
    "voice with a path": (body(voice="../../etc/passwd"), 400, "voice"),
    "speed too low": (body(speed=0.1), 400, "speed"),
    "speed too high": (body(speed=4.5), 400, "speed"),
    "speed zero": (body(speed=0), 400, "speed"),
    "speed is text": (body(speed="fast"), 400, "speed"),
    "speed is true": (body(speed=True), 400, "speed"),
    "speed is enormous": ('{"input": "Hello.", "speed": 1e400}', 400, "speed"),
    "speed is NaN": ('{"input": "Hello.", "speed": NaN}', 400, None),
    "speed is Infinity": ('{"input": "Hello.", "speed": -Infinity}', 400, None),
    "seed is negative": (body(seed=-2), 400, "seed"),
    "seed is too large": (body(seed=2**63), 400, "seed"),
    "seed is a fraction": (body(seed=1.5), 400, "seed"),
    "stream is text": (body(stream="maybe"), 400, "stream"),
    "unknown stream format": (body(stream_format="telepathy"), 400, "stream_format"),
    "unknown format": (body(response_format="wma"), 400, "response_format"),
    "format of a wrong type": (body(response_format=1), 400, "response_format"),
    "NUL": (body(input="\0"), 400, "input"),
    "control characters": (body(input="\x07 \x86"), 400, "input"),
    "escape sequence": (body(input="\x1b[31m"), 400, "input"),
    "lone surrogate": ('{"input": " \\ud800 "}', 400, "input"),
    "reversed surrogates": ('{"input": "\\udc00\\ud800"}', 400, "input"),
    "50,000 combining marks": (('{"input": "e' + "\u0301" * 50_000 + '"}').encode(), 413, "input"),
    "50,000 combining marks, escaped": (body(input="e" + "\u0301" * 50_000), 413, None),
    "not JSON": ("Hello.", 400, None),
    "empty body": ("", 400, None),
    "half an object": ('{"input": "Hello', 400, None),
    "an array": ('["Hello."]', 400, None),
    "a string": ('"Hello."', 400, None),
    "null": ("null", 400, None),
    "invalid UTF-8": (b'{"input": "\xff\xfe"}', 400, None),
    "UTF-16": (body().encode("utf-16"), 400, None),
    "deeply nested": ("[" * 100_000, 400, None),
    "deeply nested value": ('{"input": "Hello.", "x": ' + "[" * 50_000 + "]" * 50_000 + "}", 400, None),
    "a number of 5,000 digits": ('{"input": "Hello.", "seed": ' + "9" * 5_000 + "}", 400, None),
    "1 MB of one word": (body(input="a" * 1_000_000), 413, None),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_the_openai_endpoint_refuses_invalid_bodies(server, name):
    content, status, parameter = BAD_BODIES[name]

    answer = server.ask("POST", "/v1/audio/speech", content, {"Content-Type": "application/json"})

    assert status == answer.status, answer.body
    error = answer.json()["error"]
    assert {"message", "type", "param", "code"} == set(error)
    assert "invalid_request_error" == error["type"]
    assert parameter == error["param"]
    assert 10 < len(error["message"]) < 400
    assert b"Traceback" not in answer.body and b".py" not in answer.body


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("text=", 400),
        ("text=%20", 400),
        ("text=%00", 400),
        ("text=%FF%FE", 400),
        ("text=" + "a%20" * 8_000, 414),
        ("text=Hello&speaker_id=../../etc/passwd", 400),
        ("text=Hello&speaker_wav=/etc/passwd", 400),
        ("text=Hello&style_wav=/etc/passwd", 400),
    ],
)
def test_the_coqui_endpoint_refuses_invalid_queries(server, query, status):
    answer = server.ask("GET", f"/api/tts?{query}")

    assert status == answer.status
    assert b"Traceback" not in answer.body


@pytest.mark.parametrize("text", ["... !!! ---", "\u0301" * 5_000, "\u2022 \u2022 \u2022"])
def test_a_text_without_a_sound_is_a_short_silence(server, text):
    answer = server.ask("POST", "/v1/audio/speech", body(input=text, response_format="wav"))

    assert (200, "the text has no sound") == (answer.status, answer.headers["X-Unspeakable"])
    samples, rate_hz = soundfile.read(io.BytesIO(answer.body))
    assert 0.2 * rate_hz == samples.size and not samples.any()


def test_the_coqui_endpoint_reports_errors_in_coquis_format(server):
    answer = server.ask("GET", "/api/tts?text=Hello&speaker_wav=mine.wav")

    assert {"error"} == set(answer.json())
    assert "mine.wav" in answer.json()["error"]


def test_a_form_above_the_limit_is_refused(server):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert 413 == server.ask("POST", "/api/tts", "text=" + "a" * 1_000_000, form).status


@pytest.mark.parametrize("is_chunked", [True, False], ids=["chunked", "declared"])
def test_a_client_that_sends_a_whole_body_above_the_limit_can_read_the_error(server, is_chunked):
    pieces = [b'{"input": "' + b"a" * 65_536 for _ in range(100)]
    declared = {} if is_chunked else {"Content-Length": str(sum(map(len, pieces)))}
    for _ in range(30):
        connection = server.connection()
        headers = {"Content-Type": "application/json", **declared}
        try:
            connection.request("POST", "/v1/audio/speech", iter(pieces), headers, encode_chunked=is_chunked)
            response = connection.getresponse()
            assert 413 == response.status
            assert "body_too_large" == json.loads(response.read())["error"]["code"]
        finally:
            connection.close()


@pytest.mark.parametrize("coding", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_client_that_stops_within_its_body_gets_a_408(server, coding):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\n{coding}\r\n\r\n".encode() + b'5\r\n{"inp\r\n')
        answer = client.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/audio/captions", 405), ("DELETE", "/v1/models", 405), ("GET", "/%2e%2e/x", 404)],
)
def test_unknown_paths_and_methods_get_openai_errors(server, method, path, status):
    answer = server.ask(method, path)

    assert status == answer.status
    assert {"message", "type", "param", "code"} == set(answer.json()["error"])


def test_unknown_fields_are_ignored(server):
    assert 200 == server.speak("Hello.", instructions="Whisper.", lang_code="en", volume=3).status


@pytest.mark.parametrize("text", ["a", "I", "7", "é", "Ω", "日本", "😀", "$", "a" * 2000, "1" * 300, "x. " * 500])
def test_odd_texts_are_spoken_or_refused(server, text):
    assert server.speak(text, stream=True, response_format="pcm").status in (200, 400)


@pytest.mark.parametrize("depth", range(940, 1000, 4))
def test_a_deeply_nested_field_is_a_400(server, depth):
    body = '{"input": "Hi.", "speed": ' + "[" * depth + "]" * depth + "}"

    assert 400 == server.ask("POST", "/v1/audio/speech", body).status


def test_a_long_list_of_granularities_is_refused_at_once(server):
    answer = server.speak("Hi.", timestamp_granularities=[1] * 50_000)

    assert 400 == answer.status
    assert "timestamp_granularities" == answer.json()["error"]["param"]


def test_a_file_name_that_is_too_long_is_not_found(server):
    assert 404 == server.ask("GET", f"/page/{'a' * 300}.js").status
