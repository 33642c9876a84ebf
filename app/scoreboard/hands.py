"""Who is speaking: how many hands a request may use, and which worker makes no progress.

A request may use a further thread while cores are idle, and gives it up with the window
after which they are not (`loader.ahead`). Nobody can ask another process how busy it is,
so each worker writes it down, and all read all.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.scoreboard.board import Scoreboard
from app.scoreboard.cores import Cores, share_of
from app.scoreboard.seat import Seat
from loader.ahead import MOST_HANDS


class Hands:
    """This process's requests, and how many threads each may use. Used by many threads."""

    def __init__(
        self,
        cores: int | None = None,
        stall_s: float = 60.0,
        now: Callable[[], float] = time.monotonic,
        parallel: bool = True,
    ) -> None:
        """Count alone; see `join`.

        Args:
            cores: shared by all requests. Default: those this process may use.
            stall_s: how long the next piece of a request may take; the master ends a worker that takes longer.
            now: a clock that all processes share.
            parallel: false is for one thread a request, whatever is idle.
        """
        self.cores = len(os.sched_getaffinity(0)) if cores is None else cores
        self._most = MOST_HANDS if parallel else 1
        self._stall_s = stall_s
        self._now = now
        self._lock = threading.Lock()
        self._speaking = 0
        self._turns = Cores(self._share)
        self._since: dict[int, float] = {}
        self._numbers = itertools.count()
        self.join(*_alone())

    def join(self, board: Scoreboard, seat: Seat) -> None:
        """Count among all workers of a server. Runs in a worker, before its first request."""
        self.board, self.seat = board, seat

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Count the calling request for as long as it needs a core, to its next piece of audio; it may wait for the core."""
        self._need(1)
        try:
            with self._turns.one(), self._watched():
                yield
        finally:
            self._need(-1)

    def allowed(self) -> int:
        """Return how many threads a request may use now: an equal share of the cores, and never more than `MOST_HANDS`."""
        return max(1, min(self._most, self.cores // max(1, self.board.speaking())))

    def _share(self) -> int:
        return share_of(self.seat.slot, self.board.rows["speaking"], self.cores)

    def _need(self, more: int) -> None:
        with self._lock:
            self._speaking += more
            self.seat.show(speaking=self._speaking)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        number = next(self._numbers)
        with self._lock:
            self._since[number] = self._now()
            self._show()
        try:
            yield
        finally:
            with self._lock:
                del self._since[number]
                self._show()

    def _show(self) -> None:
        oldest_s = min(self._since.values(), default=0.0)
        self.seat.show(request_since_s=oldest_s, stalls_s=oldest_s + self._stall_s if self._since else 0.0)


def _alone() -> tuple[Scoreboard, Seat]:
    board = Scoreboard(1, "chorus-alone")
    seat = board.take_seat()
    assert seat is not None, "a new board has a free seat"
    return board, seat
