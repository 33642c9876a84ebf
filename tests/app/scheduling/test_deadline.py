"""app.scheduling.deadline: who closed the connection has left, who only waits has not."""

import math
import socket

import pytest

from app.errors import BadRequestError, ClientGoneError, DeadlineError
from app.scheduling.deadline import WAITED_KEY, Listener, listener


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_client_that_waits_has_not_left(pair):
    ours, theirs = pair
    has_left = listener({"gunicorn.socket": ours}).has_left
    assert not has_left()

    theirs.send(b"another request, sent early")

    assert not has_left()


@pytest.mark.parametrize("sent", [b"", b"the rest of something"])
def test_a_client_that_closed_has_left(pair, sent):
    ours, theirs = pair
    has_left = listener({"gunicorn.socket": ours}).has_left
    theirs.send(sent)

    theirs.close()

    assert has_left()


def test_nobody_leaves_a_server_that_shows_no_socket():
    assert not listener({}).has_left()


def asked(waited_s=0.0, **headers):
    return listener({WAITED_KEY: waited_s, **{f"HTTP_{name}": value for name, value in headers.items()}}, now=lambda: 50.0)


def test_a_request_is_as_old_as_its_proxy_had_it():
    assert 50.0 == listener({}, now=lambda: 50.0).since_s
    assert 48.5 == asked(1.5).since_s


def test_a_client_may_say_how_long_it_waits():
    assert math.inf == asked().until_s
    assert 52.5 == asked(X_REQUEST_TIMEOUT="2.5").until_s
    assert 51.0 == asked(1.5, X_REQUEST_TIMEOUT="2.5").until_s


@pytest.mark.parametrize("said", ["", "0", "-1", "nan", "inf", "soon", "86401", "1e999"])
def test_what_is_no_time_to_wait_is_refused_with_its_bounds(said):
    with pytest.raises(BadRequestError, match="more than 0 and at most 86400"):
        asked(X_REQUEST_TIMEOUT=said)


def test_work_stops_for_whoever_left_or_waits_no_longer():
    Listener(lambda: False, 0.0, until_s=9.0).raise_if_gone(now=lambda: 9.0)
    with pytest.raises(ClientGoneError):
        Listener(lambda: True, 0.0).raise_if_gone()
    with pytest.raises(DeadlineError):
        Listener(lambda: False, 0.0, until_s=9.0).raise_if_gone(now=lambda: 9.1)
