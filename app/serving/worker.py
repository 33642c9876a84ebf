"""gunicorn's threaded worker, told which connections to leave to others, and watched by what it has to show.

gthread takes every connection it can get, so that requests queue in one worker while
another is idle; and its heartbeat goes on whatever its threads do, so that a synthesis
that hangs is never noticed.
"""

import errno
import logging
import math
import os
import selectors
import signal
import socket
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app.errors import RequestTimeoutError, ServiceError
from app.logs import event, place_of
from app.scheduling.socket_timeout import PatientSocket
from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import State
from app.scoreboard.slot import Slot
from app.serving.buffered_send import AnswerSocket
from app.serving.lingering_close import Farewells
from app.serving.parent import signal_on_parent_death
from app.serving.request_buffer import RequestBuffer, target_of
from app.serving.unreadable import answer_without_request, refusal_of

log = logging.getLogger("chorus.process")

#: How long a busier worker leaves a connection to the others; an idle one takes it in less than a millisecond.
_STEP_BACK_S = 0.01
#: Connections of a worker whose clients have said nothing yet.
SILENT_CONNECTIONS = 1000
#: How long no connection is taken after the system has had no more descriptors or memory for one.
_SHORT_OF_RESOURCES_S = 1.0
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: How long a client may send nothing before it is hung up on. It costs no thread meanwhile.
_SILENCE_S = 5.0
#: What is read of a client at once.
_PIECE_BYTES = 64 * 1024
#: What all requests of a worker that are not whole yet may take: 1000 heads of 32 KiB, or 128 bodies of 256 KiB.
_MAX_COLLECTED_BYTES = 32 * 1024 * 1024


