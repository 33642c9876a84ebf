"""This worker's heap: how it grows while there is work, and when it is given back.

Options of glibc; where the C library has none of them, nothing is done.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_MIB = 1024 * 1024

#: How long a worker has nothing to do before its free memory is given back.
IDLE_S = 0.25


def keep_one_heap() -> None:
    """Have all threads allocate from one heap that keeps its pages. Call before the first thread starts.

    glibc gives every thread a heap of its own, maps large blocks one by one, and returns
    pages as soon as it can, so that decoding takes the same pages from the kernel again
    and again: that was 20 % of its time. One heap instead of four also lets a worker
    shrink to 12 MB of USS rather than 35-45 (both measured 2026-11-23, embedded voice).
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_M_ARENA_MAX, 1)
        option(_M_MMAP_THRESHOLD, 32 * _MIB)
        option(_M_TRIM_THRESHOLD, 256 * _MIB)


def return_free_memory() -> None:
    """Give freed heap pages back to the system."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Alarm(Protocol):
    """What `threading.Timer` offers, as far as it is used here."""

    def start(self) -> None:
        """Begin to wait."""
        ...

    def cancel(self) -> None:
        """Do not call any more, if it has not yet."""
        ...


class IdleHeap:
    """Gives a worker's free memory back once it has been idle for a moment.

    After every request it would cost a tenth of the throughput: the next request takes
    the pages back one fault at a time. One a process; made before the fork, it starts
    no thread until the first request is over.
    """

    def __init__(
        self,
        give_back: Callable[[], None] = return_free_memory,
        alarm: Callable[[float, Callable[[], None]], Alarm] = threading.Timer,
    ) -> None:
        self._give_back = give_back
        self._alarm = alarm
        self._lock = threading.Lock()
        self._busy = 0
        self._waiting: Alarm | None = None

    @contextmanager
    def work(self) -> Iterator[None]:
        """Need the heap for as long as this lasts."""
        self.work_begins()
        try:
            yield
        finally:
            self.work_ends()

    def work_begins(self) -> None:
        """A request needs the heap."""
        with self._lock:
            self._busy += 1
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

    def work_ends(self) -> None:
        """The request's last byte is sent."""
        with self._lock:
            self._busy -= 1
            if self._busy == 0:
                self._waiting = self._alarm(IDLE_S, self._give_back_if_idle)
                self._waiting.start()

    def _give_back_if_idle(self) -> None:
        with self._lock:
            if self._busy == 0:
                self._give_back()
