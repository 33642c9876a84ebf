"""app.serving.worker: which connections a worker accepts, and when a request gets a thread; on real sockets, in this process."""

import os
import resource
import signal
import socket
import time
from functools import partial

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.scoreboard.board import Scoreboard, Slot
from app.scoreboard.layout import State
from app.serving.request_errors import ENVIRON_KEY
from app.serving.worker import SpeechWorker
from tests.support.waiting import until


@pytest.fixture
def listener():
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    yield listening
    listening.close()


@pytest.fixture
def forked(listener):
    """A worker as it is after the fork."""
    config = Config()
    config.set("threads", 2)
    made = SpeechWorker(1, 0, [listener], None, 30, config, Logger(config))
    made.board, made.master_pid = Scoreboard(3), os.getppid()
    made.slot = made.board.take_slot()
    yield made
    made.tmp.close()


@pytest.fixture
def worker(forked):
    """A ready worker; it accepts and collects only if the test calls for it."""
    forked.slot.set_state(State.READY)
    forked.open()
    forked.set_accepting(True)
    yield forked
    for connection in forked.pending:
        connection.socket.close()
    forked.close()


@pytest.fixture
def connect(listener):
    """Return a function that connects a client to the listener."""
    made = []

    def connect_client():
        made.append(socket.create_connection(listener.getsockname()))
        return made[-1]

    yield connect_client
    for each in made:
        each.close()


@pytest.fixture
def submitted(worker, monkeypatch):
    """The connections that were handed to the thread pool; none runs."""
    connections = []
    monkeypatch.setattr(worker.pool, "submit", lambda work, connection, begun: connections.append(connection))
    yield connections
    for each in connections:
        each.socket.close()


def oldest(worker):
    return next(iter(worker.pending))


def peer(worker, connections, state=State.READY):
    worker.board.take_slot().set_gauges(connections=connections, state=state)


def accepted(worker, listener):
    """Call the worker as if its listener were readable; return its number of connections."""
    worker.accept(listener)
    return worker.connections


def test_an_idle_worker_accepts_a_connection_though_others_are_idle_too(worker, listener, connect):
    peer(worker, 0)
    connect()

    assert 1 == accepted(worker, listener)
    assert 1 == worker.slot.row["connections"]


def test_a_busier_worker_leaves_a_connection_to_an_idler_one_and_accepts_it_after_the_wait(worker, listener, connect):
    connect()
    assert 1 == accepted(worker, listener)
    peer(worker, 0)
    connect()

    assert 1 == accepted(worker, listener)
    assert not worker.is_accepting
    worker._accept_at_s = time.monotonic() - 0.001  # the wait is over
    worker.set_accepting(True)
    assert worker.is_accepting
    assert 2 == accepted(worker, listener)


@pytest.mark.parametrize("connections, state", [(1, State.READY), (5, State.READY), (0, State.STARTING), (0, State.DRAINING)])
def test_a_connection_is_not_left_to_a_worker_that_is_as_busy_or_accepts_none(worker, listener, connect, connections, state):
    connect()
    accepted(worker, listener)
    peer(worker, connections, state)
    connect()

    assert 2 == accepted(worker, listener)


def test_the_next_connection_is_left_to_the_idler_worker_too(worker, listener, connect):
    connect()
    accepted(worker, listener)
    peer(worker, 0)
    worker._accept_at_s = time.monotonic() - 1.0  # it stepped back a while ago
    connect()

    assert 1 == accepted(worker, listener)


def test_a_connection_that_another_worker_accepted_is_no_error(worker, listener):
    assert 0 == accepted(worker, listener)


def test_a_worker_without_a_free_descriptor_pauses_accepting(worker, listener, connect):
    connect()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The next descriptor would be the first one above the limit.
    probe = socket.socket()
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno(), before[1]))
    probe.close()
    filler = []
    try:
        with pytest.raises(OSError):
            while True:
                filler.append(socket.socket())
        assert 0 == accepted(worker, listener)
        assert not worker.is_accepting
        worker._wake_writer.send(b"x")  # ends this pass of the loop
        worker.turn()
        assert not worker.is_accepting
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in filler:
            each.close()
    worker._accept_at_s = 0.0
    worker.set_accepting(True)
    assert 1 == accepted(worker, listener)


def test_a_client_that_sends_nothing_uses_no_thread_and_is_disconnected(worker, listener, connect):
    silent = connect()
    accepted(worker, listener)
    assert 0 == len(worker.pool._threads)
    oldest(worker).request.ends_s = time.monotonic() - 0.001
    worker.close_overdue()

    assert (0, 0) == (worker.connections, worker.slot.row["connections"])
    assert b"" == silent.recv(1)


def test_a_request_is_submitted_to_a_thread_once_it_is_complete(worker, listener, connect, submitted):
    client = connect()
    accepted(worker, listener)
    connection = oldest(worker)
    for piece in (b"GET /livez HT", b"TP/1.1\r\nHost: x\r\n", b"\r\n"):
        assert not submitted
        client.sendall(piece)
        worker.collect(connection)

    assert [connection] == submitted
    assert 0 == worker.collected_bytes == len(worker.pending)


@pytest.mark.parametrize("sent, message", [(b"GET /", "nothing was sent for 10 s"), (b"", None)])
def test_an_incomplete_request_is_refused_and_a_silent_client_is_disconnected(
    worker, listener, connect, submitted, sent, message
):
    client = connect()
    accepted(worker, listener)
    client.sendall(sent)
    connection = oldest(worker)
    worker.collect(connection)
    connection.request.ends_s = time.monotonic() - 0.001
    worker.close_overdue()

    assert 0 == len(worker.pending)
    assert ([message] if message else []) == [each.refusal.message.partition(": ")[2] for each in submitted]


