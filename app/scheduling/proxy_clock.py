"""How long a proxy had a request before it came here, by two clocks that may disagree.

nginx says in `X-Request-Start` when a request came to it. If its clock is 31 s behind ours, every request looks as if it had
waited 31 s, and is refused (2026-11-30).
"""

import logging
import math
import re
import threading
import time
from collections.abc import Callable

from app.logs import event

log = logging.getLogger("chorus.http")

#: What nginx writes of the time at which a request came to it: seconds, with milliseconds after the point.
_START = re.compile(r"t=(\d{9,11}\.\d{3})", re.ASCII)
#: A proxy has a request for milliseconds; for seconds, if it asks a second worker after a first one died or took no
#: connection for 5 s (ops/nginx). What seems longer is its clock.
MAX_WAIT_S = 10.0
#: Clocks that are kept by NTP are no further apart; a request from a later future is of a clock that is ahead.
_MAX_AHEAD_S = 1.0
#: Of what requests seem to have waited, the least of one to two such periods is the difference of the clocks.
_PERIOD_S = 60.0
#: From so few requests nothing is concluded: all of them may have waited.
_MIN_REQUESTS = 10
_COMPLAINT_S = 60.0


def waited_s(said: str, wall_s: float) -> float | None:
    """Return how long ago a request came to the proxy, by its clock; negative if that is ahead, None if it has not said."""
    found = _START.fullmatch(said)
    return wall_s - float(found[1]) if found else None


def is_possible(seems_s: float) -> bool:
    """Return whether a request can have waited for so long, with clocks that are almost right."""
    return -_MAX_AHEAD_S <= seems_s <= MAX_WAIT_S


class ProxyClock:
    """The proxy's clock as one process sees it. Used by many threads; lives as long as the application."""

    def __init__(self, distrusted: Callable[[], None], now: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            distrusted: called for each request whose time is not believed.
            now: the monotonic clock.
        """
        self._distrusted = distrusted
        self._now = now
        self._lock = threading.Lock()
        self._period = -1
        # Of this period and the one before: the least that requests seem to have waited, and how many there were.
        self._least_s, self._least_before_s = math.inf, math.inf
        self._requests, self._requests_before = 0, 0
        self._complains_at_s = -math.inf

    def waited_s(self, said: str, wall_s: float) -> float:
        """Return how long the proxy had a request: at least 0, and 0 if that cannot be known.

        Args:
            said: the value of `X-Request-Start`.
            wall_s: Unix time here.
        """
        seems_s = waited_s(said, wall_s)
        if seems_s is None:
            return 0.0
        if not is_possible(seems_s):
            self._complain(seems_s)
            return 0.0
        return max(0.0, seems_s - self._difference_s(seems_s))

    def _difference_s(self, seems_s: float) -> float:
        with self._lock:
            period = int(self._now() // _PERIOD_S)
            if period != self._period:
                is_next = period == self._period + 1
                self._least_before_s = self._least_s if is_next else math.inf
                self._requests_before = self._requests if is_next else 0
                self._period, self._least_s, self._requests = period, math.inf, 0
            self._least_s = min(self._least_s, seems_s)
            self._requests += 1
            if self._requests + self._requests_before < _MIN_REQUESTS:
                return 0.0
            return min(self._least_s, self._least_before_s)

    def _complain(self, seems_s: float) -> None:
        self._distrusted()
        with self._lock:
            if self._now() < self._complains_at_s:
                return
            self._complains_at_s = self._now() + _COMPLAINT_S
        event(
            log, "proxy.clock_distrusted", logging.WARNING, behind_s=round(seems_s, 3),
            remedy="set the clocks of the proxy and of this machine by NTP",
        )  # fmt: skip
