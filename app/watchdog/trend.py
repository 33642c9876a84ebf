"""How fast a value grows with the requests served: Theil and Sen's slope, with the ranks' own bounds.

The slope is the median of the slopes of all pairs of points. It needs no even noise, and
up to three points in ten may lie anywhere. Points that follow their neighbours, as the
size of a full cache does, say less than as many independent ones, and widen the bounds.
No library here has it without scipy, which would be 40 MB for forty lines. `numpy.median`
imports `numpy.ma` when it is first called: 6,000 blocks at once, in the middle of what is judged.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

#: Two-sided 99 % of the normal distribution.
_Z = 2.58
#: Of neighbours; more would leave no bounds.
_MOST_CORRELATED = 0.95
#: The size of a full cache with entries of all sizes wanders by up to 9 of its deviations from a line, now and then;
#: a leak of 1 KiB a request of the embedded voice grows by 40 (both by 200 requests, measured 2026-11-24).
_CLEARLY = 12.0
#: Each of so many parts of the points must have grown over the one before.
_PARTS = 4


@dataclass(frozen=True)
class Trend:
    """Growth of one value, by the request."""

    slope: float
    #: Its bounds.
    low: float
    high: float
    #: How far the points lie from it, on average (standard deviation), in the value's unit.
    spread: float
    #: Requests, and the value, at the first and the last point.
    requests: tuple[int, int]
    values: tuple[float, float]

    @property
    def is_clear(self) -> bool:
        """Whether it grew by far more than it trembles."""
        return self.slope * (self.requests[1] - self.requests[0]) >= _CLEARLY * self.spread


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


def is_steady(requests: Values, values: Values, least: float) -> bool:
    """Whether every part of the points lies above the part before by at least half of `least` for each request.

    Cheap, and almost always false. It also tells steps, such as a cache that was allocated, from steady growth.
    """
    middles = [[median(part) for part in np.array_split(each, _PARTS)] for each in (requests, values)]
    steps = zip(*(pairwise(each) for each in middles), strict=True)
    return all(after - before >= least / 2 * (later - earlier) for (earlier, later), (before, after) in steps)


def _ranks(points: int, pairs: int, correlation: float) -> tuple[int, int]:
    """Return which of the sorted slopes bound the true one, by the variance of Kendall's statistic."""
    spread = _Z * math.sqrt(points * (points - 1) * (2 * points + 5) / 18 * (1 + correlation) / (1 - correlation))
    return max(0, math.floor((pairs - spread) / 2)), min(pairs - 1, math.ceil((pairs + spread) / 2))


def _correlation(residuals: Values) -> float:
    """Return how much each point follows the one before it: 0 for not at all."""
    centred = residuals - residuals.mean()
    variance = float(centred @ centred)
    if not variance:
        return 0.0
    found = float(centred[1:] @ centred[:-1]) / variance
    # Of few points it is found too low, by so much (Kendall 1954).
    return min(_MOST_CORRELATED, max(0.0, found + (1 + 4 * found) / len(residuals)))
