"""app.serving.request_errors: each of gunicorn's parse errors has a response of ours, which quotes nothing of the request."""

import inspect

import pytest
from gunicorn.http import errors as gunicorn_errors

from app.errors import RequestTimeoutError
from app.serving.request_errors import ENVIRON_KEY, OURS, answer_without_request, refusal_of

PARSE_ERRORS = {
    name: each
    for name, each in vars(gunicorn_errors).items()
    if inspect.isclass(each) and issubclass(each, gunicorn_errors.ParseException) and each is not gunicorn_errors.ParseException
}


@pytest.mark.parametrize("name", sorted(set(PARSE_ERRORS) - set(OURS)))
def test_each_parse_error_is_a_4xx_that_quotes_nothing(name):
    kind = PARSE_ERRORS[name]
    try:
        refused = refusal_of(kind("secret text"))
    except TypeError:
        refused = refusal_of(kind())

    assert 400 <= refused.status < 500
    assert "secret" not in refused.message and 10 < len(refused.message) < 200


@pytest.mark.parametrize("name", OURS)
def test_an_error_of_the_application_is_not_a_parse_error(name):
    assert refusal_of(PARSE_ERRORS[name]("x")) is None


def test_an_unknown_error_is_not_a_parse_error():
    assert refusal_of(ValueError("x")) is None


def test_the_application_answers_a_request_that_failed_to_parse():
    seen = {}

    def application(environ, start_response):
        seen.update(environ)
        start_response("408 REQUEST TIMEOUT", [("Content-Length", "5")])
        return [b"he", b"llo"]

    error = RequestTimeoutError("too slow")
    answer = answer_without_request(application, error, "POST", "/api/tts")

    assert b"HTTP/1.1 408 REQUEST TIMEOUT\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello" == answer
    assert ("POST", "/api/tts", error) == (seen["REQUEST_METHOD"], seen["PATH_INFO"], seen[ENVIRON_KEY])