def test_the_oldest_incomplete_requests_are_refused_if_all_hold_too_much(worker, listener, connect, submitted, monkeypatch):
    monkeypatch.setattr("app.serving.worker._MAX_COLLECTED_BYTES", 1000)
    for _ in range(3):
        client = connect()
        accepted(worker, listener)
        client.sendall(b"GET /" + b"a" * 400)
        worker.collect(list(worker.pending)[-1])

    assert (1, 2) == (len(submitted), len(worker.pending))
    assert worker.collected_bytes == sum(len(each.request.data) for each in worker.pending) == 810
    assert 408 == submitted[0].refusal.status


def test_the_oldest_connection_is_closed_if_too_many_are_pending(worker, listener, connect, monkeypatch):
    monkeypatch.setattr("app.serving.worker.MAX_PENDING", 3)
    clients = []
    for _ in range(3):
        clients.append(connect())
        accepted(worker, listener)

    assert 2 == len(worker.pending) == worker.connections
    assert b"" == clients[0].recv(1)


def test_a_worker_without_a_slot_accepts_every_connection(worker, listener, connect):
    worker.board, worker.slot = Scoreboard(1), Slot.unlisted()
    for expected in (1, 2):
        connect()
        assert expected == accepted(worker, listener)


def test_a_client_is_disconnected_if_no_thread_can_be_started_for_its_request(worker, listener, connect, monkeypatch, caplog):
    client = connect()
    client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
    accepted(worker, listener)
    connection = oldest(worker)

    queued = []

    def submit(work, *arguments):
        queued.append(partial(work, *arguments))
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(worker.pool, "submit", submit)
    worker.collect(connection)

    assert (0, 0) == (worker.connections, worker.slot.row["connections"])
    assert b"" == client.recv(1)
    assert "connection.dropped" in [record.msg["event"] for record in caplog.records]
    # The pool has queued the request all the same: a thread that takes it must find nothing to do.
    assert queued.pop()() is None


def test_a_request_that_a_thread_took_is_answered_though_no_further_thread_can_start(worker, listener, connect, monkeypatch):
    client = connect()
    client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
    accepted(worker, listener)
    served = []

    def submit(work, *arguments):
        work(*arguments)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(worker, "serve", served.append)
    monkeypatch.setattr(worker.pool, "submit", submit)
    connection = oldest(worker)
    worker.collect(connection)

    assert [connection] == served
    assert connection.socket.fileno() != -1
    worker._finish_answered(worker._wake_reader)


def test_a_connection_that_cannot_be_polled_is_closed_and_the_worker_continues(worker, listener, connect, monkeypatch, caplog):
    client = connect()
    monkeypatch.setattr(worker.poller, "register", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    accepted(worker, listener)

    assert (0, {}) == (worker.connections, worker.pending)
    assert b"" == client.recv(1)
    assert ["connection.dropped"] == [record.msg["event"] for record in caplog.records]


def test_a_connection_that_was_closed_in_the_same_pass_is_ignored(worker, listener, connect, submitted):
    connect()
    accepted(worker, listener)
    connection = oldest(worker)
    connection.request.ends_s = time.monotonic() - 0.001
    worker.close_overdue()
    worker.collect(connection)  # the poller had returned it before

    assert ([], 0) == (submitted, worker.connections)


def test_a_worker_at_its_connection_limit_accepts_no_more(worker, listener, connect):
    worker.cfg.set("worker_connections", 1)
    connect()
    accepted(worker, listener)
    connect().sendall(b"x")
    worker._wake_writer.send(b"x")  # ends this pass of the loop
    worker.turn()

    assert not worker.is_accepting


@pytest.fixture
def answer_of(forked, connect):
    """Run the worker until it has answered one request; the application calls `meanwhile` during that request."""
    before = signal.getsignal(signal.SIGTERM)

    def answer_of(meanwhile):
        def application(environ, start_response):
            meanwhile()
            forked._wake_writer.send(b"x")  # as a signal does
            until(lambda: forked.slot.row["state"] == State.DRAINING)
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]

        forked.wsgi = application
        client = connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        forked.run()
        return client.makefile("rb").read()

    yield answer_of
    signal.signal(signal.SIGTERM, before)


def test_a_stopped_worker_closes_its_address_and_answers_its_last_request(forked, listener, answer_of):
    answer = answer_of(lambda: forked.handle_exit(signal.SIGTERM, None))

    assert answer.endswith(b"\r\n\r\nok")
    assert (False, -1) == (forked.alive, listener.fileno())
    assert (0, 0) == (forked.connections, forked.slot.row["connections"])


def test_a_worker_whose_master_died_closes_its_address_and_answers_its_last_request(forked, listener, answer_of, caplog):
    answer = answer_of(lambda: setattr(forked, "master_pid", 0))

    assert answer.endswith(b"\r\n\r\nok")
    assert -1 == listener.fileno()
    assert ["worker.orphaned"] == [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]


def test_a_defect_is_logged_with_its_source_line_and_without_client_data(worker, listener, connect, caplog):
    def application(environ, start_response):
        if ENVIRON_KEY not in environ:
            raise ValueError("secret text")
        return [start_response("500 X", []) or b"x"]

    worker.wsgi = application
    client = connect()
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    accepted(worker, listener)
    connection = oldest(worker)
    connection.collect()
    worker.serve(connection)

    assert "secret" not in caplog.text and "secret" not in str(worker.slot.row["error"])
    assert "test_worker.py:" in caplog.text and b"ValueError at test_worker.py:" in worker.slot.row["error"]
    assert b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\nx" == client.recv(1000)
