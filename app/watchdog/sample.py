"""What this process holds at one moment, read as cheaply as the kernel and the C library tell it."""

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KIB = 1024


@dataclass(frozen=True)
class MemorySample:
    """This process at one moment. None is what this system does not tell, or what was not asked for."""

    #: Syntheses of this worker until then.
    requests: int
    #: Handed out by the C library and not freed. No Python object of up to 512 bytes lies there.
    live_bytes: int | None
    #: Freed, and kept by the C library for later.
    retained_bytes: int | None
    #: Anonymous pages that are resident: what the worker holds beside mapped files.
    anon_bytes: int
    #: Pages that no other process shares, at the last time they were counted.
    uss_bytes: int | None
    #: Python's small objects, of up to 512 bytes each.
    python_blocks: int
    descriptors: int
    #: Native ones included.
    threads: int
    #: What the device's allocator has handed out.
    device_bytes: int | None
    #: What `tracemalloc` knows of, while it is on.
    traced_bytes: int | None


@dataclass(frozen=True)
class Heap:
    """The two readings that are taken after every synthesis: 7 us together (2026-11-24)."""

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
        """Ask `device_bytes` for what the device's allocator has handed out to this process; None where there is none."""
        self._device_bytes = device_bytes
        self._mallinfo = _mallinfo()

    def heap(self) -> Heap:
        """Read what is taken after every synthesis."""
        return Heap(self._malloc()[0], sys.getallocatedblocks())

    def sample(self, requests: int, uss_bytes: int | None = None) -> MemorySample:
        """Read everything but the USS, which is too slow to be read often (see `uss_bytes`)."""
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


def traced_bytes() -> int | None:
    """Return what `tracemalloc` knows of; None while it is off. Never imports it."""
    tracing = sys.modules.get("tracemalloc")
    return int(tracing.get_traced_memory()[0]) if tracing is not None and tracing.is_tracing() else None


def anon_bytes(status: Path = Path("/proc/self/status")) -> int:
    """Return the resident anonymous pages, in bytes."""
    return _kib(status.read_bytes(), b"RssAnon:") * _KIB


def uss_bytes(rollup: Path = Path("/proc/self/smaps_rollup")) -> int | None:
    """Return the pages that no other process shares, in bytes; None where the kernel does not count them.

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
    """Return what `tracemalloc` itself takes of the C heap, which is not the server's."""
    tracing = sys.modules.get("tracemalloc")
    return int(tracing.get_tracemalloc_memory()) if tracing is not None and tracing.is_tracing() else 0


def _mallinfo() -> Any:
    """Return glibc's function; None where the C library has none (it came with glibc 2.33)."""
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is not None:
        function.restype = _Mallinfo
    return function
