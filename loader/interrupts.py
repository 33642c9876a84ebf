"""Ctrl-C where an exception would be lost.

A native module that is being imported prints a traceback and makes ImportError of KeyboardInterrupt. Python prints and drops
what is raised in the hooks around a fork, and in those of an import, whose lock stays held then. Together one Ctrl-C of eight
in the first 0.6 s of `chorus say` (2026-11-30).
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Call the handler of SIGINT after the block instead of during it; a second Ctrl-C calls it at once."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[tuple[int, FrameType | None]] = []

    def record(number: int, frame: FrameType | None) -> None:
        received.append((number, frame))
        if len(received) > 1:
            handler(number, frame)

    signal.signal(signal.SIGINT, record)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[-1])
