"""The judgement over one worker: from sample to sample, from well to suspect to an alert. Knows no thread and no log."""

import time
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import TYPE_CHECKING

from app.watchdog.history import History
from app.watchdog.sample import MemorySample
from app.watchdog.signals import Signal, signals
from app.watchdog.sustained import Sustained
from app.watchdog.trend import Trend, trend
from loader.config.settings import WatchdogSettings

if TYPE_CHECKING:
    from app.watchdog.suspicion import Leak, Suspicion

#: Syntheses after which caches are filled and every thread has its heap.
WARM_UP_REQUESTS = 100
#: Syntheses between two points.
STRIDE = 5
#: What the article samples, and points of which the lowest is taken for its sample.
_ARTICLES = ("device_bytes", "traced_bytes")
_ARTICLE_POINTS = 10
#: Syntheses for which nothing is suspected after a suspicion that was none; twice as many after the next.
_PEACE_REQUESTS = 250
_MOST_PEACE_REQUESTS = 16_000


class State(Enum):
    """Where the watch stands."""

    WARMING = "warming"
    BASELINED = "baselined"
    SUSPECT = "suspect"
    CONFIRMED = "confirmed"


class Watch:
    """Judges the samples of one worker. Used by one thread."""

    def __init__(self, settings: WatchdogSettings, now_s: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._now_s = now_s
        self._signals = signals(settings.leak_bytes)
        self._history = History(self._signals)
        self._sustained = self._articles()
        self._voices = 0
        self._suspicion: Suspicion | None = None
        self._next_article = WARM_UP_REQUESTS + settings.every
        self._peace = _PEACE_REQUESTS
        #: By kind, from when on it is looked at again.
        self._silent_until: dict[str, int] = {}
        self.state = State.WARMING

    def add(self, sample: MemorySample, voices: int = 1) -> "Leak | None":
        """Take the next sample, some syntheses after the last one; return a leak that is certain now.

        Args:
            sample: of this worker.
            voices: how many have spoken until then. Each takes memory when it begins to, which is no growth.
        """
        if voices != self._voices:
            self._voices, self._sustained = voices, self._articles()
        if sample.requests < WARM_UP_REQUESTS:
            return None
        if self.state is State.SUSPECT:
            return self._judged(sample)
        if self.state is State.WARMING:
            self.state = State.BASELINED
        self._history.add(sample)
        self._suspect(sample)
        return None

    def abandon(self) -> None:
        """Stop whatever was begun: the worker is ending."""
        if self._suspicion is not None:
            self._suspicion.abandon()

    def _articles(self) -> dict[Signal, Sustained]:
        return {each: Sustained(self._settings.growth) for each in self._signals if each.name in _ARTICLES}

    def _suspect(self, sample: MemorySample) -> None:
        sustained = self._sustained_growth(sample)
        silent = [kind for kind, until in self._silent_until.items() if sample.requests < until]
        if not (suspects := sustained or self._history.growing(silent)):
            return
        # Late: tracing's libraries are for workers that need them.
        from app.watchdog.suspicion import Suspicion

        self._suspicion = Suspicion(suspects, self._signals, self._now_s, bool(sustained))
        self.state = State.SUSPECT

    def _sustained_growth(self, sample: MemorySample) -> Mapping[Signal, Trend]:
        """Return what has grown as the article says, every so many syntheses."""
        if sample.requests < self._next_article:
            return {}
        self._next_article = sample.requests + self._settings.every
        found = {signal: self._article_trend(signal, rule) for signal, rule in self._sustained.items()}
        return {signal: each for signal, each in found.items() if each is not None}

    def _article_trend(self, signal: Signal, rule: Sustained) -> Trend | None:
        requests, values = self._history.known(signal, _ARTICLE_POINTS)
        if len(values) < 2 or not rule.add(float(values.min())):
            return None
        return trend(requests, values)

    def _judged(self, sample: MemorySample) -> "Leak | None":
        assert self._suspicion is not None
        if not self._suspicion.add(sample):
            return None
        leak, kinds = self._suspicion.verdict(self._settings.leak_bytes), self._suspicion.kinds
        self._suspicion = None
        # What was traced has left its holes in the heap.
        self._history.clear()
        if leak is None:
            self._leave_in_peace(kinds, sample.requests)
        else:
            self._be_silent(leak, sample.requests)
        return leak

    def _leave_in_peace(self, kinds: Collection[str], requests: int) -> None:
        """It was none: look again, but ever more seldom, because every suspicion costs."""
        self.state = State.BASELINED
        self._silent_until.update(dict.fromkeys(kinds, requests + self._peace))
        self._peace = min(2 * self._peace, _MOST_PEACE_REQUESTS)

    def _be_silent(self, leak: "Leak", requests: int) -> None:
        """It was said: say it again once it has had as many requests more, not with each of them."""
        self.state = State.CONFIRMED
        for kind in {leak.kind, *(each.kind for each in (leak.signal, *leak.also))}:
            self._silent_until[kind] = 2 * requests
