"""Leak detector of one worker: baseline, suspected growth, confirmation. Knows no thread and no log.

Suspected growth is a leak if it continues, at half its rate or more, when tracing is off again: tracing and counting allocate
memory themselves, and retain some of it.
"""

import gc
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from statistics import median
from typing import TYPE_CHECKING

from app.watchdog.sampler import Heap, MemorySample, TraceWindows, is_tracing
from app.watchdog.trend import History, Signal, SustainedGrowth, Trend, signals, trend
from loader.config.settings import WatchdogSettings

if TYPE_CHECKING:
    from app.watchdog.attribution import Findings

#: Syntheses after which caches are full and every thread has its heap.
WARM_UP_REQUESTS = 100
#: Syntheses between two points.
STRIDE = 5
#: Points of which the lowest is the device's sample in the rule of sustained growth.
_SAMPLE_POINTS = 10
#: Syntheses without tracing after growth that was dismissed; doubled each time, because tracing costs time.
_MIN_PAUSE_REQUESTS, _MAX_PAUSE_REQUESTS = 250, 16_000
#: Points after tracing that decide whether the growth continues.
_POINTS_AFTER = 8


class State(Enum):
    """State of the detector."""

    WARMING = "warming"
    BASELINED = "baselined"
    SUSPECT = "suspect"
    CONFIRMED = "confirmed"


@dataclass(frozen=True)
class Leak:
    """A confirmed leak."""

    #: One of `scoreboard.layout.LEAKS`.
    kind: str
    #: The most significant signal, and its growth when it was suspected.
    signal: Signal
    trend: Trend
    #: Other signals that grew during the tracing.
    also: tuple[Signal, ...]
    findings: "Findings"


class Investigation:
    """Investigation of suspected growth: trace allocations, then check whether the growth continues."""

    def __init__(
        self, suspects: Mapping[Signal, Trend], signals: tuple[Signal, ...], now_s: Callable[[], float], is_certain: bool = False
    ) -> None:
        """Start tracing.

        Args:
            suspects: signals that seem to grow, the most significant first; not empty.
            signals: all signals.
            now_s: a clock.
            is_certain: the growth is known, only its cause is not.
        """
        # Not at the top: most workers never need tracing.
        from app.watchdog.attribution import Attribution

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
        """The kinds of the suspected signals."""
        return {signal.kind for signal in self._suspects}

    def add(self, point: MemorySample) -> bool:
        """Add the next point; return whether the result is available."""
        if self._findings is None:
            self._findings = self._attribution.add(point.requests)
        else:
            self._after.add(point)
            self._points += 1
            # Tracing leaves thousands of tuples in Python's free lists, which count as blocks until a collection empties them.
            gc.collect()
        return self._points == _POINTS_AFTER

    def abandon(self) -> None:
        """Stop tracing without a result."""
        if self._findings is None:
            self._attribution.abandon()

    def result(self, leak_bytes: int) -> Leak | None:
        """Return the leak; None if no suspected signal continues to grow."""
        if (found := self._findings) is None:
            return None
        continuing = [each for each in self._suspects if self._is_certain or self._continues(each)]
        weighed = [each for each in continuing if self._is_significant(each, continuing, found, leak_bytes)]
        if not weighed:
            return None
        first = weighed[0]
        also = tuple(each for each in self._signals if each != first and self._slope(each) >= each.min_per_request / 2)
        return Leak(self._kind(first, found), first, self._suspects[first], also, found)

    def _continues(self, signal: Signal) -> bool:
        suspected = self._suspects[signal]
        rate = max(signal.min_per_request, suspected.low) / 2
        requests, values = self._after.known(signal, _POINTS_AFTER)
        if len(values) < _POINTS_AFTER or self._slope(signal) < rate:
            return False
        return bool(median(values) - suspected.values[1] >= rate * (median(requests) - suspected.requests[1]))

    def _slope(self, signal: Signal) -> float:
        requests, values = self._after.known(signal, _POINTS_AFTER)
        return trend(requests, values).slope if len(values) > 1 else 0.0

    def _is_significant(self, signal: Signal, continuing: Sequence[Signal], found: "Findings", leak_bytes: int) -> bool:
        """Whether a signal accounts for the growth: blocks are counted, and may be small compared with the C heap."""
        if signal.unit != "blocks":
            return True
        heap = max((self._suspects[each].slope for each in continuing if each.kind == "native"), default=0.0)
        return self._suspects[signal].slope * found.bytes_per_block >= max(leak_bytes, heap) / 2

    def _kind(self, signal: Signal, found: "Findings") -> str:
        """Return the kind of leak; memory that Python took from the C heap is Python's."""
        if signal.kind == "native" and found.traced_large_per_request >= self._suspects[signal].slope / 2:
            return "python"
        return signal.kind


