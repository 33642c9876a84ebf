"""Samples of this process's memory, as cheap as the kernel and the C library allow.

Three things make samples comparable: low-water marks between two samples, which exclude the memory of running requests; a
garbage collection before each sample; and tracing windows of equal length, because `tracemalloc` costs 2.4 % of all requests
if it is always on (2026-11-24).
"""

import ctypes
import gc
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KIB = 1024
#: Share of the time that garbage collections may take.
_SWEEP_SHARE = 0.002


@dataclass(frozen=True)
class MemorySample:
    """This process at one moment. None: this system does not report the value, or it was not read."""

    #: Syntheses of this worker so far.
    requests: int
    #: Allocated from the C library and not freed, without Python objects of up to 512 bytes.
    live_bytes: int | None
    #: Freed, and kept by the C library for later.
    retained_bytes: int | None
    #: Resident anonymous pages: memory without mapped files.
    anon_bytes: int
    #: Pages that no other process shares, at their last count.
    uss_bytes: int | None
    #: Python's objects of up to 512 bytes.
    python_blocks: int
    descriptors: int
    #: Threads, native ones included.
    threads: int
    #: Allocated by the device's allocator.
    device_bytes: int | None
    #: Allocated by Python since the worker started, as traced by `tracemalloc`: always, or in windows (`TraceWindows`).
    traced_bytes: int | None


@dataclass(frozen=True)
class Heap:
    """The two readings after every synthesis: 7 us together (2026-11-24)."""

    live_bytes: int | None
    python_blocks: int


class _Mallinfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


class Gauges:
    """Reads this process's values. May be made before the fork."""

    def __init__(self, device_bytes: Callable[[], int | None] = lambda: None) -> None:
        """Read the device's allocator by `device_bytes`, which returns None if there is no device."""
        self._device_bytes = device_bytes
        self._mallinfo = _mallinfo()

    def heap(self) -> Heap:
        """Read the heap, as after every synthesis."""
        return Heap(self._malloc()[0], sys.getallocatedblocks())

    def sample(self, requests: int, uss_bytes: int | None = None) -> MemorySample:
        """Return all values except the USS, which is too slow to be read often (see `uss_bytes`)."""
        live_bytes, retained_bytes = self._malloc()
        return MemorySample(
            requests, live_bytes, retained_bytes, anon_bytes(), uss_bytes, sys.getallocatedblocks(),
            len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), self._device_bytes(), traced_bytes(),
        )  # fmt: skip

    def _malloc(self) -> tuple[int | None, int | None]:
        if self._mallinfo is None:
            return None, None
        info = self._mallinfo()
        return info.uordblks + info.hblkhd - _tracing_bytes(), info.fordblks


def is_tracing() -> bool:
    """Return whether `tracemalloc` is on."""
    return bool(tracemalloc.is_tracing())


def traced_bytes() -> int | None:
    """Return the bytes counted by `tracemalloc`; None while it is off."""
    return int(tracemalloc.get_traced_memory()[0]) if tracemalloc.is_tracing() else None


def anon_bytes(status: Path = Path("/proc/self/status")) -> int:
    """Return the resident anonymous pages, in bytes."""
    return _kib(status.read_bytes(), b"RssAnon:") * _KIB


def uss_bytes(rollup: Path = Path("/proc/self/smaps_rollup")) -> int | None:
    """Return the pages that no other process shares, in bytes; None if the kernel does not count them.

    The kernel walks all pages for it: 2 ms with the embedded voice, 17 ms with 600 MB.
    """
    try:
        content = rollup.read_bytes()
    except OSError:
        return None
    return (_kib(content, b"Private_Clean:") + _kib(content, b"Private_Dirty:")) * _KIB


def _kib(content: bytes, key: bytes) -> int:
    _, found, rest = content.partition(b"\n" + key)
    return int(rest.split(None, 1)[0]) if found else 0


def _tracing_bytes() -> int:
    """Return the memory of `tracemalloc` itself in the C heap, which is not the server's."""
    return int(tracemalloc.get_tracemalloc_memory()) if tracemalloc.is_tracing() else 0


