"""gunicorn's worker with an event loop of its own: collects requests without a thread, leaves connections to idler workers.

gunicorn's threaded worker takes every connection that it can get, so that requests queue in one worker while another is
idle; and it reads requests in threads, so that clients that send slowly block them. This worker accepts a connection only if
no other worker has fewer, collects the request in its main thread, and answers each in one thread of a pool. gunicorn parses
the request and writes the answer. A connection has one request: nginx keeps the connections of its clients itself.
"""

import errno
import logging
import math
import os
import queue
import selectors
import signal
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.sync import SyncWorker

from app.errors import RequestTimeoutError, ServiceError
from app.logs import event, place_of
from app.scheduling.client_socket import ClientSocket
from app.scoreboard.board import Scoreboard, Slot
from app.scoreboard.layout import State
from app.serving.request_buffer import RequestBuffer, parse_origin, parse_target
from app.serving.request_errors import answer_without_request, refusal_of
from app.serving.sockets import Connection, LingeringClose

log = logging.getLogger("chorus.process")

#: How long a busier worker leaves a connection to the others; an idle one takes it in less than a millisecond.
_STEP_BACK_S = 0.01
#: Connections of a worker whose requests are not complete.
MAX_PENDING = 1000
#: Interval of `SpeechWorker.keep_house`.
_KEEP_HOUSE_S = 2.0
#: How long no connection is accepted after the system refused one, such as for want of descriptors.
_SHORTAGE_S = 1.0
#: A client that sends nothing for this long is disconnected. It has no thread.
_FIRST_BYTE_S = 5.0
#: What all incomplete requests of a worker may take: 1000 heads of 32 KiB, or 128 bodies of 256 KiB.
_MAX_COLLECTED_BYTES = 32 * 1024 * 1024
_DISCONNECTS = (None, errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)


