"""app.scheduling.client_socket: socket timeouts, and the buffered send of answers of known length."""

import socket
from contextlib import contextmanager

import pytest

from app.scheduling.client_socket import ClientSocket, SlowClientError, SocketTimeouts


@pytest.fixture
def short_timeouts():
    """A connection with timeouts of milliseconds; made non-blocking and blocking again, as in a worker."""
    server, client = socket.socketpair()
    clock = [100.0]
    taken = ClientSocket.wrap(server, SocketTimeouts(silence_s=0.02, stuck_s=0.02), lambda: clock[0])
    taken.setblocking(False)
    taken.setblocking(True)
    yield taken, client, clock
    taken.close()
    client.close()


def test_a_client_that_stops_sending_its_request_times_out(short_timeouts):
    server, client, _ = short_timeouts
    client.sendall(b"GET /")

    assert b"GET /" == server.recv(100)
    with pytest.raises(SlowClientError, match=r"nothing was sent for 0\.02 s"):
        server.recv(100)


def test_a_non_blocking_read_does_not_time_out(short_timeouts):
    server, _, _ = short_timeouts
    server.setblocking(False)

    with pytest.raises(BlockingIOError):
        server.recv(1)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n"])
def test_a_client_that_stops_reading_its_answer_times_out(short_timeouts, head):
    server, client, _ = short_timeouts
    server.sendall(head)

    with pytest.raises(SlowClientError, match="the client took nothing of the answer for"):
        server.sendall(bytes(50_000_000))


def test_a_client_that_keeps_reading_a_little_does_not_time_out(short_timeouts):
    server, client, _ = short_timeouts
    taken = []

    @contextmanager
    def read_a_little(_connection):
        taken.append(len(client.recv(65_536)))
        yield

    server.while_waiting = read_a_little
    server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    server.sendall(bytes(2_000_000))

    assert len(taken) > 5
    assert (2_000_019, 2_000_019) == (server.handed_bytes, server.sent_bytes)


def test_a_non_blocking_send_does_not_wait_for_the_client(short_timeouts):
    server, _, _ = short_timeouts
    server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    server.setblocking(False)
    server.while_waiting = None

    with pytest.raises(SlowClientError):
        server.sendall(bytes(50_000_000))


def test_the_time_waited_for_a_client_includes_the_current_wait(short_timeouts):
    server, _, clock = short_timeouts
    seen = []

    @contextmanager
    def pass_a_second(connection):
        clock[0] += 1.0
        seen.append(connection.waited_s())
        yield

    server.while_waiting = pass_a_second
    server.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(SlowClientError):
        server.sendall(bytes(50_000_000))

    assert ([1.0], 1.0) == (seen, server.waited_s())


@pytest.fixture
def pair():
    server, client = socket.socketpair()
    client.setblocking(False)
    taken = ClientSocket.wrap(server)
    yield taken, client
    taken.close()
    client.close()


def read(client):
    try:
        return client.recv(1_000_000)
    except BlockingIOError:
        return None


HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 6\r\nX: y\r\n\r\n"


def test_an_answer_of_known_length_is_sent_in_one_piece(pair):
    server, client = pair
    server.sendall(HEAD)
    server.sendall(b"abc")
    assert read(client) is None
    server.sendall(b"def")

    assert HEAD + b"abcdef" == read(client)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_stream_is_sent_unbuffered(pair, head):
    server, client = pair
    for piece in (head, b"3\r\nabc\r\n", b"0\r\n\r\n"):
        server.sendall(piece)
        assert piece == read(client)


def test_a_buffered_head_without_a_body_is_sent_at_shutdown(pair):
    server, client = pair
    server.sendall(HEAD)
    server.shutdown(socket.SHUT_WR)

    assert HEAD == read(client)


def test_the_rest_of_a_long_answer_is_sent_in_pieces(pair):
    server, client = pair
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n"
    server.sendall(head)
    server.sendall(bytes(100_000))
    assert read(client) is None
    server.sendall(bytes(60_000))
    server.sendall(bytes(20_000))

    assert len(head) + 180_000 == sum(len(piece) for piece in iter(lambda: read(client), None))
