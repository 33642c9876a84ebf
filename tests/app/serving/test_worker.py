"""app.serving.worker: which connections a worker takes, and what its heartbeat says; on real sockets, in this process."""

import gc
import math
import os
import resource
import selectors
import socket
import time
import weakref
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import State
from app.scoreboard.slot import Slot
from app.serving.worker import SpeechWorker


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
    made.slot = made.board.take_slot()
    made.slot.set_state(State.READY)
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


@pytest.fixture
def given(worker, monkeypatch):
    """The connections that were given to a thread, which none takes."""
    connections = []
    monkeypatch.setattr(worker.tpool, "submit", lambda work, connection: connections.append(connection) or Future())
    yield connections
    for each in connections:
        each.close()


def peer(worker, connections, state=State.READY):
    slot = worker.board.take_slot()
    slot.set_gauges(connections=connections, state=state)
    return slot


def look(worker, listener):
    """Have the worker do what it does when its listener can be read."""
    worker.accept(listener)
    return worker.nr_conns


def test_an_idle_worker_takes_a_connection_whatever_others_do(worker, listener, caller):
    peer(worker, 0)
    caller()

    assert 1 == look(worker, listener)
    assert 1 == worker.slot.row["connections"]


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

    assert (0, 0) == (worker.nr_conns, worker.slot.row["connections"])
    assert b"" == silent.recv(1)


def test_a_request_has_a_thread_once_it_is_whole(worker, listener, caller, given):
    client = caller()
    look(worker, listener)
    connection = worker.pending_conns[0]
    for piece in (b"GET /livez HT", b"TP/1.1\r\nHost: x\r\n", b"\r\n"):
        assert not given
        client.sendall(piece)
        worker.on_pending_socket_readable(connection, connection.sock)

    assert [connection] == given
    assert 0 == worker._collected_bytes == len(worker.pending_conns)


@pytest.mark.parametrize("sent, said", [(b"GET /", "nothing was sent for 10 s"), (b"", None)])
def test_a_request_that_does_not_come_is_refused_and_a_client_that_says_nothing_hung_up_on(
    worker, listener, caller, given, sent, said
):
    client = caller()
    look(worker, listener)
    client.sendall(sent)
    connection = worker.pending_conns[0]
    worker.on_pending_socket_readable(connection, connection.sock)
    connection.timeout = time.monotonic() - 0.001
    worker.murder_pending()

    assert 0 == len(worker.pending_conns)
    assert ([said] if said else []) == [each.refusal.message.partition(": ")[2] for each in given]


def test_the_oldest_unfinished_requests_give_way_where_all_take_too_much(worker, listener, caller, given, monkeypatch):
    monkeypatch.setattr("app.serving.worker._MAX_COLLECTED_BYTES", 1000)
    for _ in range(3):
        client = caller()
        look(worker, listener)
        client.sendall(b"GET /" + b"a" * 400)
        worker.on_pending_socket_readable(worker.pending_conns[-1], worker.pending_conns[-1].sock)

    assert (1, 2) == (len(given), len(worker.pending_conns))
    assert worker._collected_bytes == sum(len(each.request.data) for each in worker.pending_conns) == 810
    assert 408 == given[0].refusal.status


def test_more_connections_than_may_be_silent_end_the_oldest(worker, listener, caller, monkeypatch):
    monkeypatch.setattr("app.serving.worker.SILENT_CONNECTIONS", 3)
    clients = []
    for _ in range(3):
        clients.append(caller())
        look(worker, listener)

    assert 2 == len(worker.pending_conns) == worker.nr_conns
    assert b"" == clients[0].recv(1)


def test_a_worker_without_a_master_leaves_its_address_and_ends(worker, listener, caplog):
    assert worker.alive and worker._is_orphan()  # the test is its parent, and the worker thinks that 0 is
    assert not worker.is_parent_alive()
    worker.method_queue.run_callbacks(None)

    assert (False, State.DRAINING, -1) == (worker.alive, worker.slot.row["state"], listener.fileno())
    assert ["worker.orphaned"] == [record.msg["event"] for record in caplog.records]
    worker.accept(listener)  # the poller had seen somebody there before


def test_a_worker_whose_master_lives_keeps_its_address(worker, listener):
    worker.ppid = os.getppid()

    assert worker.is_parent_alive()
    worker.handle_exit(None, None)
    worker.method_queue.run_callbacks(None)
    assert listener.fileno() > 0


def test_a_defect_of_ours_is_logged_by_its_place_and_quotes_nobody(worker, caplog):
    said = []
    worker.wsgi = lambda environ, start_response: [start_response("500 X", []) or b"x"]
    try:
        raise ValueError("secret text")
    except ValueError as error:
        worker.handle_error(None, SimpleNamespace(sendall=said.append), ("127.0.0.1", 1), error)

    assert "secret" not in caplog.text and "secret" not in str(worker.slot.row["error"])
    assert "test_worker.py:" in caplog.text and b"ValueError at test_worker.py:" in worker.slot.row["error"]
    assert [b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\nx"] == said


def test_its_heart_beats_until_a_synthesis_is_stalled(worker):
    worker.tmp.notify()
    beat_s = worker.tmp.last_update()
    assert 0 < beat_s <= time.monotonic()
    worker.slot.set_gauges(stalls_s=time.monotonic() + 60.0)
    assert beat_s == worker.tmp.last_update()
    worker.slot.set_gauges(stalls_s=time.monotonic() - 0.001)
    assert -math.inf == worker.tmp.last_update()


def test_a_worker_that_is_told_to_end_says_that_it_takes_no_more(worker):
    worker.handle_exit(None, None)

    assert (State.DRAINING, False) == (worker.slot.row["state"], worker.alive)


def test_without_a_slot_on_the_board_it_works_as_gunicorns_own(worker, listener, caller):
    worker.board, worker.slot = Scoreboard(1), Slot.unlisted()
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

    assert (0, 0) == (worker.nr_conns, worker.slot.row["connections"])
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
