"""Something seems to grow: is it a leak, and whose?

Growth is measured from before allocations were traced to after, because tracing takes
memory itself, and with the garbage collected.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from app.watchdog.attribution import Attribution, Findings
from app.watchdog.history import value_of
from app.watchdog.sample import MemorySample
from app.watchdog.signals import Signal
from app.watchdog.trend import Trend

#: Points after it whose medians are compared with those before.
_POINTS = 5


@dataclass(frozen=True)
class Leak:
    """What grows for sure."""

    #: As it is counted (`scoreboard.layout.LEAKS`).
    kind: str
    #: The signal that says most of it, and how it grew when it was suspected.
    signal: Signal
    trend: Trend
    #: Whatever else grew meanwhile, suspected or not.
    also: tuple[Signal, ...]
    findings: Findings


class Suspicion:
    """One suspicion, from the doubt to the verdict."""

    def __init__(
        self, suspects: Mapping[Signal, Trend], points: Sequence[MemorySample], now_s: Callable[[], float],
        is_certain: bool = False,
    ) -> None:  # fmt: skip
        """Begin to look.

        Args:
            suspects: what seems to grow, the signal that says most first; not empty.
            points: the last ones before this.
            now_s: a clock.
            is_certain: that it grows is known; who holds it is not.
        """
        self._suspects = suspects
        self._before = points
        self._after: list[MemorySample] = []
        self._is_certain = is_certain
        self._findings: Findings | None = None
        gc.collect()
        self._attribution = Attribution(now_s)

    def add(self, point: MemorySample) -> bool:
        """Take the next point; return whether the verdict can be given."""
        if self._findings is None:
            self._findings = self._attribution.add(point.requests)
        else:
            self._after.append(point)
        return len(self._after) == _POINTS

    def abandon(self) -> None:
        """Give up, and stop tracing."""
        if self._findings is None:
            self._attribution.abandon()

    def verdict(self, signals: tuple[Signal, ...], leak_bytes: int) -> Leak | None:
        """Return what grows for sure; None where nothing does that was suspected."""
        if (found := self._findings) is None:
            return None
        first = next((each for each in self._suspects if self._goes_on(each, found, leak_bytes)), None)
        if first is None:
            return None
        also = tuple(each for each in signals if each != first and self._growth(each) >= each.least_per_request / 2)
        return Leak(self._kind(first, found), first, self._suspects[first], also, found)

    def _goes_on(self, signal: Signal, findings: Findings, leak_bytes: int) -> bool:
        if self._is_certain:
            return True
        if signal.unit == "blocks" and findings.traced_per_request < leak_bytes / 2:
            return False
        return self._growth(signal) >= max(signal.least_per_request, self._suspects[signal].low) / 2

    def _growth(self, signal: Signal) -> float:
        """Return the growth from before to after, by the request."""
        before, after = (_middle(points, signal) for points in (self._before, self._after))
        return (after[1] - before[1]) / (after[0] - before[0])

    def _kind(self, signal: Signal, findings: Findings) -> str:
        """Return what grows; what Python took from the C heap is Python's."""
        if signal.kind == "native" and findings.traced_per_request >= self._growth(signal) / 2:
            return "python"
        return signal.kind


def _middle(points: Sequence[MemorySample], signal: Signal) -> tuple[float, float]:
    """Return the median of the requests, and of the values that are known."""
    values = [value for point in points if (value := value_of(point, signal)) is not None]
    return median(point.requests for point in points), median(values) if values else 0.0
