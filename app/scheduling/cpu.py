"""Who is speaking: how many hands a request may use, and which worker makes no progress.

A request may use a further thread while cores are idle, and gives it up with the window
after which they are not (`loader.voices.prefetch`). Nobody can ask another process how busy it is,
so each worker writes it down, and all read all.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from app.scheduling.core_turns import Cores, share_of
from app.scoreboard.board import Scoreboard
from app.scoreboard.slot import Seat
from app.system.cgroup import cpu_budget
from loader.voices.prefetch import MAX_THREADS

#: So many times as long as a window may a whole utterance take: XTTS needs ten seconds of a core for one of audio.
_WHOLE = 10


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
            cores: shared by all requests. Default: those this process may use, by affinity and CPU quota.
            stall_s: how long the next piece of a request may take, a whole utterance ten times as long; the master ends a
                worker that takes longer.
            now: a clock that all processes share.
            parallel: false is for one thread a request, whatever is idle.
        """
        self.cores = cpu_budget().used if cores is None else cores
        self._most = MAX_THREADS if parallel else 1
        self._stall_s = stall_s
        self._now = now
        self._lock = threading.Lock()
        self._speaking = 0
        self._turns = Cores(self._share)
        self._alone = threading.Lock()
        #: Of each piece that is worked on, since when and until when, by its number.
        self._watched: dict[int, tuple[float, float]] = {}
        self._numbers = itertools.count()
        self.join(*_own_board())

    def join(self, board: Scoreboard, seat: Seat) -> None:
        """Count among all workers of a server. Runs in a worker, before its first request."""
        self.board, self.seat = board, seat

    @contextmanager
    def speaking(self, whole: bool = False) -> Iterator[Callable[[], None]]:
        """Count the calling request for as long as it needs a core, to its next piece of audio; it may wait for the core.

        What it yields is called when the request has done a piece of work that nothing is heard of, such as the
        reading of a text without a sound: that is progress, and another request may have the core first.

        Args:
            whole: it is of an engine that speaks one utterance at a time, in one piece; see `Capabilities.speaks_whole`.
        """
        self._need(1)
        try:
            # Whoever waits for another's utterance is not stalled, so it waits before it is watched.
            with self._alone if whole else nullcontext(), self._turns.one(), self._watch(_WHOLE if whole else 1) as number:
                yield partial(self._renew, number, threading.get_ident())
        finally:
            self._need(-1)

    def allowed(self) -> int:
        """Return how many threads a request may use now: an equal share of the cores, and never more than `MAX_THREADS`."""
        return max(1, min(self._most, self.cores // max(1, self.board.speaking())))

    def _share(self) -> int:
        return share_of(self.seat.slot, self.board.rows["speaking"], self.cores)

    def _need(self, more: int) -> None:
        with self._lock:
            self._speaking += more
            self.seat.show(speaking=self._speaking)

    @contextmanager
    def _watch(self, times: int) -> Iterator[int]:
        number = next(self._numbers)
        with self._lock:
            since_s = self._now()
            self._watched[number] = since_s, since_s + times * self._stall_s
            self._show()
        try:
            yield number
        finally:
            with self._lock:
                del self._watched[number]
                self._show()

    def _renew(self, number: int, holder: int) -> None:
        """Note progress with a piece, and let another request have the core first.

        A further thread may go on with a text after the piece is over, so it gives nothing away and watches nothing anew.
        """
        with self._lock:
            watched = self._watched.get(number)
            if watched is None:
                return
            if threading.get_ident() == holder:
                # One that waits for its turn is not stalled.
                del self._watched[number]
                self._show()
        if threading.get_ident() == holder:
            self._turns.pass_on()
        with self._lock:
            if threading.get_ident() == holder or number in self._watched:
                since_s, until_s = watched
                now_s = self._now()
                self._watched[number] = now_s, now_s + until_s - since_s
                self._show()

    def _show(self) -> None:
        since_s, until_s = zip(*self._watched.values()) if self._watched else ((0.0,), (0.0,))
        self.seat.show(request_since_s=min(since_s), stalls_s=min(until_s))


def _own_board() -> tuple[Scoreboard, Seat]:
    board = Scoreboard(1, "chorus-alone")
    seat = board.take_seat()
    assert seat is not None, "a new board has a free seat"
    return board, seat
