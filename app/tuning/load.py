"""Load on a server: open loop, where requests come whether or not earlier ones were answered, and closed loop.

Clients that wait for an answer before they ask again make a slow server look good: it is
not asked while it is slow. So what is promised is measured by an open loop with Poisson
arrivals, and latency counts from when a request was meant to be sent, not from when this
process got round to it.
"""

import itertools
import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.tuning.client import Call
from app.tuning.mix import Line, Mix
from app.tuning.outcome import UNREACHABLE, Outcome

#: How often it is looked whose patience is over.
_LOOK_S = 0.1


@dataclass(frozen=True)
class Arrival:
    """A request that is to be sent."""

    intended_s: float
    line: Line


def poisson(mix: Mix, rate_hz: float, for_s: float, seed: int) -> list[Arrival]:
    """Draw the requests of a window of `for_s` seconds.

    The same seed draws the same texts and the same gaps, stretched to the rate: settings
    that are compared are given the same luck.
    """
    draw, lines = random.Random(seed), mix.drawn(seed)
    moments_s = itertools.takewhile(lambda moment_s: moment_s < for_s, _moments(draw, rate_hz))
    return [Arrival(moment_s, line) for moment_s, line in zip(moments_s, lines)]


def _moments(draw: random.Random, rate_hz: float) -> Iterator[float]:
    return itertools.accumulate(draw.expovariate(1.0) / rate_hz for _ in itertools.count())


class _Calls:
    """The calls of one window."""

    def __init__(self, port: int, patience_s: float) -> None:
        """Each call is left `patience_s` after it was meant to be sent."""
        self._port, self._patience_s = port, patience_s
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        #: Each with the moment at which it is left.
        self._open: dict[Call, float] = {}
        self._threads: list[threading.Thread] = []
        self._outcomes: list[Outcome] = []
        self._over = threading.Event()

    @property
    def outcomes(self) -> list[Outcome]:
        """Of the calls that have ended, in the order in which they were meant to be sent."""
        with self._lock:
            return sorted(self._outcomes, key=lambda each: each.intended_s)

    def now_s(self) -> float:
        """Return the seconds since the window began."""
        return time.monotonic() - self._started_s

    def rest(self, until_s: float) -> None:
        """Wait for a moment of the window."""
        while (left_s := until_s - self.now_s()) > 0 and not self._over.wait(self._look_s(left_s)):
            self._leave(self.now_s())

    def begin(self, work: Callable[[], None]) -> None:
        """Run `work` in a thread, which an interrupted process does not wait for."""
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # no thread can be started now
            self._threads.pop()
            raise

    def make(self, line: Line, intended_s: float) -> Outcome:
        """Make one call, in this thread."""
        call = Call(self._port, line, intended_s, self.now_s)
        with self._lock:
            self._open[call] = intended_s + self._patience_s
        outcome = call.made()
        with self._lock:
            del self._open[call]
            self._outcomes.append(outcome)
        return outcome

    def end(self, within_s: float = 0.0) -> None:
        """Wait for all calls, but no longer than `within_s`; then leave those that are still open."""
        deadline_s = time.monotonic() + within_s
        for thread in self._threads:
            while thread.is_alive() and (left_s := deadline_s - time.monotonic()) > 0:
                thread.join(self._look_s(left_s))
                self._leave(self.now_s())
        self._over.set()
        self._leave(math.inf)
        for thread in self._threads:
            thread.join(5.0)

    def _look_s(self, left_s: float) -> float:
        return left_s if math.isinf(self._patience_s) else min(left_s, _LOOK_S)

    def _leave(self, due_by_s: float) -> None:
        with self._lock:
            left = [call for call, until_s in self._open.items() if until_s <= due_by_s]
        for call in left:
            call.leave()


def open_loop(port: int, arrivals: Sequence[Arrival], patience_s: float, each_s: float = math.inf) -> list[Outcome]:
    """Send every request at its time and return what became of each.

    Whoever is not answered `patience_s` after the last arrival, or `each_s` after its own, is left: late.
    """
    calls = _Calls(port, each_s)
    unsent: list[Outcome] = []
    try:
        for arrival in arrivals:
            calls.rest(arrival.intended_s)
            try:
                calls.begin(lambda due=arrival: _send(calls, due))  # type: ignore[misc]
            except RuntimeError:
                unsent.append(Outcome(arrival.line.characters, arrival.intended_s, calls.now_s(), UNREACHABLE))
        calls.end(patience_s)
    finally:
        calls.end()
    return sorted([*calls.outcomes, *unsent], key=lambda each: each.intended_s)


def _send(calls: _Calls, arrival: Arrival) -> None:
    calls.make(arrival.line, arrival.intended_s)


def closed_loop(port: int, lines: Iterator[Line], clients: int, for_s: float, patience_s: float) -> list[Outcome]:
    """Have so many clients ask again as soon as they are answered, for `for_s` seconds; return what became of each request.

    Requests under way at the end are waited for, but no longer than `patience_s`.
    """
    calls, drawing = _Calls(port, math.inf), threading.Lock()

    def ask() -> None:
        while calls.now_s() < for_s:
            with drawing:
                line = next(lines)
            outcome = calls.make(line, calls.now_s())
            if outcome.fate == UNREACHABLE:
                return

    try:
        for _ in range(clients):
            calls.begin(ask)
        calls.end(for_s + patience_s)
    finally:
        calls.end()
    return calls.outcomes
