"""Growth with the number of requests: the signals, their recent points, and three rules that detect growth.

The slope is the Theil-Sen estimator with rank-based bounds: the median of the slopes of all pairs of points. It does not need
equal noise, and tolerates three outliers in ten points. Autocorrelated points, such as the size of a full cache, count less
than independent ones and widen the bounds. Only scipy has it, 40 MB for forty lines. `numpy.median` imports `numpy.ma` at
its first call: 6,000 blocks at once, in the middle of a measurement.
"""

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from app.watchdog.sampler import MemorySample

Values = NDArray[np.float64]

#: Python allocates objects of up to this size from its own pools.
_POOLED_BYTES = 512
#: One descriptor or thread in fifty requests.
_RARELY = 0.02
#: Two-sided 99 % of the normal distribution.
_Z = 2.58
#: Maximum autocorrelation; more would leave no bounds.
_MAX_CORRELATION = 0.95
#: The size of a full cache with entries of all sizes deviates from a line by up to 9 standard deviations at times;
#: a leak of 1 KiB a request of the embedded voice grows by 40 (both over 200 requests, 2026-11-24).
_CLEAR_DEVIATIONS = 12.0
#: Parts of the points, each of which must be above the one before.
_PARTS = 4
#: Points in a window: few detect a leak soon, many detect it in noisy values.
_WINDOWS = (40, 200)
#: New points before the next evaluation.
_STRIDE = 5
#: Minimum growth of a count: one or two more concurrent requests are not a leak.
_MIN_GROWTH = 8
#: Consecutive samples that must each have grown, for sustained growth.
_ROW = 3


@dataclass(frozen=True)
class Signal:
    """One value of `MemorySample`, and the growth that counts."""

    name: str
    #: Kind of the alert (`scoreboard.layout.LEAKS`).
    kind: str
    unit: str
    #: Slower growth is ignored.
    min_per_request: float


def signals(leak_bytes: int) -> tuple[Signal, ...]:
    """Return the signals, the most significant first.

    Blocks are counted, not measured: the bound is the number of blocks that could contain `leak_bytes`, at least one. The
    detector checks their size before an alert.
    """
    return (
        Signal("threads", "threads", "threads", _RARELY),
        Signal("descriptors", "descriptors", "descriptors", _RARELY),
        Signal("device_bytes", "device", "bytes", leak_bytes),
        Signal("traced_bytes", "python", "bytes", leak_bytes),
        Signal("python_blocks", "python", "blocks", max(1.0, leak_bytes / _POOLED_BYTES)),
        Signal("live_bytes", "native", "bytes", leak_bytes),
    )


@dataclass(frozen=True)
class Trend:
    """Growth of one value per request."""

    slope: float
    #: Bounds of the slope.
    low: float
    high: float
    #: Standard deviation of the points from the line, in the value's unit.
    spread: float
    #: Requests, and the value, at the first and the last point.
    requests: tuple[int, int]
    values: tuple[float, float]

    @property
    def is_clear(self) -> bool:
        """Whether the growth is far above the noise."""
        return self.slope * (self.requests[1] - self.requests[0]) >= _CLEAR_DEVIATIONS * self.spread


def trend(requests: Values, values: Values) -> Trend:
    """Return how `values` grow over `requests`, two or more of them, the latter ascending."""
    first, second = np.triu_indices(len(values), 1)
    slopes = np.sort((values[second] - values[first]) / (requests[second] - requests[first]))
    slope = float(median(slopes))
    residuals = values - slope * requests
    low, high = _ranks(len(values), len(slopes), _correlation(residuals))
    return Trend(
        slope, float(slopes[low]), float(slopes[high]), float(residuals.std()),
        (int(requests[0]), int(requests[-1])), (float(values[0]), float(values[-1])),
    )  # fmt: skip


def is_steady(requests: Values, values: Values, min_per_request: float) -> bool:
    """Whether every part of the points lies above the part before by at least half of `min_per_request` for each request.

    Cheap, and almost always false. It also distinguishes steps, such as the allocation of a cache, from steady growth.
    """
    middles = [[median(part) for part in np.array_split(each, _PARTS)] for each in (requests, values)]
    steps = zip(*(pairwise(each) for each in middles), strict=True)
    return all(after - before >= min_per_request / 2 * (later - earlier) for (earlier, later), (before, after) in steps)


