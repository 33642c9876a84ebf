"""app.listener: who closed the connection has left, who only waits has not."""

import socket

import pytest

from app.listener import listener


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_client_that_waits_has_not_left(pair):
    ours, theirs = pair
    has_left = listener({"gunicorn.socket": ours})
    assert not has_left()

    theirs.send(b"another request, sent early")

    assert not has_left()


@pytest.mark.parametrize("sent", [b"", b"the rest of something"])
def test_a_client_that_closed_has_left(pair, sent):
    ours, theirs = pair
    has_left = listener({"gunicorn.socket": ours})
    theirs.send(sent)

    theirs.close()

    assert has_left()


def test_nobody_leaves_a_server_that_shows_no_socket():
    assert not listener({})()