def _mallinfo() -> Any:
    """Return glibc's function; None if the C library does not have it (added in glibc 2.33)."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is not None:
        function.restype = _Mallinfo
    return function


class LowWaterMarks:
    """The lowest readings of the heap since the last sample. Threads of requests write, the watchdog's thread reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Syntheses so far.
        self.served = 0
        self._low: Heap | None = None

    def add(self, heap: Heap) -> int:
        """Add the heap after a synthesis; return the number of syntheses."""
        with self._lock:
            self._low = heap if self._low is None else _lower(self._low, heap)
            self.served += 1
            return self.served

    def take(self, now: Heap) -> tuple[int, Heap]:
        """Return the number of syntheses, and the lowest readings since the last call, `now` included."""
        with self._lock:
            low, self._low = self._low, None
            return self.served, now if low is None else _lower(low, now)


def _lower(one: Heap, other: Heap) -> Heap:
    live = [each.live_bytes for each in (one, other) if each.live_bytes is not None]
    return Heap(min(live, default=None), min(one.python_blocks, other.python_blocks))


class Sweeper:
    """Collects garbage between requests, so that it is not counted as a leak, in at most 0.2 % of the time.

    In a worker whose heap was frozen before the fork, a collection takes 0.05 ms and finds nothing; if voices are opened after
    the fork, it takes 0.1 s (2026-11-24).
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._not_before_s = now_s()

    def sweep(self) -> None:
        """Collect garbage, unless it was done recently."""
        began_s = self._now_s()
        if began_s < self._not_before_s:
            return
        gc.collect()
        ended_s = self._now_s()
        self._not_before_s = ended_s + (ended_s - began_s) / _SWEEP_SHARE


class TraceWindows:
    """`tracemalloc` windows over the last syntheses before each sample, and the growth of Python's memory computed from them.

    The memory that a window allocated and did not free is what Python keeps of each request. A full cache keeps its newest
    entries as well, and frees others that were not traced; so the growth is at most that of the whole heap since the last sample.
    """

    #: Syntheses in a window; the first half is not counted, until the memory that each request leaves to the next exists.
    REQUESTS = 40
    #: Bounds of the average size of a small object, which the window measures as bytes kept by blocks kept.
    MIN_BLOCK_BYTES, MAX_BLOCK_BYTES = 64, 256
    #: First value: about the memory of a worker that has spoken.
    BASE_BYTES = 8 << 20

    def __init__(self, every: int, first: int) -> None:
        """End a window every `every` syntheses, the first after `first` of them."""
        self._every = every
        self._window = max(2, min(self.REQUESTS, every // 2))
        self._due = first + every
        self._half: tuple[int, int, int] | None = None
        self._before: tuple[int, Heap] | None = None
        self.value_bytes: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether a window is being traced."""
        return self._half is not None

    def add(self, requests: int, heap: Heap) -> bool:
        """Add the low-water marks after `requests` syntheses; return whether a window ended, with a new `value_bytes`."""
        if self._half is None:
            if requests >= self._due - self._window:
                self._open()
                # After an investigation the window is late, and as long as the others.
                self._due = max(self._due, requests + self._window)
            return False
        if not self._half[0]:
            if requests >= self._due - self._window // 2:
                gc.collect()
                self._half = requests, traced_bytes() or 0, heap.python_blocks
            return False
        if requests < self._due:
            return False
        self._close(requests, heap)
        return True

    def abandon(self) -> None:
        """Stop tracing, and start the next window later. Does nothing if no window is open."""
        if self._half is not None:
            tracemalloc.stop()
            self._half = None
            self._due += self._every

    def _open(self) -> None:
        if not tracemalloc.is_tracing():
            tracemalloc.start()
            self._half = 0, 0, 0

    def _close(self, requests: int, heap: Heap) -> None:
        assert self._half is not None
        gc.collect()
        began, began_bytes, began_blocks = self._half
        kept_bytes = (traced_bytes() or 0) - began_bytes
        self.abandon()
        self._due = requests + self._every
        if self._before is None:
            self.value_bytes = self.BASE_BYTES
        else:
            before, heap_before = self._before
            block_bytes = kept_bytes / max(1, heap.python_blocks - began_blocks)
            gained_bytes = _gained_bytes(heap_before, heap, min(self.MAX_BLOCK_BYTES, max(self.MIN_BLOCK_BYTES, block_bytes)))
            kept_bytes = kept_bytes * (requests - before) // max(1, requests - began)
            self.value_bytes = (self.value_bytes or 0) + max(0, min(kept_bytes, gained_bytes))
        self._before = requests, heap


def _gained_bytes(before: Heap, now: Heap, block_bytes: float) -> int:
    gained_bytes = round(block_bytes * (now.python_blocks - before.python_blocks))
    if before.live_bytes is not None and now.live_bytes is not None:
        gained_bytes += now.live_bytes - before.live_bytes
    return gained_bytes
