"""Errors have the format of the dialect, and say whether and when to retry."""

import pytest

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def is_openai_error(answer):
    error = answer.json()["error"]
    return {"message", "type", "param", "code"} == set(error) and 10 < len(error["message"]) < 400


def is_coqui_error(answer):
    return ["error"] == list(answer.json()) and 10 < len(answer.json()["error"]) < 400


def is_mary_error(answer):
    return answer.headers["Content-Type"].startswith("text/plain") and answer.body.count(b"\n") == 1 and len(answer.body) > 10


FORMATS = [("/v1/audio/speech", is_openai_error), ("/api/tts", is_coqui_error), ("/process", is_mary_error)]


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/audio/nothing", 404),
        ("GET", "/v1/audio/speech", 400),
        ("PUT", "/v1/audio/speech", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/v1/audio/voices", 405),
    ],
)
def test_unknown_paths_and_methods_under_v1_are_openai_errors(server, method, path, status):
    answer = server.ask(method, path, "{}" if method == "POST" else None)

    assert status == answer.status
    assert is_openai_error(answer)
    assert answer.headers["X-Request-ID"] in server.log()


@pytest.mark.parametrize("path, is_error", FORMATS)
def test_every_dialect_has_errors_in_its_own_format(server, path, is_error):
    wrong_method = server.ask("DELETE", path)
    coded = server.ask("POST", path, b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"})
    large = server.ask("POST", path, "text=" + "a" * 300_000, FORM)
    blank = server.ask("POST", path, '{"input": " "}', FORM)

    assert [405, 415, 413, 400] == [answer.status for answer in (wrong_method, coded, large, blank)]
    assert all(is_error(answer) for answer in (wrong_method, coded, large, blank))
    assert b"gzip" in coded.body and b"DELETE" in wrong_method.body
    assert all(answer.headers["X-Request-ID"] for answer in (wrong_method, coded, large, blank))


@pytest.mark.parametrize(
    "path, allowed", [
        ("/v1/audio/speech", "GET, POST"), ("/v1/audio/captions", "POST"), ("/v1/models", "GET"), ("/api/tts", "GET, POST"),
        ("/process", "GET, POST"),
    ],
)  # fmt: skip
def test_a_wrong_method_gets_the_allowed_methods(server, path, allowed):
    answer = server.ask("DELETE", path)

    assert allowed == answer.headers["Allow"]
    assert allowed.replace(", ", " or ") in answer.body.decode()


def test_client_errors_have_no_advice_to_retry(server):
    answer = server.speak("")

    assert 400 == answer.status
    assert not {"retry-after", "retry-after-ms", "x-should-retry"} & {name.lower() for name in answer.headers}


@pytest.mark.parametrize("path, is_error", FORMATS)
def test_a_voice_that_fails_has_the_advice_not_to_retry(start, path, is_error):
    server = start(
        "tests.support.failing_voice:create()", environment={"CHORUS_FAIL_AT": "0"}, expects_errors=True
    ).ready()  # fmt: skip

    bodies = {"/v1/audio/speech": {"input": "Hello."}, "/api/tts": "text=Hello", "/process": "INPUT_TEXT=Hello"}
    answer = server.ask("POST", path, bodies[path], FORM)

    assert (500, "false") == (answer.status, answer.headers["x-should-retry"])
    assert is_error(answer) and "Retry-After" not in answer.headers