class Pulse:
    """A worker's heartbeat as the master sees it: none while a synthesis is stalled, so that gunicorn ends the worker.

    It does that as it ends any worker that shows no life: SIGABRT, for which the worker's
    threads are dumped, and SIGKILL a second later.
    """

    def __init__(self, beat: Any, worker: "SpeechWorker") -> None:
        self._beat = beat
        # Weak: the worker has this, and the master, which collects no garbage, would keep every worker it ever forked.
        self._worker = weakref.ref(worker)
        self.notify, self.fileno, self.close = beat.notify, beat.fileno, beat.close

    def last_update(self) -> float:
        """Return when the worker last showed life, by the monotonic clock. Called by the master, every second."""
        worker = self._worker()
        if worker is not None and 0 < worker.slot.row["stalls_s"] < time.monotonic():
            return -math.inf
        last_s: float = self._beat.last_update()
        return last_s


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A client's connection, which once answered takes no thread's time, nor the worker's, to be closed."""

    def __init__(self, farewells: Farewells, request: RequestBuffer, *arguments: Any) -> None:
        """Take over a connection that was just accepted."""
        super().__init__(*arguments)
        self._farewells = farewells
        self.request = request
        #: Why the request is not to be read any further.
        self.refusal: ServiceError | None = None

    @property
    def timeout(self) -> float:
        """When to give up waiting for the request, by the monotonic clock."""
        return self.request.ends_s

    @timeout.setter
    def timeout(self, ends_s: float | None) -> None:
        if ends_s is not None:
            self.request.ends_s = ends_s

    def collect(self) -> bool:
        """Read what the client has sent. Return whether a thread can go on: with a whole request, a wrong one or none at all."""
        try:
            piece = self.sock.recv(_PIECE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        try:
            if piece:
                return self.request.add(piece, time.monotonic()) or not self._continue()
            if self.request.data:
                self.refusal = self.request.closed()
        except ServiceError as error:
            self.refusal = error
        return True

    def _continue(self) -> bool:
        """Ask for the body if the client waits for that. Return whether it can still come."""
        if not self.request.take_continue():
            return True
        try:
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            return False
        return True

    def close(self, graceful: bool = False) -> None:
        """Close it at once, or as soon as the client has done so."""
        if graceful:
            self._farewells.say(self.sock)
        else:
            super().close()


class SpeechWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes a connection only where no other worker has fewer, and a thread only once a request is whole."""

    #: Set by the master before the fork.
    board: Scoreboard
    slot: Slot
    #: The largest body that is collected before it has a thread; set once the application is there.
    max_body_bytes = 0
    #: The listeners.
    sockets: list[Any]
    #: Of every connection, see `PatientSocket`; set in the worker.
    while_waiting: Callable[[PatientSocket], AbstractContextManager[None]] | None = None
    _back_at_s = 0.0
    #: Of all connections whose request is not whole yet.
    _collected_bytes = 0

    def __init__(self, *arguments: Any) -> None:
        """Made in the master, before the fork."""
        super().__init__(*arguments)
        self.tmp: Any = Pulse(self.tmp, self)

    @cached_property
    def farewells(self) -> Farewells:
        """Connections that are over but for their clients. Made when it is first asked for, which is after the fork."""
        return Farewells()

    def run(self) -> None:
        """Serve until the worker is to end and has answered everybody."""
        self.poller.register(self.farewells, selectors.EVENT_READ, lambda _: self.farewells.read())
        super().run()
        if self._is_orphan() and self.nr_conns:
            self.cfg.worker_int(self)  # no master is there to end a worker whose threads never end
        self.farewells.finish()
        # The master says it again until the process is gone, and nobody would catch it while Python ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def init_signals(self) -> None:
        """Take signals, the one that comes when the master dies too."""
        super().init_signals()
        signal_on_parent_death(signal.SIGTERM)
        if self._is_orphan():  # it died before the kernel was asked
            self.handle_exit(signal.SIGTERM, None)

    def is_parent_alive(self) -> bool:
        """Return whether the master is there. gunicorn asks with every turn of its loop, and ends the loop if not."""
        if self._is_orphan():
            self.handle_exit(signal.SIGTERM, None)
        return not self._is_orphan()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End now. gunicorn would lock its pool first, which this thread may have locked when the signal came."""
        self.cfg.worker_int(self)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take no more requests, and end after the ones there are. Without a master, leave its address at once."""
        self.slot.set_state(State.DRAINING)
        super().handle_exit(sig, frame)
        if self._is_orphan():
            self.method_queue.defer(self._leave_address)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Look at the listeners, or not. gunicorn asks for it with every turn of its loop."""
        if enabled and time.monotonic() < self._back_at_s:
            return
        super().set_accept_enabled(enabled)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait no longer than until the listeners are to be looked at again."""
        if not self._accepting and self.alive and self.nr_conns < self.worker_connections:
            timeout = min(timeout, max(0.0, self._back_at_s - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, unless a freer worker may, and wait for its request without a thread."""
        if not self._accepting:
            return  # since the poller looked, the listener was closed or is not to be looked at
        now_s = time.monotonic()
        # Whoever was left a connection by stepping back is there in time, or does not come at all.
        if now_s - self._back_at_s > 2 * _STEP_BACK_S and self._is_another_freer():
            self._step_back(_STEP_BACK_S)
            return
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another was faster, or the client left
        except OSError as error:
            if error.errno not in _SHORTAGES:
                raise
            event(log, "worker.takes_no_connection", logging.WARNING, reason=str(error), for_s=_SHORT_OF_RESOURCES_S)
            self._give_up_oldest(len(self.pending_conns) // 2)
            self._step_back(_SHORT_OF_RESOURCES_S)
            return
        taken = AnswerSocket.taking(client)
        if self.while_waiting is not None:
            taken.while_waiting = self.while_waiting
        request = RequestBuffer(now_s, self.max_body_bytes, _SILENCE_S)
        self._welcome(Connection(self.farewells, request, self.cfg, taken, address, listener.getsockname()))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Collect what a client has sent, and give its request to a thread once that is whole or wrong."""
        before_bytes = len(conn.request.data)
        is_whole = not self._is_plain_http or conn.collect()
        self._collected_bytes += len(conn.request.data) - before_bytes
        if is_whole:
            self._to_thread(conn)
        while self._collected_bytes > max(_MAX_COLLECTED_BYTES, 3 * self.max_body_bytes):
            # Those that have sent nothing hold nothing.
            oldest = next((each for each in self.pending_conns if each.request.data and each is not conn), None)
            if oldest is None:
                break
            self._give_up(oldest, _too_many())

    def enqueue_req(self, conn: Any) -> None:
        """Give a request to a thread, or hang up where the system has none for it."""
        try:
            super().enqueue_req(conn)
        except RuntimeError as error:
            event(log, "worker.has_no_thread", logging.WARNING, reason=str(error))
            self.nr_conns -= 1
            conn.close()
            self._show_connections()

    def handle(self, conn: Any) -> Any:
        """Serve one request, in a thread; not where it was hung up on before a thread came for it."""
        if conn.sock.fileno() == -1:
            return False
        conn.sock.setblocking(True)
        conn.sock.give_back(bytes(conn.request.data))
        conn.request.data.clear()
        if conn.refusal is not None:
            self._say(conn.sock, conn.refusal)
            return False
        return super().handle(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that gunicorn could not read, or for a defect of ours. Never logs what the client sent."""
        error: ServiceError | None = refusal_of(exc)
        if error is None:
            event(log, "request.failed", logging.ERROR, reason=type(exc).__name__, at=place_of(exc))
            self.slot.set_error(f"{type(exc).__name__} at {place_of(exc)}")
            error = ServiceError("internal error")
        self._say(client, error)

    def _say(self, client: Any, error: ServiceError) -> None:
        method, path = target_of(getattr(client, "collected", b""))
        try:
            client.sendall(answer_without_request(self.wsgi, error, method, path))
        except OSError:
            pass  # the client has left

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Note that a connection is over."""
        super().finish_request(conn, fs)
        self._show_connections()

    def murder_pending(self) -> None:
        """Hang up on clients that said nothing, refuse those that take too long, and close answered connections."""
        now_s = time.monotonic()
        for conn in [each for each in self.pending_conns if each.timeout <= now_s]:
            self._give_up(conn, conn.request.overdue(now_s))
        self.farewells.end_overdue()
        self._show_connections()

    def _is_orphan(self) -> bool:
        return bool(self.ppid != os.getppid())

    def _leave_address(self) -> None:
        """Close the listeners, which a new master needs. Connections that were accepted go on."""
        if not self.sockets:
            return
        self.set_accept_enabled(False)
        for listener in self.sockets:
            listener.close()
        self.sockets = []
        event(log, "worker.orphaned", logging.WARNING, connections=self.nr_conns)

    def _step_back(self, pause_s: float) -> None:
        self._back_at_s = time.monotonic() + pause_s
        self.set_accept_enabled(False)

    def _welcome(self, connection: Any) -> None:
        self.nr_conns += 1
        self._show_connections()
        self.pending_conns.append(connection)
        self.poller.register(
            connection.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection)
        )
        # One place less than there are, so that clients that send slowly never keep others out.
        self._give_up_oldest(len(self.pending_conns) - (SILENT_CONNECTIONS - 1))

    @cached_property
    def _is_plain_http(self) -> bool:
        """Whether a client's first bytes are those of its request."""
        return not self.cfg.is_ssl and self.cfg.proxy_protocol == "off" and self.cfg.http2_cleartext == "off"

    def _to_thread(self, conn: Any) -> None:
        self._collected_bytes -= len(conn.request.data)
        super().on_pending_socket_readable(conn, conn.sock)

    def _give_up_oldest(self, count: int) -> None:
        for conn in list(self.pending_conns)[: max(0, count)]:
            self._give_up(conn, _too_many())

    def _give_up(self, conn: Any, error: ServiceError) -> None:
        """Wait no longer for a request: refuse it, or hang up if nothing of it came."""
        if conn.request.data:
            conn.refusal = error
            self._to_thread(conn)
            return
        self.pending_conns.remove(conn)
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _is_another_freer(self) -> bool:
        if self.nr_conns == 0:
            return False
        # Answers that wait for their clients need no core.
        parked = int(self.slot.row["parked"])
        return any(row["connections"] - row["parked"] < self.nr_conns - parked for row in self.board.working())

    def _show_connections(self) -> None:
        self.slot.set_gauges(connections=self.nr_conns)


def _too_many() -> RequestTimeoutError:
    return RequestTimeoutError("too many requests are not whole yet; send each in one go")
