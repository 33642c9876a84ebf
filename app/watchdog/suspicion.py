"""Something seems to grow: is it a leak, and whose?

It is one if it goes on when nothing is traced any more, at half its pace at least: tracing
and counting take memory themselves, and leave some of it behind.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from app.watchdog.attribution import Attribution, Findings
from app.watchdog.history import History
from app.watchdog.sample import MemorySample
from app.watchdog.signals import Signal
from app.watchdog.trend import Trend, trend

#: Points by which it goes on, or not.
_POINTS = 8


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
        self, suspects: Mapping[Signal, Trend], signals: tuple[Signal, ...], now_s: Callable[[], float], is_certain: bool = False
    ) -> None:
        """Begin to look.

        Args:
            suspects: what seems to grow, the signal that says most first; not empty.
            signals: all there are.
            now_s: a clock.
            is_certain: that it grows is known; who holds it is not.
        """
        self._suspects = suspects
        self._signals = signals
        self._is_certain = is_certain
        self._findings: Findings | None = None
        self._after = History(signals)
        self._points = 0
        gc.collect()
        self._attribution = Attribution(now_s)

    @property
    def kinds(self) -> set[str]:
        """What is suspected, as it is counted."""
        return {signal.kind for signal in self._suspects}

    def add(self, point: MemorySample) -> bool:
        """Take the next point; return whether the verdict can be given."""
        if self._findings is None:
            self._findings = self._attribution.add(point.requests)
        else:
            self._after.add(point)
            self._points += 1
            # Tracing leaves thousands of tuples in Python's free lists, which count as blocks until a collection empties them.
            gc.collect()
        return self._points == _POINTS

    def abandon(self) -> None:
        """Give up, and stop tracing."""
        if self._findings is None:
            self._attribution.abandon()

    def verdict(self, leak_bytes: int) -> Leak | None:
        """Return what grows for sure; None where nothing does that was suspected."""
        if (found := self._findings) is None:
            return None
        going_on = [each for each in self._suspects if self._is_certain or self._goes_on(each)]
        weighed = [each for each in going_on if self._weighs(each, going_on, found, leak_bytes)]
        if not weighed:
            return None
        first = weighed[0]
        also = tuple(each for each in self._signals if each != first and self._slope(each) >= each.least_per_request / 2)
        return Leak(self._kind(first, found), first, self._suspects[first], also, found)

    def _goes_on(self, signal: Signal) -> bool:
        suspected = self._suspects[signal]
        pace = max(signal.least_per_request, suspected.low) / 2
        requests, values = self._after.known(signal, _POINTS)
        if len(values) < _POINTS or self._slope(signal) < pace:
            return False
        return bool(median(values) - suspected.values[1] >= pace * (median(requests) - suspected.requests[1]))

    def _slope(self, signal: Signal) -> float:
        """Return how fast a value grew after all."""
        requests, values = self._after.known(signal, _POINTS)
        return trend(requests, values).slope if len(values) > 1 else 0.0

    def _weighs(self, signal: Signal, going_on: Sequence[Signal], found: Findings, leak_bytes: int) -> bool:
        """Whether a signal says most of what grows: blocks are counted, so that they may weigh little beside the C heap."""
        if signal.unit != "blocks":
            return True
        heap = max((self._suspects[each].slope for each in going_on if each.kind == "native"), default=0.0)
        return self._suspects[signal].slope * found.bytes_per_block >= max(leak_bytes, heap) / 2

    def _kind(self, signal: Signal, found: Findings) -> str:
        """Return what grows; what Python took from the C heap is Python's."""
        if signal.kind == "native" and found.traced_large_per_request >= self._suspects[signal].slope / 2:
            return "python"
        return signal.kind
