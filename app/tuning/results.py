"""What was measured, and the arithmetic on it: percentiles, service times, capacity, rates, memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from app.tuning.candidate import Candidate, ServerMemory
from app.tuning.loadgen import ANSWERED, LATE, Result
from app.tuning.question import Objective
from app.tuning.workload import Workload

#: What a window was for, in the order in which they are measured.
SERVICE, CAPACITY, RATE, COMPARISON = "service", "capacity", "rate", "comparison"
#: A larger share of unanswered requests meets no objective.
_MAX_LOST = 0.001
#: Of the memory budget, kept free for the kernel's own share.
_RESERVE = 0.05


@dataclass(frozen=True)
class Window:
    """One server under one load for a while."""

    stage: str
    candidate: Candidate
    #: Since the measuring began.
    started_s: float
    #: For how long requests were sent.
    for_s: float
    #: Of an open loop; None in a closed one.
    rate_hz: float | None
    #: Of a closed loop; None in an open one.
    clients: int | None
    results: tuple[Result, ...]


@dataclass(frozen=True)
class MemoryReading:
    """The memory of a server at some point of the procedure."""

    #: `idle`, `workload` (after it), `longest` (peak while it was spoken), `load` (peak under as many clients as it serves).
    moment: str
    candidate: Candidate
    memory: ServerMemory
    #: Of the longest text, if there was one.
    characters: int | None = None


@dataclass
class Measurements:
    """All windows and readings so far, in order; what was measured until then if a run is interrupted."""

    windows: list[Window] = field(default_factory=list)
    memory: list[MemoryReading] = field(default_factory=list)
    #: What a reader of the figures has to know, each once.
    remarks: list[str] = field(default_factory=list)

    def of(self, stage: str, candidate: Candidate | None = None) -> list[Window]:
        """Return the windows of a stage, perhaps of one candidate only."""
        return [each for each in self.windows if each.stage == stage and candidate in (None, each.candidate)]

    def at(self, stage: str, candidate: Candidate, rate_hz: float) -> list[Result]:
        """Return the results of all windows of a candidate at one rate."""
        return [one for each in self.of(stage, candidate) if each.rate_hz == rate_hz for one in each.results]

    def remark(self, text: str) -> None:
        """Keep a remark."""
        if text not in self.remarks:
            self.remarks.append(text)


def answered(results: Sequence[Result]) -> list[Result]:
    """Return those that were answered completely."""
    return [each for each in results if each.outcome == ANSWERED]


def lost_share(results: Sequence[Result]) -> float:
    """Return the share of requests that were not answered; 1 if there is none."""
    return 1.0 - len(answered(results)) / len(results) if results else 1.0


def percentile_s(results: Sequence[Result], measure: str, percentile: float) -> float:
    """Return a percentile of a latency: the nearest rank, as unanswered requests count as infinite."""
    if not results:
        return math.inf
    return float(np.percentile([each.latency_s(measure) for each in results], percentile, method="inverted_cdf"))


def score(results: Sequence[Result], objectives: Sequence[Objective]) -> float:
    """Return the share of the objectives that is used up: 1 just meets all; infinite if too many requests were lost."""
    # Percentiles judge those that were late already.
    lost = sum(each.outcome not in (ANSWERED, LATE) for each in results)
    if lost and lost_share(results) > _MAX_LOST:
        return math.inf
    return max(percentile_s(results, each.measure, each.percentile) / each.bound_s for each in objectives)


def meets(results: Sequence[Result], objectives: Sequence[Objective]) -> bool:
    """Return whether all objectives are met and hardly a request was lost."""
    return bool(results) and score(results, objectives) <= 1


@dataclass(frozen=True)
class Service:
    """What one request takes on an idle server: `fixed_s + per_character_s * characters`."""

    fixed_s: float
    per_character_s: float
    #: Of the workload's average request.
    mean_s: float
    #: By an objective's name: the same percentile.
    idle_s: dict[str, float]
    requests: int

    def time_s(self, characters: float) -> float:
        """Return how long that many characters take."""
        return self.fixed_s + self.per_character_s * characters

    def characters_in(self, time_s: float) -> int:
        """Return how many characters can be spoken in that time."""
        return max(0, int((time_s - self.fixed_s) / max(self.per_character_s, 1e-9)))


def service_of(measurements: Measurements, workload: Workload, objectives: Sequence[Objective]) -> Service | None:
    """Return what one request takes; None if that was not measured."""
    done = answered([each for window in measurements.of(SERVICE) for each in window.results])
    if not done:
        return None
    fixed_s, per_character_s = _fit_line([each.request.characters for each in done], [each.service_s for each in done])
    # Averaged over the whole workload: the texts that happened to be drawn do not bias it.
    characters = np.average([each.characters for each in workload.texts], weights=[each.weight for each in workload.texts])
    idle_s = {each.name: percentile_s(done, each.measure, each.percentile) for each in objectives}
    return Service(fixed_s, per_character_s, float(fixed_s + per_character_s * characters), idle_s, len(done))


def _fit_line(characters: Sequence[int], times_s: Sequence[float]) -> tuple[float, float]:
    """Return offset and slope by least squares; neither is negative."""
    slope, fixed = np.polyfit(characters, times_s, 1) if len(set(characters)) > 1 else (0.0, 0.0)
    if slope <= 0:
        return float(np.mean(times_s)), 0.0
    if fixed < 0:
        return 0.0, float(np.dot(characters, times_s) / np.dot(characters, characters))
    return float(fixed), float(slope)


def throughput_hz(results: Sequence[Result], for_s: float, service: Service) -> float:
    """Return how many average requests a second a closed loop of `for_s` seconds got through.

    A request counts by the work it is, and one that was in flight at an end of the window by its share inside: neither
    the luck of the texts nor where the window ended matters much.
    """
    done_s = 0.0
    for each in answered(results):
        inside_s = max(0.0, min(each.ended_s, for_s) - each.sent_s)
        share = min(1.0, inside_s / each.service_s) if each.service_s > 0 else 1.0
        done_s += share * service.time_s(each.request.characters)
    return done_s / service.mean_s / for_s


def capacity_hz(measurements: Measurements, candidate: Candidate, service: Service) -> float | None:
    """Return how many average requests a second a candidate serves when it is never idle; None if that was not measured."""
    windows = measurements.of(CAPACITY, candidate)
    return max((throughput_hz(each.results, each.for_s, service) for each in windows), default=None)


@dataclass(frozen=True)
class Sustained:
    """What a candidate was seen to do under an open loop."""

    candidate: Candidate
    #: The highest rate at which it met all objectives; 0 if it met them at none.
    rate_hz: float
    #: The share of the objectives used up there; if they were met at no rate, at the lowest that was tried.
    score: float


def rate_bounds_hz(
    windows: Sequence[Window], objectives: Sequence[Objective], max_hz: float = math.inf
) -> tuple[float, float]:
    """Return the rates between which the highest sustained rate lies. A lucky window above one that failed does not count."""
    high_hz = min([max_hz, *(each.rate_hz or 0.0 for each in windows if not meets(each.results, objectives))])
    low_hz = max([0.0, *(each.rate_hz or 0.0 for each in windows if (each.rate_hz or 0.0) < high_hz)])
    return low_hz, high_hz


def sustained_of(measurements: Measurements, candidate: Candidate, objectives: Sequence[Objective]) -> Sustained | None:
    """Return what a candidate was seen to do; None if no rate was tried."""
    tried = sorted(measurements.of(RATE, candidate), key=lambda each: each.rate_hz or 0.0)
    if not tried:
        return None
    low_hz, _ = rate_bounds_hz(tried, objectives)
    decisive = next((each for each in tried if each.rate_hz == low_hz), tried[0])
    return Sustained(candidate, low_hz, score(decisive.results, objectives))


@dataclass(frozen=True)
class MemoryNeed:
    """What the memory of a server depends on."""

    #: Mapped and inherited pages: there once.
    shared_bytes: int
    #: A worker's own, at most: after the longest text, and under load.
    worker_bytes: int
    #: A worker's own before its first request.
    idle_worker_bytes: int

    def of(self, workers: int) -> int:
        """Return what that many workers need at most, with one more that there is during a rolling restart."""
        return self.shared_bytes + (workers + 1) * self.worker_bytes

    def max_workers(self, budget_bytes: int) -> int:
        """Return how many workers fit; 0 if not even one does."""
        left_bytes = budget_bytes * (1 - _RESERVE) - self.shared_bytes
        return max(0, math.floor(left_bytes / max(1, self.worker_bytes)) - 1)


def need_of(measurements: Measurements, max_characters: int) -> MemoryNeed | None:
    """Return what memory a server needs; None if that was not measured.

    If the longest allowed text would have taken too long, the growth of the worker with a shorter one is
    extrapolated in a straight line: a whole file's bytes grow like that.
    """
    readings = {each.moment: each for each in measurements.memory if each.moment != "load"}
    if "idle" not in readings:
        return None
    several = [each.memory for each in measurements.memory if len(each.memory.worker_uss_bytes) != 1]
    shared_bytes = max((each.shared_bytes for each in several), default=0)
    # The pages of a worker alone include the weights, which it shares with no other; further workers do not need them again.
    own = [
        max(0, each.pss_bytes - shared_bytes) if len(each.worker_uss_bytes) == 1 else _largest(each)
        for each in (reading.memory for reading in measurements.memory)
    ]
    if "workload" in readings and "longest" in readings:
        before, longest = _largest(readings["workload"].memory), _largest(readings["longest"].memory)
        spoken = readings["longest"].characters or max_characters
        own.append(round(longest + max(0, longest - before) * max(0.0, max_characters / spoken - 1)))
    return MemoryNeed(shared_bytes, max(own), _largest(readings["idle"].memory))


def _largest(memory: ServerMemory) -> int:
    return max(memory.worker_uss_bytes, default=0)