def _ranks(points: int, pairs: int, correlation: float) -> tuple[int, int]:
    """Return the indexes of the sorted slopes that bound the true slope, by the variance of Kendall's statistic."""
    spread = _Z * math.sqrt(points * (points - 1) * (2 * points + 5) / 18 * (1 + correlation) / (1 - correlation))
    return max(0, math.floor((pairs - spread) / 2)), min(pairs - 1, math.ceil((pairs + spread) / 2))


def _correlation(residuals: Values) -> float:
    """Return the autocorrelation of the residuals; 0 for independent points."""
    centred = residuals - residuals.mean()
    variance = float(centred @ centred)
    if not variance:
        return 0.0
    found = float(centred[1:] @ centred[:-1]) / variance
    # For few points the estimate is too low by this amount (Kendall 1954).
    return min(_MAX_CORRELATION, max(0.0, found + (1 + 4 * found) / len(residuals)))


class History:
    """The recent points of a worker since its warm-up or the last result, and which of their values grow.

    Its memory is allocated at once: a growing history would be detected as a leak.
    """

    def __init__(self, signals: tuple[Signal, ...]) -> None:
        self._signals = signals
        #: By age, the newest last: requests, and the value of each signal, NaN if it is unknown.
        self._points = np.full((max(_WINDOWS), 1 + len(signals)), math.nan)
        self._count = 0
        self._unseen = 0
        self._only_blocks = False

    def add(self, point: MemorySample) -> None:
        """Add a point; its values should be the lowest since the point before."""
        self._points[:-1] = self._points[1:]
        values = (value_of(point, signal) for signal in self._signals)
        self._points[-1] = [point.requests, *(math.nan if value is None else value for value in values)]
        self._count += 1
        self._unseen += 1

    def clear(self) -> None:
        """Remove all points."""
        self._points.fill(math.nan)
        self._count = self._unseen = 0
        self._only_blocks = False

    def known(self, signal: Signal, count: int) -> tuple[Values, Values]:
        """Return the requests and the values of the last points, at most `count`, whose value is known."""
        points = self._points[-count:, [0, 1 + self._signals.index(signal)]]
        requests, values = points[~np.isnan(points[:, 1])].T
        return requests, values

    def growing(self, ignored: Collection[str] = ()) -> Mapping[Signal, Trend]:
        """Return the signals that grow with every request, by the newest points, without `ignored` kinds."""
        if self._unseen < _STRIDE:
            return {}
        self._unseen = 0
        watched = (signal for signal in self._signals if signal.kind not in ignored)
        found = {signal: each for signal in watched if (each := self._trend(signal)) is not None}
        return {} if self._is_doubtful(found) else found

    def _is_doubtful(self, found: Collection[Signal]) -> bool:
        """Whether only blocks grow, for the first time: every leak of the C heap has some blocks, too.

        The next evaluation detects the growth of the C heap as well, and which of the two is larger.
        """
        was, self._only_blocks = self._only_blocks, bool(found) and all(signal.unit == "blocks" for signal in found)
        return self._only_blocks and not was

    def _trend(self, signal: Signal) -> Trend | None:
        windows = (count for count in _WINDOWS if count <= self._count)
        return next(filter(None, (self._in_window(signal, count) for count in windows)), None)

    def _in_window(self, signal: Signal, count: int) -> Trend | None:
        requests, values = self.known(signal, count)
        if len(values) < count or values[-1] - values[0] < _MIN_GROWTH:
            return None
        if not is_steady(requests, values, signal.min_per_request):
            return None
        found = trend(requests, values)
        return found if found.low > signal.min_per_request and found.is_clear else None


def value_of(sample: MemorySample, signal: Signal) -> float | None:
    """Return the signal's value in a sample."""
    value: float | None = getattr(sample, signal.name)
    return value


class SustainedGrowth:
    """Sustained growth: more than a fraction above the first sample, rising from sample to sample, at any rate per request."""

    def __init__(self, growth: float) -> None:
        """Detect growth above this fraction of the first sample."""
        self._growth = growth
        self._first: float | None = None
        self._last: deque[tuple[int, float]] = deque(maxlen=_ROW + 1)

    def add(self, requests: int, value: float) -> Trend | None:
        """Add the next sample; return its growth if it is an alert, after which the rule starts again."""
        if self._first is None:
            self._first = value
        self._last.append((requests, value))
        # Noise around a level rises three times in a row at times, but not by this much each time.
        step = self._growth * self._first / (2 * _ROW)
        rises = [after - before > step for (_, before), (_, after) in pairwise(self._last)]
        if len(rises) < _ROW or not all(rises) or value <= self._first * (1 + self._growth):
            return None
        found = trend(*np.array(self._last, dtype=np.float64).T)
        self._first = None
        self._last.clear()
        return found
