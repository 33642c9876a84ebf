"""CPU budget: how many requests of a worker run at the same time, how many threads each may use, and which worker stalls.

A request may use further threads while cores are idle, and gives each up after the window that it is decoding
(`loader.voices.chunks`). Processes cannot query each other's load, so each worker writes its own to the scoreboard
and reads that of all.

Requests of one worker take turns at its cores, one piece of audio at a time. With more running threads than cores, the
kernel preempts threads that hold locks, Python's above all, and everything else waits for them: probes took 0.1 s and
more beside four requests per core.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import numpy.typing as npt

from app.scoreboard.board import Scoreboard, Slot
from loader.voices.chunks import MAX_THREADS

#: A whole utterance may take this many times as long as a window: XTTS needs ten seconds of a core for one of audio.
_WHOLE_FACTOR = 10
#: A request starts after this wait even without a core: the pieces of some voices are long, and one may hang.
_MAX_WAIT_S = 5.0


class CpuBudget:
    """The CPU budget of one worker. Used by many threads, each with a request."""

    def __init__(
        self,
        board: Scoreboard,
        slot: Slot,
        cores: int | None = None,
        stall_s: float = 60.0,
        now: Callable[[], float] = time.monotonic,
        parallel: bool = True,
    ) -> None:
        """Start without requests.

        Args:
            board: of all workers.
            slot: this worker's.
            cores: shared by all workers. Default: those that the master found by affinity and CPU quota.
            stall_s: time limit of a piece of audio, ten times as long for a whole utterance; the master ends a worker
                that exceeds it.
            now: a clock that all processes share.
            parallel: whether a request may use more than one thread.
        """
        self._board, self._slot = board, slot
        self._cores = int(board.header["cores"]) if cores is None else cores
        self._max_threads = MAX_THREADS if parallel else 1
        self._stall_s = stall_s
        self._now = now
        self._lock = threading.Lock()
        self._speaking = 0
        self._turns = CoreTurns(self._share)
        #: Held while an engine that speaks whole utterances makes one.
        self._whole = threading.Lock()
        #: Start and time limit of each piece in work, by number.
        self._pieces: dict[int, tuple[float, float]] = {}
        self._numbers = itertools.count()

    @contextmanager
    def piece(self, whole: bool = False) -> Iterator[Callable[[], None]]:
        """Hold a core while one piece of audio is made; waits for the core.

        Yields a function to call after progress that makes no audio, such as reading text without a sound: it restarts
        the time limit, and lets another request have the core first.

        Args:
            whole: the engine makes one utterance at a time, in one piece.
        """
        self._add_speaking(1)
        try:
            # Waiting for another request's utterance is no stall, so the wait is not timed.
            with self._whole if whole else nullcontext(), self._turns.hold():
                with self._timed(_WHOLE_FACTOR if whole else 1) as number:
                    yield partial(self._renew, number, threading.get_ident())
        finally:
            self._add_speaking(-1)

    def threads_per_request(self) -> int:
        """Return how many threads a request may use now: an equal share of the cores, at least 1."""
        return max(1, min(self._max_threads, self._cores // max(1, self._board.speaking())))

    def _share(self) -> int:
        if self._slot.number is None:
            return 1
        return core_share(self._slot.number, self._board.rows["speaking"], self._cores)

    def _add_speaking(self, change: int) -> None:
        with self._lock:
            self._speaking += change
            self._slot.set_gauges(speaking=self._speaking)

    @contextmanager
    def _timed(self, factor: int) -> Iterator[int]:
        number = next(self._numbers)
        with self._lock:
            start_s = self._now()
            self._pieces[number] = start_s, start_s + factor * self._stall_s
            self._publish()
        try:
            yield number
        finally:
            with self._lock:
                del self._pieces[number]
                self._publish()

    def _renew(self, number: int, owner: int) -> None:
        """Restart the time limit of a piece, and let another request have the core first.

        A prefetch thread may still read text when the piece is over: it neither passes a core on nor starts a limit.
        """
        is_owner = threading.get_ident() == owner
        with self._lock:
            piece = self._pieces.get(number)
            if piece is None:
                return
            if is_owner:
                del self._pieces[number]  # waiting for the core is no stall
                self._publish()
        if is_owner:
            self._turns.pass_on()
        with self._lock:
            if is_owner or number in self._pieces:
                start_s, limit_s = piece
                now_s = self._now()
                self._pieces[number] = now_s, now_s + limit_s - start_s
                self._publish()

    def _publish(self) -> None:
        starts_s, limits_s = zip(*self._pieces.values()) if self._pieces else ((0.0,), (0.0,))
        self._slot.set_gauges(request_since_s=min(starts_s), stalls_s=min(limits_s))


class CoreTurns:
    """Turns at the cores of one worker, in the order of the calls. Used by many threads."""

    def __init__(self, share: Callable[[], int], max_wait_s: float = _MAX_WAIT_S) -> None:
        """Start with all cores free; `share` returns how many there are, whenever a turn begins or ends."""
        self._share = share
        self._max_wait_s = max_wait_s
        self._lock = threading.Lock()
        self._running = 0
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for a core and hold it."""
        self._take()
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._wake()

    def pass_on(self) -> None:
        """Let the next waiting request have the core, if there is one, and wait for it again. For its holder."""
        with self._lock:
            if not self._queue:
                return
            self._running -= 1
            self._wake()
        self._take()

    def _take(self) -> None:
        turn = threading.Event()
        with self._lock:
            self._queue.append(turn)
            self._wake()
        if turn.wait(self._max_wait_s):
            return
        with self._lock:
            if not turn.is_set():
                self._queue.remove(turn)
                self._running += 1

    def _wake(self) -> None:
        """Wake waiting requests while there are free cores; the lock is held."""
        while self._queue and self._running < self._share():
            self._queue.popleft().set()
            self._running += 1


def core_share(number: int, speaking: npt.NDArray[np.int64], cores: int) -> int:
    """Return one worker's share of the cores: in proportion to its requests, at least 1, rounded so that all are used.

    Args:
        number: the worker's index in `speaking`.
        speaking: requests of each worker that need a core.
        cores: of all workers.
    """
    if speaking.sum() <= cores:
        return max(1, int(speaking[number]))
    exact = cores * speaking / speaking.sum()
    shares = np.where(speaking > 0, np.maximum(1, exact.astype(np.int64)), 0)
    # Cores left over by rounding go to the workers that lost most; all workers compute the same.
    most_lost = np.argsort(shares - exact, kind="stable")[: max(0, cores - int(shares.sum()))]
    return max(1, int(shares[number]) + int(number in most_lost))
