"""This process's memory: one heap for all threads, and giving back what a request has freed.

Both are glibc's to offer; where the C library has neither, nothing is done.
"""

import ctypes

_M_ARENA_MAX = -8


def share_one_heap() -> None:
    """Have all threads allocate from one heap. Call before the first thread starts.

    glibc gives every thread a heap of its own, and none of them shrinks past what is
    still in use at its end. A worker that served four clients for twelve requests each
    keeps 35-45 MB of USS with them and 12 MB without (measured 2026-11-23, embedded
    voice, `return_free_memory` in both).
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(_M_ARENA_MAX, 1)


def return_free_memory() -> None:
    """Give freed heap pages back to the system.

    Decoding frees some 70 MB a request, which glibc would keep: a worker's USS is 9 MB
    with this call after each request and 76 MB without, for 4 ms and no measurable
    change of throughput (measured 2026-11-23, embedded voice, one thread).
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
