"""Admission: a fixed number of requests at a time in each worker, and one bounded queue before all workers.

A request that cannot be served in time is refused at once, with the time at which to try again, instead of after a wait. Requests
that are refused together get different times, as if each had a place behind the queue: together they would be refused again.
A request whose client has disconnected costs nothing more.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from app.errors import ClientDisconnectedError, OverloadedError, WaitedTooLongError
from app.scheduling.deadline import Client
from app.scoreboard.board import Scoreboard, Slot
from loader.config.settings import AdmissionSettings, Settings

#: Threads of a worker beyond the requests that run or wait: for probes, listings, the page and refusals.
_SPARE_THREADS = 16
#: How often a waiting request checks whether its client is still there.
_CHECK_S = 0.5
#: Maximum of `Retry-After`: the queue may be shorter by then.
_MAX_RETRY_AFTER_S = 120
#: Minimum, in which a client would only find the same queue.
_MIN_RETRY_AFTER_S = 0.1
#: Of a turn, until there is one to measure.
_DEFAULT_SERVICE_S = 1.0
#: Refused clients that are expected again, of one worker.
_MAX_RETURNING = 1024
#: Beyond the maximum, times are spread over this part of it. The golden ratio's multiples lie evenly, however many there are.
_SPREAD, _GOLDEN = 0.25, 0.618034


def threads_of(settings: Settings) -> int:
    """Return the most threads of a worker that have a request.

    Each is made when it is first needed: for a request that is served, that waits for its turn or is refused, and for an answer
    that waits for a slow client (`app.scheduling.slow_clients`).
    """
    return settings.threads + settings.admission.queue + settings.admission.parked + _SPARE_THREADS


class Turn:
    """One request's permission to use the processor. For the thread of that request only."""

    def __init__(self, release: Callable[[], None], queue_s: float = 0.0) -> None:
        """Hold the turn; `release` is called once, when it is given back."""
        #: How long the request waited for it, from when it came to the proxy.
        self.queue_s = queue_s
        self._release = release
        self._is_held = True

    def give_back(self) -> None:
        """Let the next request begin. May be called again."""
        if self._is_held:
            self._is_held = False
            self._release()


class Admission:
    """The turns of one worker. Used by many threads, each with a request."""

    def __init__(
        self, places: int, settings: AdmissionSettings, board: Scoreboard, slot: Slot, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with all places free.

        Args:
            places: how many requests have a turn at the same time.
            settings: how many may wait, and how long.
            board: of all workers, whose queues are one.
            slot: this worker's.
            now: the clock of `Client`.
        """
        self._settings = settings
        self._board, self._slot = board, slot
        self._now = now
        self._lock = threading.Lock()
        self._places, self._free = places, places
        self._queue: deque[threading.Event] = deque()
        #: When refused clients come back, if they do as they are asked.
        self._returning_s: deque[float] = deque(maxlen=_MAX_RETURNING)

    @contextmanager
    def turn(self, client: Client) -> Iterator[Turn]:
        """Wait for a turn and hold it until the end of the block, or until it is given back.

        Raises:
            OverloadedError: the queue is full.
            WaitedTooLongError: the turn did not come in time.
            ClientDisconnectedError: the client left the queue.
        """
        self._wait(client)
        start_s = self._now()
        turn = Turn(partial(self._end_turn, start_s), queue_s=start_s - client.arrived_s)
        self._slot.observe({"queue_s": turn.queue_s})
        try:
            yield turn
        finally:
            turn.give_back()
            self._slot.observe({"request_s": self._now() - client.arrived_s})

    def _end_turn(self, start_s: float) -> None:
        self._slot.observe_service(self._now() - start_s)
        self._pass_on()

    def _wait(self, client: Client) -> None:
        call = self._enqueue()
        try:
            if call is not None:
                while not call.wait(max(0.0, min(_CHECK_S, self._deadline_s(client) - self._now()))):
                    self._refuse_late(client)
            self._refuse_late(client)
        except BaseException:
            self._leave(call)
            raise

    def _enqueue(self) -> threading.Event | None:
        """Take a free place and return None, or join the queue and return the event that calls this request."""
        with self._lock:
            if self._free:
                self._free -= 1
                self._publish()
                return None
            if (waiting := self._board.waiting()) >= self._settings.queue:
                self._slot.count_refusal("queue_full")
                raise OverloadedError(self._retry_after_s(), waiting)
            call = threading.Event()
            self._queue.append(call)
            self._publish()
            return call

    def _refuse_late(self, client: Client) -> None:
        """Refuse a request whose client has disconnected or whose deadline is over."""
        if client.has_disconnected():
            self._slot.count_refusal("client_left")
            raise ClientDisconnectedError("the client disconnected before its turn")
        if self._now() >= self._deadline_s(client):
            self._slot.count_refusal("waited_too_long")
            with self._lock:
                raise WaitedTooLongError(self._retry_after_s())

    def _deadline_s(self, client: Client) -> float:
        return min(client.deadline_s, client.arrived_s + self._settings.wait_s)

    def _leave(self, call: threading.Event | None) -> None:
        """Leave the queue, or pass on the turn that came meanwhile."""
        with self._lock:
            if call is not None and call in self._queue:
                self._queue.remove(call)
                self._publish()
                return
        self._pass_on()

    def _pass_on(self) -> None:
        """Call the next request in the queue, or free the place."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1
            self._publish()

    def _publish(self) -> None:
        waiting = len(self._queue)
        self._slot.set_gauges(waiting=waiting, active=self._places - self._free + waiting)

    def _retry_after_s(self) -> float:
        """Return after how long a refused request would have a turn: after all that wait, and all that were refused before it.

        By the recent service times. Other workers refuse as many, and each worker's clients come between theirs. Holds the lock.
        """
        rows, now_s = list(self._board.working()), self._now()
        while self._returning_s and self._returning_s[0] <= now_s:
            self._returning_s.popleft()
        service_s = [float(row["service_s"]) for row in rows if row["service_s"]]
        mean_s = sum(service_s) / len(service_s) if service_s else _DEFAULT_SERVICE_S
        workers = max(1, len(rows))
        ahead = self._board.waiting() + len(self._returning_s) * workers + (self._slot.number or 0) % workers
        # The requests of all places may have begun together: the first place is free after a whole turn.
        wait_s = (ahead / (workers * self._places) + 1) * mean_s
        if wait_s > _MAX_RETRY_AFTER_S:
            wait_s = _MAX_RETRY_AFTER_S * (1 - _SPREAD * (ahead * _GOLDEN % 1))
        wait_s = max(_MIN_RETRY_AFTER_S, wait_s)
        self._returning_s.append(now_s + wait_s)
        return wait_s
