"""app.serving.buffered_send: an answer of known length leaves in one piece; a stream as it comes."""

import socket

import pytest

from app.serving.buffered_send import AnswerSocket


@pytest.fixture
def pair():
    server, client = socket.socketpair()
    client.setblocking(False)
    taken = AnswerSocket.taking(server)
    yield taken, client
    taken.close()
    client.close()


def read(client):
    try:
        return client.recv(1_000_000)
    except BlockingIOError:
        return None


HEAD = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 6\r\nX: y\r\n\r\n"


def test_nothing_is_sent_before_all_of_it_is_there(pair):
    server, client = pair
    server.sendall(HEAD)
    server.sendall(b"abc")
    assert read(client) is None
    server.sendall(b"def")

    assert HEAD + b"abcdef" == read(client)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_what_has_no_known_length_is_sent_as_it_comes(pair, head):
    server, client = pair
    for piece in (head, b"3\r\nabc\r\n", b"0\r\n\r\n"):
        server.sendall(piece)
        assert piece == read(client)


@pytest.mark.parametrize("end", [lambda server: server.shutdown(socket.SHUT_WR), lambda server: server.close()])
def test_a_head_without_its_body_is_sent_at_the_latest_when_the_connection_ends(pair, end):
    server, client = pair
    server.sendall(HEAD)
    end(server)

    assert HEAD == read(client)


def test_of_a_long_answer_the_rest_follows(pair):
    server, client = pair
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n"
    server.sendall(head)
    server.sendall(bytes(100_000))
    assert read(client) is None
    server.sendall(bytes(60_000))
    server.sendall(bytes(20_000))

    assert len(head) + 180_000 == sum(len(piece) for piece in iter(lambda: read(client), None))


def test_a_client_that_left_is_no_error_when_the_connection_is_closed(pair):
    server, client = pair
    server.sendall(HEAD)
    client.close()
    server.close()
