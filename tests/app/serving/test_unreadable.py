"""app.serving.unreadable: every way in which gunicorn refuses to read has an answer of ours, which quotes nothing."""

import inspect

import pytest
from gunicorn.http import errors as gunicorn_errors

from app.errors import RequestTimeoutError
from app.serving.unreadable import _REFUSALS, ENVIRON_KEY, OURS, answer_without_request, refusal_of

PARSE_ERRORS = {
    name: each
    for name, each in vars(gunicorn_errors).items()
    if inspect.isclass(each) and issubclass(each, gunicorn_errors.ParseException) and each is not gunicorn_errors.ParseException
}


def test_gunicorns_errors_are_the_ones_that_are_known_here():
    known = {name for name, _, _ in _REFUSALS} | set(OURS)

    assert known == set(PARSE_ERRORS), (
        "this gunicorn has other errors of parsing than 27.0.1: give each new one in app/serving/unreadable.py a message for"
        " the client, or put it among OURS"
    )


def test_gunicorn_tells_a_worker_of_them_by_handle_error_and_of_bodies_by_raising():
    from gunicorn.workers.gthread import ThreadWorker

    assert ["self", "req", "client", "addr", "exc"] == list(inspect.signature(ThreadWorker.handle_error).parameters), (
        "this gunicorn calls handle_error differently: see SpeechWorker.handle_error"
    )


@pytest.mark.parametrize("name", sorted(set(PARSE_ERRORS) - set(OURS)))
def test_each_is_a_4xx_that_quotes_nothing(name):
    kind = PARSE_ERRORS[name]
    try:
        refused = refusal_of(kind("secret text"))
    except TypeError:
        refused = refusal_of(kind())

    assert 400 <= refused.status < 500
    assert "secret" not in refused.message and 10 < len(refused.message) < 200


@pytest.mark.parametrize("name", OURS)
def test_what_the_application_did_wrong_is_not_the_clients_fault(name):
    assert refusal_of(PARSE_ERRORS[name]("x")) is None


def test_anything_else_is_not_the_clients_fault():
    assert refusal_of(ValueError("x")) is None


def test_an_answer_without_a_request_is_the_applications():
    said = {}

    def application(environ, start_response):
        said.update(environ)
        start_response("408 REQUEST TIMEOUT", [("Content-Length", "5")])
        return [b"he", b"llo"]

    error = RequestTimeoutError("too slow")
    answer = answer_without_request(application, error, "POST", "/api/tts")

    assert b"HTTP/1.1 408 REQUEST TIMEOUT\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello" == answer
    assert ("POST", "/api/tts", error) == (said["REQUEST_METHOD"], said["PATH_INFO"], said[ENVIRON_KEY])
