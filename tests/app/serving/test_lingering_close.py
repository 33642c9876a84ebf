"""Lingering close, on real connections: a client that still sends gets its answer; one that never closes delays no other."""

import select
import socket

import pytest

import app.serving.lingering_close
from app.serving.lingering_close import Farewells

ANSWER = b"HTTP/1.1 413 Too Large\r\n\r\n"


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def farewells(clock):
    made = Farewells(clock)
    yield made
    made.close()


@pytest.fixture
def connect():
    """Connect a client to a server, as often as it is called; TCP, as only that resets."""
    listening, made = socket.create_server(("127.0.0.1", 0)), []

    def connect():
        client = socket.create_connection(listening.getsockname(), timeout=30)
        made.append(client)
        server, _ = listening.accept()
        return server, client

    yield connect
    for each in (*made, listening):
        each.close()


def read_on(farewells, client):
    """Have the worker do what it does when the descriptor can be read, until the client's end is closed."""
    while len(farewells):
        select.select([farewells], [], [], 30)
        farewells.read()
    return client.recv(1000)


def test_a_client_that_sends_megabytes_after_its_answer_reads_the_answer(farewells, connect):
    server, client = connect()
    server.sendall(ANSWER)
    farewells.say(server)
    client.setblocking(False)
    left = memoryview(b"a" * 20_000_000)
    while left:
        _, writable, _ = select.select([], [client], [], 0.001)
        left = left[client.send(left) :] if writable else left
        farewells.read()
    client.shutdown(socket.SHUT_WR)

    assert ANSWER == read_on(farewells, client)


def test_a_connection_is_closed_once_its_client_has_closed_it(farewells, connect):
    server, client = connect()
    farewells.say(server)
    farewells.read()
    assert 1 == len(farewells)
    client.close()
    select.select([farewells], [], [], 30)
    farewells.read()

    assert 0 == len(farewells)
    assert -1 == server.fileno()


def test_the_client_sees_the_end_of_the_answer_at_once(farewells, connect):
    server, client = connect()
    farewells.say(server)

    assert b"" == client.recv(1)


def test_a_silent_client_is_waited_for_two_seconds_and_a_talkative_one_thirty(farewells, connect, clock):
    (silent, _), (talkative, client) = connect(), connect()
    farewells.say(silent)
    farewells.say(talkative)
    left_s = {}
    for second in range(1, 40):
        if talkative.fileno() != -1:
            client.sendall(b"x")
            select.select([talkative], [], [], 30)
        farewells.read()
        clock.now_s += 1
        farewells.end_overdue()
        for name, each in (("silent", silent), ("talkative", talkative)):
            if each.fileno() == -1:
                left_s.setdefault(name, second)

    assert {"silent": 2, "talkative": 30} == left_s


def test_a_connection_that_is_gone_is_closed(farewells, connect):
    server, client = connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    select.select([server], [], [], 30)
    farewells.say(server)
    farewells.read()

    assert 0 == len(farewells)
    assert -1 == server.fileno()


def test_of_too_many_the_oldest_is_closed(farewells, connect, monkeypatch):
    monkeypatch.setattr(app.serving.lingering_close, "_MOST", 2)
    servers = [connect()[0] for _ in range(3)]
    for each in servers:
        farewells.say(each)

    assert [True, False, False] == [each.fileno() == -1 for each in servers]


def test_at_the_end_of_a_worker_clients_are_waited_for_a_last_time(farewells, connect, clock):
    (closing, client), (open_, _) = connect(), connect()
    farewells.say(closing)
    farewells.say(open_)
    client.close()
    seen = []
    read = farewells.read

    def read_and_wait(timeout_s=0.0):
        seen.append(timeout_s)
        read(0.0)
        clock.now_s += timeout_s

    farewells.read = read_and_wait
    farewells.finish()

    assert [2.0] == seen
    assert -1 == closing.fileno() == open_.fileno()
