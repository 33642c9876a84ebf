"""app.serving.sockets: paths to listen on, and the lingering close on real connections."""

import os
import select
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

import app.serving.sockets
from app.serving.sockets import LingeringClose, require_socket_paths
from loader.errors import ConfigError

SETTINGS = SimpleNamespace(path=Path("tts_config.yaml"))


def bind_error(path, environment=()):
    try:
        require_socket_paths([("127.0.0.1", 80), str(path)], SETTINGS, dict(environment))
    except ConfigError as error:
        (problem,) = error.problems
        return problem
    return None


def test_a_regular_file_at_the_path_of_a_socket_is_named_in_the_error(tmp_path):
    (tmp_path / "file").touch()

    assert f"bind: {tmp_path / 'file'}: not a socket; remove it, or bind another path" == bind_error(tmp_path / "file")
    assert f"bind: {tmp_path}: not a socket; remove it, or bind another path" == bind_error(tmp_path)
    assert f"bind: {tmp_path / 'none'}: no such folder; make it, or bind another path" == bind_error(tmp_path / "none" / "socket")
    assert f"bind: {tmp_path / 'file' / 'socket'}: Not a directory" == bind_error(tmp_path / "file" / "socket")


def test_the_path_of_an_old_socket_and_a_free_path_are_accepted(tmp_path):
    with socket.socket(socket.AF_UNIX) as before:
        before.bind(str(tmp_path / "socket"))

    assert bind_error(tmp_path / "socket") is None
    assert bind_error(tmp_path / "free") is None


def test_a_directory_without_permission_is_named_in_the_error(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    assert f"bind: {tmp_path}: user {os.geteuid()} may not write there" == bind_error(tmp_path / "socket")


@pytest.mark.parametrize("name", ["LISTEN_FDS", "GUNICORN_FD"])
def test_inherited_listeners_need_no_path(tmp_path, name):
    assert bind_error(tmp_path / "none" / "socket", {name: "1"}.items()) is None


ANSWER = b"HTTP/1.1 413 Too Large\r\n\r\n"


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lingering(clock):
    made = LingeringClose(clock)
    yield made
    made.close()


@pytest.fixture
def connect():
    """Return a function that connects a client to a server; over TCP, because only TCP resets connections."""
    listening, made = socket.create_server(("127.0.0.1", 0)), []

    def connect():
        client = socket.create_connection(listening.getsockname(), timeout=30)
        made.append(client)
        server, _ = listening.accept()
        return server, client

    yield connect
    for each in (*made, listening):
        each.close()


def drain_and_read(lingering, client):
    """Drain as the worker does until the client has closed its end; return what the client reads."""
    while len(lingering):
        select.select([lingering], [], [], 30)
        lingering.drain()
    return client.recv(1000)


def test_a_client_that_sends_megabytes_after_its_answer_can_read_the_answer(lingering, connect):
    server, client = connect()
    server.sendall(ANSWER)
    lingering.add(server)
    client.setblocking(False)
    left = memoryview(b"a" * 20_000_000)
    while left:
        _, writable, _ = select.select([], [client], [], 0.001)
        left = left[client.send(left) :] if writable else left
        lingering.drain()
    client.shutdown(socket.SHUT_WR)

    assert ANSWER == drain_and_read(lingering, client)


def test_a_connection_is_closed_once_its_client_closes_it(lingering, connect):
    server, client = connect()
    lingering.add(server)
    lingering.drain()
    assert 1 == len(lingering)
    client.close()
    select.select([lingering], [], [], 30)
    lingering.drain()

    assert 0 == len(lingering)
    assert -1 == server.fileno()


def test_the_client_reads_the_end_of_the_answer_at_once(lingering, connect):
    server, client = connect()
    lingering.add(server)

    assert b"" == client.recv(1)


def test_a_silent_client_is_drained_for_two_seconds_and_a_sending_one_for_thirty(lingering, connect, clock):
    (silent, _), (talkative, client) = connect(), connect()
    lingering.add(silent)
    lingering.add(talkative)
    left_s = {}
    for second in range(1, 40):
        if talkative.fileno() != -1:
            client.sendall(b"x")
            select.select([talkative], [], [], 30)
        lingering.drain()
        clock.now_s += 1
        lingering.close_overdue()
        for name, each in (("silent", silent), ("talkative", talkative)):
            if each.fileno() == -1:
                left_s.setdefault(name, second)

    assert {"silent": 2, "talkative": 30} == left_s


def test_a_reset_connection_is_closed(lingering, connect):
    server, client = connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    select.select([server], [], [], 30)
    lingering.add(server)
    lingering.drain()

    assert 0 == len(lingering)
    assert -1 == server.fileno()


def test_the_oldest_connection_is_closed_above_the_limit(lingering, connect, monkeypatch):
    monkeypatch.setattr(app.serving.sockets, "MAX_LINGERING", 2)
    servers = [connect()[0] for _ in range(3)]
    for each in servers:
        lingering.add(each)

    assert [True, False, False] == [each.fileno() == -1 for each in servers]


def test_a_stopping_worker_drains_for_two_more_seconds(lingering, connect, clock):
    (closing, client), (open_, _) = connect(), connect()
    lingering.add(closing)
    lingering.add(open_)
    client.close()
    seen = []
    drain = lingering.drain

    def drain_and_wait(timeout_s=0.0):
        seen.append(timeout_s)
        drain(0.0)
        clock.now_s += timeout_s

    lingering.drain = drain_and_wait
    lingering.finish()

    assert [2.0] == seen
    assert -1 == closing.fileno() == open_.fileno()
