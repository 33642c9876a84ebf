"""app.scheduling.socket_timeout: how long a client is waited for, also where its answer is held back to leave in one piece."""

import socket
from contextlib import contextmanager

import pytest

from app.scheduling.socket_timeout import Patience, SlowClientError
from app.serving.buffered_send import AnswerSocket


@pytest.fixture
def impatient():
    """A connection whose client is waited for a moment only; as gunicorn does, it is made non-blocking and blocking again."""
    server, client = socket.socketpair()
    clock = [100.0]
    taken = AnswerSocket.taking(server, Patience(silence_s=0.02, request_s=60.0, stuck_s=0.02), lambda: clock[0])
    taken.setblocking(False)
    taken.setblocking(True)
    yield taken, client, clock
    taken.close()
    client.close()


def test_a_client_that_begins_a_request_and_sends_nothing_more_counts_as_gone(impatient):
    server, client, _ = impatient
    client.sendall(b"GET /")

    assert b"GET /" == server.recv(100)
    with pytest.raises(SlowClientError, match=r"nothing was sent for 0\.02 s"):
        server.recv(100)


def test_a_client_that_sends_byte_by_byte_is_waited_for_a_minute(impatient):
    server, client, clock = impatient
    client.sendall(b"GET /")
    server.recv(1)
    clock[0] += 60.0
    assert b"E" == server.recv(1)
    clock[0] += 0.1

    with pytest.raises(SlowClientError, match="not all of the request was there after 60 s"):
        server.recv(1)


def test_whoever_does_not_block_is_told_that_nothing_is_there_yet(impatient):
    server, _, _ = impatient
    server.setblocking(False)

    with pytest.raises(BlockingIOError):
        server.recv(1)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"])
def test_a_client_that_takes_nothing_of_its_answer_counts_as_gone(impatient, head):
    server, client, _ = impatient
    server.sendall(head)

    with pytest.raises(SlowClientError, match="nothing of the answer was taken"):
        server.sendall(bytes(50_000_000))


def test_a_client_that_takes_a_little_again_and_again_is_waited_for(impatient):
    server, client, _ = impatient
    taken = []

    @contextmanager
    def a_little_is_taken(_connection):
        taken.append(len(client.recv(65_536)))
        yield

    server.while_waiting = a_little_is_taken
    server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    server.sendall(bytes(2_000_000))

    assert len(taken) > 5
    assert (2_000_019, 2_000_019) == (server.handed_bytes, server.sent_bytes)


def test_who_does_not_block_does_not_wait_for_the_client(impatient):
    server, _, _ = impatient
    server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    server.setblocking(False)
    server.while_waiting = None

    with pytest.raises(SlowClientError):
        server.sendall(bytes(50_000_000))


def test_how_long_a_client_was_waited_for_is_known_also_meanwhile(impatient):
    server, _, clock = impatient
    seen = []

    @contextmanager
    def a_second_passes(connection):
        clock[0] += 1.0
        seen.append(connection.waited_s())
        yield

    server.while_waiting = a_second_passes
    server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(SlowClientError):
        server.sendall(bytes(50_000_000))

    assert ([1.0], 1.0) == (seen, server.waited_s())
