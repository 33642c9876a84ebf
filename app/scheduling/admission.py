"""Who is let in: so many requests at a time in each worker, a bounded queue before them in all workers together.

A request that cannot be served in time is told so at once, with when to come back,
rather than after it has waited; one whose client has left costs nothing more.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from app.errors import ClientGoneError, OverloadedError, WaitedTooLongError
from app.scheduling.deadline import Listener
from app.scoreboard.board import Scoreboard
from app.scoreboard.slot import Seat
from loader.config.settings import AdmissionSettings

#: Of a worker, beyond those that speak or wait: for probes, listings, the page and refusals.
SPARE_THREADS = 16
#: How often a request that waits looks whether its client is still there.
_LOOK_S = 0.5
#: Nobody is sent away for longer: the queue may be shorter by then.
_LONGEST_RETRY_S = 120


class Turn:
    """One request's permission to use the processor. For the thread of that request alone."""

    def __init__(self, end: Callable[[], None]) -> None:
        """Have it; `end` is called when it is given back, once."""
        self._end = end
        self._is_held = True

    def give_back(self) -> None:
        """Let the next request begin; nothing happens if it was given back before."""
        if self._is_held:
            self._is_held = False
            self._end()


class Admission:
    """The turns of one worker. Used by many threads, each with a request."""

    def __init__(
        self, places: int, settings: AdmissionSettings, board: Scoreboard, seat: Seat, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Let nobody in yet.

        Args:
            places: how many requests have their turn at the same time.
            settings: how many may wait, and how long.
            board: of all workers, whose queues are one.
            seat: this worker's.
            now: the clock of `Listener`.
        """
        self._settings = settings
        self._now = now
        self._lock = threading.Lock()
        self._places, self._free = places, places
        self._queue: deque[threading.Event] = deque()
        self.join(board, seat)

    def join(self, board: Scoreboard, seat: Seat) -> None:
        """Count among all workers of a server. Runs in a worker, before its first request."""
        self._board, self._seat = board, seat

    @contextmanager
    def turn(self, listener: Listener) -> Iterator[Turn]:
        """Wait for a turn, and have it for as long as this lasts, or until it is given back.

        Raises:
            OverloadedError: too many wait already.
            WaitedTooLongError: the turn did not come in time.
            ClientGoneError: the client left while it waited.
        """
        self._wait(listener)
        began_s = self._now()
        self._seat.observed({"queue_s": began_s - listener.since_s})
        turn = Turn(partial(self._end, began_s))
        try:
            yield turn
        finally:
            turn.give_back()
            self._seat.observed({"request_s": self._now() - listener.since_s})

    def _end(self, began_s: float) -> None:
        self._seat.served(self._now() - began_s)
        self._pass_on()

    def _wait(self, listener: Listener) -> None:
        called = self._line_up()
        try:
            if called is not None:
                self._await_call(called, listener)
            self._refuse_late(listener)
        except BaseException:
            self._leave(called)
            raise

    def _line_up(self) -> threading.Event | None:
        """Take a free place, or stand at the end of the queue."""
        with self._lock:
            if self._free:
                self._free -= 1
                self._show()
                return None
            if self._board.waiting() >= self._settings.queue:
                self._seat.refused("queue_full")
                raise OverloadedError(self._retry_after_s())
            called = threading.Event()
            self._queue.append(called)
            self._show()
            return called

    def _await_call(self, called: threading.Event, listener: Listener) -> None:
        """Wait to be called while the client does."""
        while not called.wait(max(0.0, min(_LOOK_S, self._until_s(listener) - self._now()))):
            self._refuse_late(listener)

    def _refuse_late(self, listener: Listener) -> None:
        """Refuse a request whose client has left, or would have no use for the answer any more."""
        if listener.has_left():
            self._seat.refused("client_left")
            raise ClientGoneError("the client left before its turn")
        if self._now() >= self._until_s(listener):
            self._seat.refused("waited_too_long")
            raise WaitedTooLongError(self._retry_after_s())

    def _until_s(self, listener: Listener) -> float:
        return min(listener.until_s, listener.since_s + self._settings.wait_s)

    def _leave(self, called: threading.Event | None) -> None:
        """Take no turn: leave the queue, or pass on the turn that came meanwhile."""
        with self._lock:
            if called is not None and called in self._queue:
                self._queue.remove(called)
                self._show()
                return
        self._pass_on()

    def _pass_on(self) -> None:
        """Call the next in the queue, or have a place free."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1
            self._show()

    def _show(self) -> None:
        waiting = len(self._queue)
        self._seat.show(waiting=waiting, active=self._places - self._free + waiting)

    def _retry_after_s(self) -> int:
        """Return when all that wait now will have had their turn, by how long recent ones took."""
        rows = list(self._board.working())
        service_s = [float(row["service_s"]) for row in rows if row["service_s"]]
        if not service_s:
            return 1
        turns_a_s = len(rows) * self._places * len(service_s) / sum(service_s)
        return max(1, min(_LONGEST_RETRY_S, math.ceil((self._board.waiting() + 1) / turns_a_s)))