class Detector:
    """Judges the samples of one worker. Used by one thread."""

    def __init__(self, settings: WatchdogSettings, now_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now_s = now_s
        self._signals = signals(settings.leak_bytes)
        self._by_name = {each.name: each for each in self._signals}
        self._history = History(self._signals)
        # With PYTHONTRACEMALLOC tracing is always on, as with `trace`.
        self._windows = None if settings.trace or is_tracing() else TraceWindows(settings.every, WARM_UP_REQUESTS)
        self._device_points: deque[int] = deque(maxlen=_SAMPLE_POINTS)
        self._begin_sustained()
        self._openings = 0
        self._investigation: Investigation | None = None
        self._next_sample = WARM_UP_REQUESTS + settings.every
        self._pause = _MIN_PAUSE_REQUESTS
        #: Kind to the number of requests after which it may be suspected again.
        self._silent_until: dict[str, int] = {}
        self.state = State.WARMING

    def with_traced_bytes(self, sample: MemorySample) -> MemorySample:
        """Return `sample` with Python's memory by the last tracing window, or unchanged if tracing is always on."""
        return sample if self._windows is None else replace(sample, traced_bytes=self._windows.value_bytes)

    def add(self, sample: MemorySample, openings: int = 1) -> Leak | None:
        """Add the next sample; return a leak that is confirmed now.

        Args:
            sample: the sample of this worker.
            openings: how often a voice has spoken for the first time since it was opened, so far. That allocates memory,
                14 MB and more, which is not growth.
        """
        if openings != self._openings:
            self._openings = openings
            self._begin_anew()
        if sample.requests < WARM_UP_REQUESTS:
            return None
        if self.state is State.SUSPECT:
            return self._judge(sample)
        if self.state is State.WARMING:
            self.state = State.BASELINED
        self._suspect(sample)
        return None

    def abandon(self) -> None:
        """Stop tracing: the worker is ending."""
        if self._windows is not None:
            self._windows.abandon()
        if self._investigation is not None:
            self._investigation.abandon()

    def _begin_anew(self) -> None:
        """Forget the points and the suspicion, but not what was dismissed and confirmed."""
        self._begin_sustained()
        self._history.clear()
        if self._investigation is not None:
            self._investigation.abandon()
            self._investigation, self.state = None, State.BASELINED

    def _begin_sustained(self) -> None:
        self._traced, self._device = (SustainedGrowth(self._settings.growth) for _ in range(2))

    def _suspect(self, sample: MemorySample) -> None:
        sustained = self._sustained_growth(sample)
        if self._windows is not None and self._windows.is_open:
            # Tracing leaves holes in the heap: points beside it cannot be compared.
            if not sustained:
                return
            self._windows.abandon()
        # The value of tracing windows grows in steps: the rule of sustained growth judges it, not the slope.
        self._history.add(sample if self._windows is None else replace(sample, traced_bytes=None))
        silent = [kind for kind, until in self._silent_until.items() if sample.requests < until]
        if not (suspects := sustained or self._history.growing(silent)):
            return
        self._investigation = Investigation(suspects, self._signals, self._now_s, bool(sustained))
        self.state = State.SUSPECT

    def _sustained_growth(self, sample: MemorySample) -> Mapping[Signal, Trend]:
        """Return the signals with sustained growth, once every `every` syntheses: Python's memory and the device's."""
        found: dict[str, Trend | None] = {}
        if sample.device_bytes is not None:
            self._device_points.append(sample.device_bytes)
        if self._windows is not None and self._windows.add(sample.requests, Heap(sample.live_bytes, sample.python_blocks)):
            found["traced_bytes"] = self._traced.add(sample.requests, float(self._windows.value_bytes or 0))
        if sample.requests >= self._next_sample:
            self._next_sample = sample.requests + self._settings.every
            if len(self._device_points) > 1:
                found["device_bytes"] = self._device.add(sample.requests, float(min(self._device_points)))
            if self._windows is None:
                _, values = self._history.known(self._by_name["traced_bytes"], _SAMPLE_POINTS)
                found["traced_bytes"] = self._traced.add(sample.requests, float(values.min())) if len(values) > 1 else None
        return {self._by_name[name]: each for name, each in found.items() if each is not None}

    def _judge(self, sample: MemorySample) -> Leak | None:
        assert self._investigation is not None
        if not self._investigation.add(sample):
            return None
        leak, kinds = self._investigation.result(self._settings.leak_bytes), self._investigation.kinds
        self._investigation = None
        # Tracing has left its holes in the heap.
        self._history.clear()
        if leak is None:
            self._dismiss(kinds, sample.requests)
        else:
            self._confirm(leak, sample.requests)
        return leak

    def _dismiss(self, kinds: Collection[str], requests: int) -> None:
        self.state = State.BASELINED
        self._silent_until.update(dict.fromkeys(kinds, requests + self._pause))
        self._pause = min(2 * self._pause, _MAX_PAUSE_REQUESTS)

    def _confirm(self, leak: Leak, requests: int) -> None:
        """Suspend alerts of this kind until the number of requests has doubled."""
        self.state = State.CONFIRMED
        for kind in {leak.kind, *(each.kind for each in (leak.signal, *leak.also))}:
            self._silent_until[kind] = 2 * requests
