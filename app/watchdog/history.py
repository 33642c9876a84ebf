"""The last samples of a worker, and which of their values grow with every request."""

import math
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from app.watchdog.sample import MemorySample
from app.watchdog.signals import Signal
from app.watchdog.trend import Trend, is_steady, trend

#: Points that are looked at together: few find a leak soon, many find it where the values are noisy.
_WINDOWS = (40, 200)
#: Fewer points more are not worth another look.
_STRIDE = 5
#: How much a count must have grown; a request or two more at a time are no leak.
_LEAST_GROWTH = 8


class History:
    """Points of one worker since it warmed up, or since it was last found to be well.

    Its memory is taken at once: a history that grew would be found to be a leak.
    """

    def __init__(self, signals: tuple[Signal, ...]) -> None:
        self._signals = signals
        #: By age, the newest last: requests, and the value of each signal, NaN where it is unknown.
        self._points = np.full((max(_WINDOWS), 1 + len(signals)), math.nan)
        self._count = 0
        self._unseen = 0
        self._only_blocks = False

    def add(self, point: MemorySample) -> None:
        """Take a point; its values should be the lowest since the point before."""
        self._points[:-1] = self._points[1:]
        values = (value_of(point, signal) for signal in self._signals)
        self._points[-1] = [point.requests, *(math.nan if value is None else value for value in values)]
        self._count += 1
        self._unseen += 1

    def clear(self) -> None:
        """Forget everything: what was, explains nothing that comes."""
        self._points.fill(math.nan)
        self._count = self._unseen = 0
        self._only_blocks = False

    def known(self, signal: Signal, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the requests and the values of the last points, that many at most, where the value is known."""
        points = self._points[-count:, [0, 1 + self._signals.index(signal)]]
        requests, values = points[~np.isnan(points[:, 1])].T
        return requests, values

    def growing(self, ignored: Collection[str] = ()) -> Mapping[Signal, Trend]:
        """Return what grows with every request, by the newest points; signals of `ignored` kinds are left out."""
        if self._unseen < _STRIDE:
            return {}
        self._unseen = 0
        watched = (signal for signal in self._signals if signal.kind not in ignored)
        found = {signal: each for signal in watched if (each := self._trend(signal)) is not None}
        return {} if self._is_doubtful(found) else found

    def _is_doubtful(self, found: Collection[Signal]) -> bool:
        """Whether only blocks were seen to grow, and not at the last look: every leak of the C heap has one of those, too.

        One look later that is seen as well, and it is known which of them weighs more.
        """
        was, self._only_blocks = self._only_blocks, bool(found) and all(signal.unit == "blocks" for signal in found)
        return self._only_blocks and not was

    def _trend(self, signal: Signal) -> Trend | None:
        windows = (count for count in _WINDOWS if count <= self._count)
        return next(filter(None, (self._in_window(signal, count) for count in windows)), None)

    def _in_window(self, signal: Signal, count: int) -> Trend | None:
        requests, values = self.known(signal, count)
        if len(values) < count or values[-1] - values[0] < _LEAST_GROWTH:
            return None
        if not is_steady(requests, values, signal.least_per_request):
            return None
        found = trend(requests, values)
        return found if found.low > signal.least_per_request and found.is_clear else None


def value_of(sample: MemorySample, signal: Signal) -> float | None:
    """Return the signal's value in a sample."""
    value: float | None = getattr(sample, signal.name)
    return value