class SpeechWorker(SyncWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker process: one event loop, and a thread for each complete request. Made in the master, before the fork."""

    #: The listeners; gunicorn sets them.
    sockets: list[Any]
    #: Set by `hooks` before the fork.
    board: Scoreboard
    slot: Slot
    master_pid = 0
    #: Set in the worker, once the application is there: the largest body that is collected, and `ClientSocket.while_waiting`.
    max_body_bytes = 0
    while_waiting: Callable[[ClientSocket], AbstractContextManager[None]] | None = None
    #: Set likewise: called every few seconds, between two events.
    keep_house: Callable[[], None] | None = None
    #: Whether `run` came to its end; see `hooks.worker_exit`.
    has_finished = False
    #: For the master, see `arbiter.DeadlineCheck`.
    kill_at_s = math.inf

    def open(self) -> None:
        """Open what the event loop needs. Runs after the fork."""
        self.connections = 0
        self.is_accepting = False
        self._accept_at_s = 0.0
        self._keep_house_at_s = 0.0
        self._is_plain_http = not self.cfg.is_ssl and self.cfg.proxy_protocol == "off"
        #: Connections whose requests are not complete, oldest first, and the bytes that they hold.
        self.pending: dict[Connection, None] = {}
        self.collected_bytes = 0
        self.pool = ThreadPoolExecutor(self.cfg.threads)
        self.lingering = LingeringClose()
        self._answered: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self.poller = selectors.DefaultSelector()
        self.poller.register(self.lingering, selectors.EVENT_READ, lambda _: self.lingering.drain())
        self.poller.register(self._wake_reader, selectors.EVENT_READ, self._finish_answered)

    def close(self) -> None:
        """Close what `open` has opened; connections that a thread still answers are closed with the process."""
        self.lingering.close()
        self.pool.shutdown(wait=False)
        self.poller.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def run(self) -> None:
        """Serve until the worker is stopped or its master has died; then finish the requests there are, and end."""
        self.open()
        # A signal wakes the loop, so that a stopped worker does not sleep for up to a second.
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        while self.alive and not self.is_orphan():
            self.turn()
        self._drain()
        self.lingering.finish()
        signal.set_wakeup_fd(-1)
        # The master repeats SIGTERM until the process is gone, and Python handles none while it exits.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.close()
        self.has_finished = True

    def turn(self) -> None:
        """Run one turn of the event loop: at most a second, the heartbeat's interval."""
        self.notify()
        now_s = time.monotonic()
        has_room = self.alive and self.connections < self.cfg.worker_connections
        self.set_accepting(has_room and now_s >= self._accept_at_s)
        timeout_s = min(1.0, self._accept_at_s - now_s) if has_room and now_s < self._accept_at_s else 1.0
        for key, _ in self.poller.select(timeout_s):
            key.data(key.fileobj)
        self.close_overdue()
        if self.keep_house is not None and now_s >= self._keep_house_at_s:
            self._keep_house_at_s = now_s + _KEEP_HOUSE_S
            self.keep_house()

    def _drain(self) -> None:
        """Leave the listeners to the others or to a new master, and finish the requests there are."""
        self.set_accepting(False)
        for listener in self.sockets:
            listener.close()
        self.sockets = []
        self.slot.set_state(State.DRAINING)
        was_orphan = False
        ends_s = time.monotonic() + self.cfg.graceful_timeout
        while self.connections and time.monotonic() < ends_s:
            if self.is_orphan() and not was_orphan:
                was_orphan = True
                event(log, "worker.orphaned", logging.WARNING, connections=self.connections)
            self.turn()
        if self.connections and self.is_orphan():
            self.cfg.worker_int(self)  # no master is there to kill a worker whose threads do not end

    def is_orphan(self) -> bool:
        """Return whether the master has died."""
        return self.master_pid != os.getppid()

    def set_accepting(self, is_accepting: bool) -> None:
        """Register the listeners with the poller, or unregister them."""
        if is_accepting == self.is_accepting:
            return
        for listener in self.sockets:
            if is_accepting:
                listener.setblocking(False)
                self.poller.register(listener, selectors.EVENT_READ, self.accept)
            else:
                self.poller.unregister(listener)
        self.is_accepting = is_accepting

    def accept(self, listener: Any) -> None:
        """Accept a connection, unless another worker has fewer, and collect its request."""
        if not self.is_accepting:
            return  # the other listener had an event in the same turn
        now_s = time.monotonic()
        # A worker for which this one stepped back has come by now, or does not come at all.
        if now_s - self._accept_at_s > 2 * _STEP_BACK_S and self._is_another_idler():
            self._pause_accepting(_STEP_BACK_S)
            return
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another worker was faster, or the client left
        except OSError as error:  # most often a shortage of descriptors; no error of one connection may end the worker
            event(log, "accept.paused", logging.WARNING, reason=str(error), for_s=_SHORTAGE_S)
            self._give_up_oldest(len(self.pending) // 2)
            self._pause_accepting(_SHORTAGE_S)
            return
        try:
            connection = self._open_connection(client, address, listener)
        except OSError as error:  # the client has left, or the system watches no further socket
            client.close()
            event(log, "connection.dropped", logging.WARNING, reason=str(error))
            return
        self.connections += 1
        self.pending[connection] = None
        self._show_connections()
        # One is always free, so that clients that send slowly never keep others out.
        self._give_up_oldest(len(self.pending) - (MAX_PENDING - 1))

    def _open_connection(self, client: socket.socket, address: Any, listener: Any) -> Connection:
        """Wrap an accepted socket, and watch it for its request."""
        request = RequestBuffer(time.monotonic(), self.max_body_bytes, _FIRST_BYTE_S)
        connection = Connection(ClientSocket.wrap(client), address, listener.getsockname(), request)
        connection.socket.setblocking(False)
        if self.while_waiting is not None:
            connection.socket.while_waiting = self.while_waiting
        try:
            self.poller.register(connection.socket, selectors.EVENT_READ, lambda _: self.collect(connection))
        except OSError:
            connection.socket.close()  # it has taken the descriptor of `client`
            raise
        return connection

    def collect(self, connection: Connection) -> None:
        """Collect what a client has sent, and give its request to a thread once it is complete or refused."""
        if connection not in self.pending:
            return  # given up in the same turn
        before_bytes = len(connection.request.data)
        is_complete = not self._is_plain_http or connection.collect()
        self.collected_bytes += len(connection.request.data) - before_bytes
        if is_complete:
            self._submit(connection)
        while self.collected_bytes > max(_MAX_COLLECTED_BYTES, 3 * self.max_body_bytes):
            oldest = next((each for each in self.pending if each.request.data and each is not connection), None)
            if oldest is None:
                break
            self._give_up(oldest, _too_many())

    def close_overdue(self) -> None:
        """Disconnect clients that sent nothing, refuse requests that are not complete in time, and end lingering closes."""
        now_s = time.monotonic()
        for connection in [each for each in self.pending if each.request.ends_s <= now_s]:
            self._give_up(connection, connection.request.overdue(now_s))
        self.lingering.close_overdue()

    def serve(self, connection: Connection) -> None:
        """Answer one request. Runs in a thread of the pool."""
        client, data = connection.socket, bytes(connection.request.data)
        connection.request.data.clear()
        client.setblocking(True)
        if not self._is_plain_http:
            self.handle(connection, client, connection.address)  # with TLS, and to the lingering close, by gunicorn alone
            return
        client.unread(data)
        error = connection.refusal
        try:
            if error is None:
                request = next(get_parser(self.cfg, client, connection.address))
                self.handle_request(connection, request, client, connection.address)
        except StopIteration:
            pass  # no request, or gunicorn has logged an error in the middle of an answer
        except OSError as failure:
            if failure.errno not in _DISCONNECTS:
                event(log, "request.failed", logging.ERROR, reason=type(failure).__name__, at=place_of(failure))
        except Exception as failure:
            error = self._error_of(failure)
        if error is not None:
            answer = answer_without_request(self.wsgi, error, *parse_target(data), parse_origin(data))
            with suppress(OSError):  # the client has left
                client.sendall(answer)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a failure over TLS or PROXY, which gunicorn handles: its own page and log line quote the request."""
        if isinstance(exc, ssl.SSLError):
            return  # the client speaks no TLS, or trusts no certificate of this server: no answer reaches it
        error = self._error_of(exc)
        origin = dict(getattr(req, "headers", ())).get("ORIGIN", "")
        answer = answer_without_request(self.wsgi, error, getattr(req, "method", ""), getattr(req, "path", ""), origin)
        with suppress(OSError):  # the client has left
            client.sendall(answer)

    def _error_of(self, failure: Exception) -> ServiceError:
        """Return what to answer after gunicorn could not read a request, or after a defect. Logs nothing that the client sent."""
        refusal = refusal_of(failure)
        if refusal is not None:
            return refusal
        event(log, "request.failed", logging.ERROR, reason=type(failure).__name__, at=place_of(failure))
        self.slot.set_error(f"{type(failure).__name__} at {place_of(failure)}")
        return ServiceError("internal error")

    def _submit(self, connection: Connection) -> None:
        """Give a request to a thread, or disconnect its client if the system has no thread for it."""
        del self.pending[connection]
        self.poller.unregister(connection.socket)
        self.collected_bytes -= len(connection.request.data)
        begun: Future[None] = Future()
        try:
            self.pool.submit(self._serve_begun, connection, begun)
        except RuntimeError as error:
            # The pool has queued the request before it fails to start a thread, and one of its threads may have taken it.
            if begun.cancel():
                event(log, "connection.dropped", logging.WARNING, reason=str(error))
                self._disconnect(connection)

    def _serve_begun(self, connection: Connection, begun: Future[None]) -> None:
        if not begun.set_running_or_notify_cancel():
            return  # its client was disconnected
        try:
            self.serve(connection)
        finally:
            self._wake(connection)

    def _wake(self, connection: Connection) -> None:
        self._answered.put(connection)
        with suppress(OSError):  # the buffer is full, and the loop is awake; or the loop has ended
            self._wake_writer.send(b"\0")

    def _finish_answered(self, wake_reader: socket.socket) -> None:
        with suppress(BlockingIOError):
            wake_reader.recv(4096)
        with suppress(queue.Empty):
            while True:
                connection = self._answered.get_nowait()
                self.connections -= 1
                self.lingering.add(connection.socket)
        self._show_connections()

    def _give_up_oldest(self, count: int) -> None:
        for connection in list(self.pending)[: max(0, count)]:
            self._give_up(connection, _too_many())

    def _give_up(self, connection: Connection, error: ServiceError) -> None:
        """Refuse an incomplete request, or disconnect the client if it sent nothing."""
        if connection.request.data:
            connection.refusal = error
            self._submit(connection)
            return
        del self.pending[connection]
        self.poller.unregister(connection.socket)
        self._disconnect(connection)

    def _disconnect(self, connection: Connection) -> None:
        connection.socket.close()
        self.connections -= 1
        self._show_connections()

    def _pause_accepting(self, pause_s: float) -> None:
        self._accept_at_s = time.monotonic() + pause_s
        self.set_accepting(False)

    def _is_another_idler(self) -> bool:
        if self.connections == 0:
            return False
        # Parked answers, which wait for their clients, need no core.
        parked = int(self.slot.row["parked"])
        return any(row["connections"] - row["parked"] < self.connections - parked for row in self.board.working())

    def _show_connections(self) -> None:
        self.slot.set_gauges(connections=self.connections)


def _too_many() -> RequestTimeoutError:
    return RequestTimeoutError("too many incomplete requests; send each request at once")
