"""Results of load tests and memory readings: percentiles, service time, capacity, sustained rate, memory of a server."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.tuning.candidate import ServerMemory
from app.tuning.loadgen import ANSWERED, LATE, Result
from app.tuning.plan import Candidate, Objective
from app.tuning.workload import Workload

#: The stage of a load test, in the order in which they run.
SERVICE, CAPACITY, RATE, COMPARISON = "service", "capacity", "rate", "comparison"
#: A search keeps the highest of several lucky tests; a tenth less is what holds.
STEP_DOWN = 0.9
#: A larger share of unanswered requests meets no objective.
_MAX_LOST = 0.001
#: Share of the memory limit that is left free.
_RESERVE = 0.05


@dataclass(frozen=True)
class LoadTest:
    """One load on the server of one candidate."""

    stage: str
    candidate: Candidate
    #: Since the run began.
    started_s: float
    #: For how long requests were sent.
    for_s: float
    #: Of an open loop; 0 in a closed one.
    rate_hz: float
    #: Of a closed loop; 0 in an open one.
    clients: int
    results: tuple[Result, ...]


@dataclass(frozen=True)
class MemoryReading:
    """Memory of a server at some point of a run."""

    #: `idle`, `workload` (after it), `longest` (peak while that text was synthesized), `load` (peak of a capacity test).
    moment: str
    candidate: Candidate
    memory: ServerMemory
    #: Of the longest text.
    characters: int = 0


@dataclass
class Measurements:
    """What a run has measured so far; complete up to there if the run is interrupted."""

    load_tests: list[LoadTest] = field(default_factory=list)
    memory: list[MemoryReading] = field(default_factory=list)
    #: What a reader of the figures has to know, each once.
    notes: list[str] = field(default_factory=list)
    #: The candidate to recommend; None before a rate was tried.
    best: Candidate | None = None

    def of(self, stage: str, candidate: Candidate | None = None) -> list[LoadTest]:
        """Return the load tests of a stage, of one candidate or of all."""
        return [each for each in self.load_tests if each.stage == stage and candidate in (None, each.candidate)]

    def note(self, text: str) -> None:
        """Keep a note."""
        if text not in self.notes:
            self.notes.append(text)


def answered(results: Sequence[Result]) -> list[Result]:
    """Return the results with a complete answer."""
    return [each for each in results if each.outcome == ANSWERED]


def percentile_s(results: Sequence[Result], measure: str, percentile: float) -> float:
    """Return a percentile of a latency: the nearest rank, as unanswered requests count as infinite."""
    if not results:
        return math.inf
    return float(np.percentile([each.latency_s(measure) for each in results], percentile, method="inverted_cdf"))


def score(results: Sequence[Result], objectives: Sequence[Objective]) -> float:
    """Return the largest ratio of a percentile to its bound: up to 1 all objectives are met; infinite if requests were lost."""
    # Late requests are in the percentiles.
    lost = sum(each.outcome not in (ANSWERED, LATE) for each in results)
    if lost > _MAX_LOST * len(results):
        return math.inf
    return max(percentile_s(results, each.measure, each.percentile) / each.bound_s for each in objectives)


@dataclass(frozen=True)
class ServiceTime:
    """Time that one request takes on an idle server: `fixed_s + per_character_s * characters`."""

    fixed_s: float
    per_character_s: float
    #: Of the workload's average request.
    mean_s: float
    #: By the name of an objective: the same percentile.
    idle_s: dict[str, float]

    def time_s(self, characters: float) -> float:
        """Return how long that many characters take."""
        return self.fixed_s + self.per_character_s * characters

    def characters_in(self, time_s: float) -> int:
        """Return how many characters can be synthesized in that time."""
        return max(0, int((time_s - self.fixed_s) / max(self.per_character_s, 1e-9)))


def service_time_of(measurements: Measurements, workload: Workload, objectives: Sequence[Objective]) -> ServiceTime | None:
    """Return the service time; None if it was not measured."""
    done = answered([each for test in measurements.of(SERVICE) for each in test.results])
    if not done:
        return None
    fixed_s, per_character_s = _fit_line([each.request.characters for each in done], [each.service_s for each in done])
    # Averaged over the whole workload: the texts that happened to be drawn do not bias it.
    characters = np.average([each.characters for each in workload.texts], weights=[each.weight for each in workload.texts])
    idle_s = {each.name: percentile_s(done, each.measure, each.percentile) for each in objectives}
    return ServiceTime(fixed_s, per_character_s, float(fixed_s + per_character_s * characters), idle_s)


def _fit_line(characters: Sequence[int], times_s: Sequence[float]) -> tuple[float, float]:
    """Return offset and slope by least squares; neither is negative."""
    slope, fixed = np.polyfit(characters, times_s, 1) if len(set(characters)) > 1 else (0.0, 0.0)
    if slope <= 0:
        return float(np.mean(times_s)), 0.0
    if fixed < 0:
        return 0.0, float(np.dot(characters, times_s) / np.dot(characters, characters))
    return float(fixed), float(slope)


def capacity_hz(measurements: Measurements, candidate: Candidate, service: ServiceTime) -> float | None:
    """Return how many average requests a second a candidate answers when it is never idle; None if it was not measured.

    A request counts by its characters, and one in flight at the end of the test by its share inside: neither
    the luck of the texts nor where the test ended matters much.
    """
    tests = measurements.of(CAPACITY, candidate)
    if not tests:
        return None
    done_s = 0.0
    for each in answered(tests[0].results):
        inside_s = max(0.0, min(each.ended_s, tests[0].for_s) - each.sent_s)
        share = min(1.0, inside_s / each.service_s) if each.service_s > 0 else 1.0
        done_s += share * service.time_s(each.request.characters)
    return done_s / service.mean_s / tests[0].for_s


def rate_range_hz(tests: Sequence[LoadTest], objectives: Sequence[Objective]) -> tuple[float, float]:
    """Return the highest rate that met the objectives (0 if none did), and the lowest that did not (infinite if all did).

    A lucky test at a higher rate than one that failed does not count.
    """
    high_hz = min((each.rate_hz for each in tests if score(each.results, objectives) > 1), default=math.inf)
    return max((each.rate_hz for each in tests if each.rate_hz < high_hz), default=0.0), high_hz


def sustained_hz(measurements: Measurements, candidate: Candidate, objectives: Sequence[Objective]) -> float | None:
    """Return the rate that a candidate sustains, 0 if it met the objectives at none; None if none was tried."""
    tests = measurements.of(RATE, candidate)
    return rate_range_hz(tests, objectives)[0] * STEP_DOWN if tests else None


@dataclass(frozen=True)
class MemoryNeed:
    """Memory of a server by its number of workers."""

    #: Mapped and inherited pages: there once.
    shared_bytes: int
    #: A worker's own, at most: with the longest text, and under load.
    worker_bytes: int

    def of(self, workers: int) -> int:
        """Return what that many workers need at most, with the one more that a rolling restart has."""
        return self.shared_bytes + (workers + 1) * self.worker_bytes

    def max_workers(self, limit_bytes: int) -> int:
        """Return how many workers fit; 0 if not even one does."""
        left_bytes = limit_bytes * (1 - _RESERVE) - self.shared_bytes
        return max(0, math.floor(left_bytes / max(1, self.worker_bytes)) - 1)


def memory_need_of(measurements: Measurements, max_characters: int) -> MemoryNeed | None:
    """Return the memory that a server needs; None if it was not measured.

    If the longest text would have taken too long, the growth of the worker with a shorter one is extrapolated in a
    straight line: the bytes of a whole file grow like that.
    """
    readings = [each.memory for each in measurements.memory]
    if not readings:
        return None
    # The pages of a worker alone include the weights, which it shares with no other; further workers do not need them again.
    shared_bytes = max((each.shared_bytes for each in readings if len(each.worker_uss_bytes) != 1), default=0)
    own = [
        max(0, each.pss_bytes - shared_bytes) if len(each.worker_uss_bytes) == 1 else max(each.worker_uss_bytes, default=0)
        for each in readings
    ]
    before = next((size for size, each in zip(own, measurements.memory) if each.moment == "workload"), 0)
    for size, each in list(zip(own, measurements.memory)):
        if each.moment == "longest":
            own.append(round(size + max(0, size - before) * max(0.0, max_characters / each.characters - 1)))
    return MemoryNeed(shared_bytes, max(own))
