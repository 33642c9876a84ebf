"""app.worker: which connections a worker takes, and what its heartbeat says; on real sockets, in this process."""

import gc
import math
import resource
import selectors
import socket
import time
import weakref

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import State
from app.worker import SpeechWorker


@pytest.fixture
def listener():
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    yield listening
    listening.close()


def unborn(listener):
    """A worker as the master makes it."""
    config = Config()
    config.set("threads", 2)
    return SpeechWorker(1, 0, [listener], None, 30, config, Logger(config))


@pytest.fixture
def worker(listener):
    """A worker that is ready, and looks at its listener when it is told to."""
    made = unborn(listener)
    made.board = Scoreboard(3)
    made.seat = made.board.take_seat()
    made.seat.become(State.READY)
    made.tpool = made.get_thread_pool()
    made.poller = selectors.DefaultSelector()
    made.method_queue.init()
    made.set_accept_enabled(True)
    yield made
    for connection in made.pending_conns:
        connection.close()
    made.farewells.close()
    made.tpool.shutdown()
    made.poller.close()
    made.method_queue.close()
    made.tmp.close()


@pytest.fixture
def caller(listener):
    """Connects to the listener as often as it is called."""
    made = []

    def call():
        made.append(socket.create_connection(listener.getsockname()))
        return made[-1]

    yield call
    for each in made:
        each.close()


def peer(worker, connections, state=State.READY):
    seat = worker.board.take_seat()
    seat.show(connections=connections, state=state)
    return seat


def look(worker, listener):
    """Have the worker do what it does when its listener can be read."""
    worker.accept(listener)
    return worker.nr_conns


def test_an_idle_worker_takes_a_connection_whatever_others_do(worker, listener, caller):
    peer(worker, 0)
    caller()

    assert 1 == look(worker, listener)
    assert 1 == worker.seat.row["connections"]


def test_a_busier_worker_leaves_a_connection_to_a_freer_one_and_takes_it_when_nobody_came(worker, listener, caller):
    caller()
    assert 1 == look(worker, listener)
    peer(worker, 0)
    caller()

    assert 1 == look(worker, listener)
    assert not worker._accepting
    worker._back_at_s = time.monotonic() - 0.001  # the wait is over
    worker.set_accept_enabled(True)
    assert worker._accepting
    assert 2 == look(worker, listener)


@pytest.mark.parametrize("connections, state", [(1, State.READY), (5, State.READY), (0, State.STARTING), (0, State.DRAINING)])
def test_nobody_is_waited_for_who_is_no_freer_or_takes_nothing(worker, listener, caller, connections, state):
    caller()
    look(worker, listener)
    peer(worker, connections, state)
    caller()

    assert 2 == look(worker, listener)


def test_after_another_was_faster_the_next_connection_is_left_too(worker, listener, caller):
    caller()
    look(worker, listener)
    peer(worker, 0)
    worker._back_at_s = time.monotonic() - 1.0  # it stepped back a while ago
    caller()

    assert 1 == look(worker, listener)


def test_a_connection_that_is_gone_is_no_error(worker, listener):
    assert 0 == look(worker, listener)


def test_without_a_descriptor_left_it_takes_none_for_a_while_and_lives(worker, listener, caller):
    caller()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The next descriptor would be the first one that is over the limit.
    probe = socket.socket()
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno(), before[1]))
    probe.close()
    filler = []
    try:
        with pytest.raises(OSError):
            while True:
                filler.append(socket.socket())
        assert 0 == look(worker, listener)
        assert not worker._accepting
        worker.set_accept_enabled(True)  # asked for with every turn of gunicorn's loop
        assert not worker._accepting
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for each in filler:
            each.close()
    worker._back_at_s = 0.0
    worker.set_accept_enabled(True)
    assert 1 == look(worker, listener)


def test_a_client_that_says_nothing_has_no_thread_and_is_hung_up_on(worker, listener, caller):
    silent = caller()
    look(worker, listener)
    assert 0 == len(worker.tpool._threads)
    worker.pending_conns[0].timeout = time.monotonic() - 0.001
    worker.murder_pending()

    assert (0, 0) == (worker.nr_conns, worker.seat.row["connections"])
    assert b"" == silent.recv(1)


def test_its_heart_beats_until_a_synthesis_is_stalled(worker):
    worker.tmp.notify()
    beat_s = worker.tmp.last_update()
    assert 0 < beat_s <= time.monotonic()
    worker.seat.show(stalls_s=time.monotonic() + 60.0)
    assert beat_s == worker.tmp.last_update()
    worker.seat.show(stalls_s=time.monotonic() - 0.001)
    assert -math.inf == worker.tmp.last_update()


def test_a_worker_that_is_told_to_end_says_that_it_takes_no_more(worker):
    worker.handle_exit(None, None)

    assert (State.DRAINING, False) == (worker.seat.row["state"], worker.alive)


def test_without_a_seat_it_works_as_gunicorns_own(worker, listener, caller):
    worker.board = worker.seat = None
    for expected in (1, 2):
        caller()
        assert expected == look(worker, listener)
    worker.tmp.notify()
    assert -math.inf < worker.tmp.last_update()


def test_a_worker_that_has_all_the_connections_it_may_have_waits_for_one_to_end(worker, listener, caller, monkeypatch):
    caller()
    look(worker, listener)
    worker.worker_connections = 1
    worker.set_accept_enabled(False)  # gunicorn's loop asks for it
    waited_s = []
    monkeypatch.setattr(worker.poller, "select", lambda timeout: waited_s.append(timeout) or [])
    worker.wait_for_and_dispatch_events(1.0)

    assert [1.0] == waited_s


def test_a_request_for_which_the_system_has_no_thread_is_hung_up_on(worker, listener, caller, monkeypatch, caplog):
    client = caller()
    client.sendall(b"GET /livez HTTP/1.1\r\n\r\n")
    look(worker, listener)
    connection = worker.pending_conns[0]

    def submit(work, *arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(worker.tpool, "submit", submit)
    worker.on_pending_socket_readable(connection, connection.sock)

    assert (0, 0) == (worker.nr_conns, worker.seat.row["connections"])
    assert b"" == client.recv(1)
    assert "worker.has_no_thread" in [record.msg["event"] for record in caplog.records]
    # The pool has queued it all the same: a thread that comes for it finds nothing to do.
    assert worker.handle(connection) is False


def test_it_ends_at_once_where_a_signal_comes_while_its_pool_is_locked(worker):
    ended = []
    worker.cfg.set("worker_int", lambda worker: ended.append(worker))
    with worker.tpool._shutdown_lock:
        worker.handle_quit(None, None)

    assert [worker] == ended


def test_the_master_which_collects_no_garbage_keeps_no_worker_that_is_gone(listener):
    made = unborn(listener)
    made.tmp.close()
    gone = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert gone() is None
    finally:
        gc.enable()
