"""The lowest readings of the heap since they were last taken: what requests hold only for themselves is not in them."""

import threading

from app.watchdog.sample import Heap


class Lows:
    """Written by the threads of requests, taken by the watchdog's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Syntheses until now.
        self.served = 0
        self._low: Heap | None = None

    def add(self, heap: Heap) -> int:
        """Take the heap as a synthesis left it; return how many there were."""
        with self._lock:
            self._low = heap if self._low is None else _lower(self._low, heap)
            self.served += 1
            return self.served

    def take(self, now: Heap) -> tuple[int, Heap]:
        """Return how many syntheses there were, and the lowest readings since the last call, `now` included."""
        with self._lock:
            low, self._low = self._low, None
            return self.served, now if low is None else _lower(low, now)


def _lower(one: Heap, other: Heap) -> Heap:
    live = [each.live_bytes for each in (one, other) if each.live_bytes is not None]
    return Heap(min(live, default=None), min(one.python_blocks, other.python_blocks))
