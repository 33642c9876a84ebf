"""This process's memory: giving back what a request has freed."""

import ctypes


def return_free_memory() -> None:
    """Give freed heap pages back to the system, where the C library can (glibc's malloc_trim).

    Decoding frees some 70 MB a request, which glibc would keep: measured on 2026-11-23
    with the embedded voice, a worker's USS is 9 MB with this call after each request and
    76 MB without, for 4 ms and no measurable change of throughput.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
