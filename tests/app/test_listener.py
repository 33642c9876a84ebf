"""app.listener: who closed the connection has left, who only waits has not."""

import math
import socket

import pytest

from app.errors import BadRequestError, ClientGoneError, DeadlineError
from app.listener import Listener, listener


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


def asked(**headers):
    return listener({f"HTTP_{name}": value for name, value in headers.items()}, now=lambda: 50.0, wall=lambda: 1_700_000_010.0)


def test_a_request_is_as_old_as_nginx_says():
    assert 50.0 == asked().since_s
    assert 48.5 == asked(X_REQUEST_START="t=1700000008.500").since_s


@pytest.mark.parametrize("said", ["", "t=", "t=yesterday", "1700000008.500", "t=1700000099.000", "t=1700000008.5;", "t=-1.000"])
def test_what_is_no_time_of_the_past_makes_no_request_old(said):
    assert 50.0 == asked(X_REQUEST_START=said).since_s


def test_a_clock_that_is_far_off_makes_a_request_an_hour_old_at_most():
    assert 50.0 - 3600.0 == asked(X_REQUEST_START="t=1000000000.000").since_s


def test_a_client_may_say_how_long_it_waits():
    assert math.inf == asked().until_s
    assert 52.5 == asked(X_REQUEST_TIMEOUT="2.5").until_s
    assert 51.0 == asked(X_REQUEST_TIMEOUT="2.5", X_REQUEST_START="t=1700000008.500").until_s


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
