"""Windows: a server under a load for a while, within the budget, kept in the journal and told of."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from app.tuning.findings import score
from app.tuning.journal import Journal, Window
from app.tuning.load import poisson
from app.tuning.objectives import patience_s
from app.tuning.outcome import Outcome, answered, percentile_s
from app.tuning.plan import Question, stage_s
from app.tuning.quantities import shown_duration
from app.tuning.setting import Setting
from app.tuning.stand import Launch, Stand

#: A percentile of fewer requests than this is luck.
ENOUGH = 50
#: A window of fewer is no window; the budget is stretched for it.
_FEWEST = 10
#: No window is shorter, whatever the budget says.
_LEAST_S = 0.25
_WARM_S = 0.6
#: Of the time there is for a window; the rest is for the requests that are still under way at its end.
_SENDING = 0.85


class Telling(Protocol):
    """Who is told what is going on."""

    def doing(self, what: str) -> None:
        """Something that takes its time has begun."""
        ...

    def done(self, line: str) -> None:
        """Something was found."""
        ...


class Bench:
    """Takes windows. One a run."""

    def __init__(
        self, question: Question, launch: Launch, journal: Journal, telling: Telling, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.question, self.journal, self.telling = question, journal, telling
        self._launch, self._clock, self._began_s = launch, clock, clock()
        self._starting_s = 0.0

    @property
    def left_s(self) -> float:
        """What is left of the budget."""
        return self.question.budget_s - (self._clock() - self._began_s)

    def slot_s(self, stage: str, windows: int, starts: int) -> float:
        """Return how long each of so many windows of a stage may take, where so many servers are to be started for them.

        Called once, as a stage begins: windows that are compared are equally long, and so hold the same arrivals.
        """
        starting_s = starts * (self._starting_s + _WARM_S)
        return max(_LEAST_S, (stage_s(stage, self.left_s) - starting_s) / max(1, windows))

    @contextmanager
    def started(self, setting: Setting, warm: bool = True) -> Iterator[Stand]:
        """Run a server; every worker has spoken, unless it is not to be warm."""
        self.telling.doing(f"{setting}: starting")
        began_s = self._clock()
        with self._launch(setting) as stand:
            self._starting_s = self._clock() - began_s
            if warm:
                self.warm(stand, setting)
            yield stand

    def warm(self, stand: Stand, setting: Setting) -> None:
        """Have every worker speak."""
        self.telling.doing(f"{setting}: warming up")
        stand.closed_loop(self.question.mix.drawn(self.question.seed), max(2, setting.places), _WARM_S, self._patience_s)

    def closed(self, stand: Stand, stage: str, setting: Setting, clients: int, slot_s: float) -> Window:
        """Take a window in which so many clients ask again as soon as they are answered."""
        for_s, started_s = self._sending_s(slot_s), self._since_s()
        self.telling.doing(f"{setting}: {_counted(clients, 'client')}")
        lines = self.question.mix.drawn(self.question.seed)
        outcomes = stand.closed_loop(lines, clients, for_s, max(self._patience_s, slot_s))
        return self._kept(Window(stage, setting, started_s, for_s, None, clients, tuple(outcomes)))

    def open(self, stand: Stand, stage: str, setting: Setting, rate_hz: float, slot_s: float, seed: int) -> Window:
        """Take a window in which requests come at random, at a rate, whether or not earlier ones were answered."""
        for_s, started_s = max(self._sending_s(slot_s), _FEWEST / rate_hz), self._since_s()
        self.telling.doing(f"{setting}: {rate_hz:.2f} requests a second")
        arrivals = poisson(self.question.mix, rate_hz, for_s, seed)
        outcomes = stand.open_loop(arrivals, self._patience_s)
        window = self._kept(Window(stage, setting, started_s, for_s, rate_hz, None, tuple(outcomes)))
        if len(outcomes) < ENOUGH:
            self.journal.add(
                f"some windows hold fewer than {ENOUGH} requests, too few for a percentile that lasts: give a larger --budget"
            )
        self.telling.done(self._line(window))
        return window

    def score(self, outcomes: Sequence[Outcome]) -> float:
        """Return by what factor the objectives are used up."""
        return score(outcomes, self.question.objectives)

    def _kept(self, window: Window) -> Window:
        self.journal.add(window)
        return window

    def _line(self, window: Window) -> str:
        used = self.score(window.outcomes)
        shown = ", ".join(
            f"{each.name} {_shown_s(percentile_s(window.outcomes, each.measure, each.percentile))}"
            for each in self.question.objectives
        )
        verdict = "met" if used <= 1 else "not met"
        return f"{window.setting}: {window.rate_hz:.2f} requests a second, {len(window.outcomes)} of them: {shown}: {verdict}"

    @property
    def _patience_s(self) -> float:
        """How long a request is waited for: until it has missed all, and what an idle server took longest is no miss."""
        seen = [each.service_s for window in self.journal.of("service") for each in answered(window.outcomes)]
        return patience_s(self.question.objectives) + max(seen, default=5.0)

    def _since_s(self) -> float:
        return self._clock() - self._began_s

    def _sending_s(self, slot_s: float) -> float:
        return max(_LEAST_S, slot_s * _SENDING)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _shown_s(value_s: float) -> str:
    return "never" if math.isinf(value_s) else shown_duration(value_s)
