"""gunicorn's threaded worker, told which connections to leave to others, and watched by what it has to show.

gthread takes every connection it can get, so that requests queue in one worker while
another is idle; and its heartbeat goes on whatever its threads do, so that a synthesis
that hangs is never noticed.
"""

import errno
import logging
import math
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

from app.farewells import Farewells
from app.handover import AnswerSocket
from app.logs import event
from app.patience import PatientSocket
from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import State
from app.scoreboard.seat import Seat

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
        seat = None if worker is None else worker.seat
        if seat is not None and 0 < seat.row["stalls_s"] < time.monotonic():
            return -math.inf
        last_s: float = self._beat.last_update()
        return last_s


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A client's connection, which once answered takes no thread's time, nor the worker's, to be closed."""

    def __init__(self, farewells: Farewells, *arguments: Any) -> None:
        """Take over a connection that was just accepted."""
        super().__init__(*arguments)
        self._farewells = farewells

    def close(self, graceful: bool = False) -> None:
        """Close it at once, or as soon as the client has done so."""
        if graceful:
            self._farewells.say(self.sock)
        else:
            super().close()


class SpeechWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Takes a connection only where no other worker has fewer, and a thread only once a client has said something."""

    #: Set by the master before the fork; None where the board has no place left.
    board: Scoreboard | None = None
    seat: Seat | None = None
    #: Of every connection, see `PatientSocket`; set in the worker.
    while_waiting: Callable[[PatientSocket], AbstractContextManager[None]] | None = None
    _back_at_s = 0.0

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
        self.farewells.finish()
        # The master says it again until the process is gone, and nobody would catch it while Python ends.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End now. gunicorn would lock its pool first, which this thread may have locked when the signal came."""
        self.cfg.worker_int(self)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Take no more requests, and end after the ones there are."""
        if self.seat is not None:
            self.seat.become(State.DRAINING)
        super().handle_exit(sig, frame)

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
        """Take a connection, unless a freer worker may, and wait for its first byte without a thread."""
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
            self._step_back(_SHORT_OF_RESOURCES_S)
            return
        taken = AnswerSocket.taking(client)
        if self.while_waiting is not None:
            taken.while_waiting = self.while_waiting
        self._welcome(Connection(self.farewells, self.cfg, taken, address, listener.getsockname()), now_s)

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
        return False if conn.sock.fileno() == -1 else super().handle(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Note that a connection is over."""
        super().finish_request(conn, fs)
        self._show_connections()

    def murder_pending(self) -> None:
        """Hang up on clients that said nothing, and on those who do not hang up."""
        super().murder_pending()
        self.farewells.end_overdue()
        self._show_connections()

    def _step_back(self, pause_s: float) -> None:
        self._back_at_s = time.monotonic() + pause_s
        self.set_accept_enabled(False)

    def _welcome(self, connection: Any, now_s: float) -> None:
        self.nr_conns += 1
        self._show_connections()
        connection.timeout = now_s + _SILENCE_S
        self.pending_conns.append(connection)
        self.poller.register(
            connection.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection)
        )

    def _is_another_freer(self) -> bool:
        if self.board is None or self.nr_conns == 0:
            return False
        # Answers that wait for their clients need no core.
        parked = 0 if self.seat is None else int(self.seat.row["parked"])
        return any(row["connections"] - row["parked"] < self.nr_conns - parked for row in self.board.working())

    def _show_connections(self) -> None:
        if self.seat is not None:
            self.seat.show(connections=self.nr_conns)
