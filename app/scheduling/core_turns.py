"""Requests of one worker take turns at its cores, a piece of audio at a time.

Where more threads work than there are cores, the kernel stops one in the middle for the others' slices,
and whoever waits for what it holds, Python's lock above all, waits for those too: probes took a tenth
of a second and more beside four requests to a core. Nothing is faster for being stopped so.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

#: Who has waited so long begins all the same: the pieces of some voices are long, and one may hang.
_PATIENCE_S = 5.0


def share_of(place: int, needs: npt.NDArray[np.int64], cores: int) -> int:
    """Return how many of `cores` belong to one worker: an equal share for each request, at least 1, and no core is left over.

    Args:
        place: the worker's, in `needs`.
        needs: how many requests each worker speaks.
        cores: of all workers together.
    """
    if needs.sum() <= cores:
        return max(1, int(needs[place]))
    exact = cores * needs / needs.sum()
    shares = np.where(needs > 0, np.maximum(1, exact.astype(np.int64)), 0)
    # What rounding down has left over goes to those that lost most by it; all workers reckon alike.
    most_lost = np.argsort(shares - exact, kind="stable")[: max(0, cores - int(shares.sum()))]
    return max(1, int(shares[place]) + int(place in most_lost))


class Cores:
    """How many requests of this process work at the same time, in the order in which they asked. Used by many threads."""

    def __init__(self, share: Callable[[], int], patience_s: float = _PATIENCE_S) -> None:
        """Let `share` requests work, at least 1; it is asked again whenever one begins or ends."""
        self._share = share
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._working = 0
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Have a core for as long as this lasts, once those before have had theirs."""
        self._take()
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1
                self._call()

    def pass_on(self) -> None:
        """Let the next request that waits have the core, if one does, and wait for it again. For one that has it."""
        with self._lock:
            if not self._queue:
                return
            self._working -= 1
            self._call()
        self._take()

    def _take(self) -> None:
        called = threading.Event()
        with self._lock:
            self._queue.append(called)
            self._call()
        if called.wait(self._patience_s):
            return
        with self._lock:
            if not called.is_set():
                self._queue.remove(called)
                self._working += 1

    def _call(self) -> None:
        """Have as many begin as may, the lock held."""
        while self._queue and self._working < self._share():
            self._queue.popleft().set()
            self._working += 1
