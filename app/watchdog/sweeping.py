"""Garbage is collected between requests, as often as it costs nothing.

In a worker whose heap was frozen before the fork a collection takes 0.05 ms, and finds
nothing; where voices are opened after the fork it takes 0.1 s (measured 2026-11-24).
"""

import gc
from collections.abc import Callable

#: Of all time.
_SHARE = 0.002


class Sweeper:
    """Collects garbage, so that it is not taken for a leak, in at most 0.2 % of the time."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._not_before_s = now_s()

    def sweep(self) -> None:
        """Collect, unless that was just done."""
        began_s = self._now_s()
        if began_s < self._not_before_s:
            return
        gc.collect()
        ended_s = self._now_s()
        self._not_before_s = ended_s + (ended_s - began_s) / _SHARE
