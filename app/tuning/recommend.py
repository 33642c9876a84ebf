"""Which candidate is recommended, and what the configuration should say, each key with its reason.

The baseline, unless another candidate does clearly more beside it: most candidates of a machine do the same
within the luck of a percentile (of nine on two cores the capacities were 10 % around their mean, 2026-11-29), and
the best of them is another one every time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.tuning.candidate import Candidate, baseline_first
from app.tuning.question import Objective, Question
from app.tuning.results import (
    COMPARISON,
    RATE,
    Measurements,
    MemoryNeed,
    Service,
    Sustained,
    capacity_hz,
    meets,
    need_of,
    score,
    service_of,
    sustained_of,
)
from app.tuning.units import format_duration, format_size
from loader.config.settings import bounds_of

#: Candidates that do the same differ by luck: only one that sustains a third more, and uses up a quarter less of the objectives
#: at that than the baseline beside it, displaces the baseline. Of 100 simulated runs in which all do the same, one displaced it
#: with a fifth less (2026-11-30).
CLOSE = 0.75
#: A search keeps the highest of several lucky windows; a tenth less is what may hold.
STEP_DOWN = 0.9
#: What a stopping worker needs beside its longest request.
_MARGIN_S = 5.0


@dataclass(frozen=True)
class Key:
    """One key of the configuration."""

    #: Such as `admission.queue`.
    name: str
    value: int | float
    reason: str
    #: That another value was calculated, which the configuration does not accept; empty if it does.
    clamped: str = ""


@dataclass(frozen=True)
class Recommendation:
    """The answer: what is recommended, or what came nearest."""

    candidate: Candidate
    #: Whether this candidate meets the objectives at some rate, and fits into the memory.
    is_met: bool
    fits: bool
    #: The highest rate that met them; 0 if none did.
    rate_hz: float
    #: The share of the objectives used up at that rate, or at the lowest that was tried.
    score: float
    #: Requests a second when it is never idle.
    capacity_hz: float
    #: How many requests it works on at a time without slowing one down.
    parallel: int
    #: How many others a request may find there and still be in time, more often than not.
    tolerable_backlog: int
    service: Service
    need: MemoryNeed
    #: What makes it less sure, in sentences.
    doubts: tuple[str, ...]


def recommend(question: Question, measurements: Measurements) -> Recommendation | None:
    """Return the answer of measurements that may end anywhere; None if no candidate was under an open load yet."""
    service = service_of(measurements, question.workload, question.objectives)
    need = need_of(measurements, question.max_characters)
    seen = _seen(question, measurements)
    if service is None or need is None or not seen:
        return None
    chosen = _choose(question, measurements)
    best = chosen or _nearest_miss(question, need, seen)
    capacity = capacity_hz(measurements, best.candidate, service) or 0.0
    return Recommendation(
        candidate=best.candidate,
        is_met=chosen is not None,
        fits=best.candidate.workers <= need.max_workers(question.memory_bytes),
        rate_hz=_rate_hz(question, measurements, best),
        score=best.score,
        capacity_hz=capacity,
        parallel=max(1, round(capacity * service.mean_s)),
        tolerable_backlog=tolerable_backlog(measurements, best.candidate, question.objectives),
        service=service,
        need=need,
        doubts=tuple(measurements.remarks),
    )


def contenders(question: Question, measurements: Measurements) -> tuple[Sustained, list[Sustained]] | None:
    """Return the baseline, and by distance from it those that did a third more and are close to the best of these.

    None if no candidate fits into the memory.
    """
    need = need_of(measurements, question.max_characters)
    most = need.max_workers(question.memory_bytes) if need else 0
    fit = [each for each in _seen(question, measurements) if each.candidate.workers <= most]
    if not fit:
        return None
    more = [each for each in fit[1:] if each.rate_hz > 0 and each.rate_hz * CLOSE >= fit[0].rate_hz]
    best_hz = max((each.rate_hz for each in more), default=0.0)
    return fit[0], [each for each in more if each.rate_hz >= CLOSE * best_hz]


def comparison_hz(baseline: Sustained, challengers: Sequence[Sustained]) -> tuple[float, float]:
    """Return the rates at which the baseline and a challenger are compared: what the baseline may hold, and a third more."""
    rate_hz = max([baseline.rate_hz, *(each.rate_hz * CLOSE for each in challengers)]) * STEP_DOWN
    return rate_hz, rate_hz / CLOSE


def displaces(
    question: Question, measurements: Measurements, one: Sustained, baseline: Sustained, hz: tuple[float, float]
) -> bool:
    """Return whether a challenger used up a quarter less of the objectives at a third more requests, beside the baseline."""
    its = measurements.at(COMPARISON, one.candidate, hz[1])
    other = measurements.at(COMPARISON, baseline.candidate, hz[0])
    return bool(its and other) and score(its, question.objectives) < CLOSE * score(other, question.objectives)


def _seen(question: Question, measurements: Measurements) -> list[Sustained]:
    ordered = baseline_first(question.candidates, question.cores)
    return [seen for each in ordered if (seen := sustained_of(measurements, each, question.objectives))]


def _choose(question: Question, measurements: Measurements) -> Sustained | None:
    """Return the baseline, unless it met the objectives at no rate or was displaced; None if no candidate met them."""
    found = contenders(question, measurements)
    if found is None:
        return None
    baseline, challengers = found
    if not baseline.rate_hz:
        return challengers[0] if challengers else None
    hz = comparison_hz(baseline, challengers)
    return next((each for each in challengers if displaces(question, measurements, each, baseline, hz)), baseline)


def _nearest_miss(question: Question, need: MemoryNeed, seen: Sequence[Sustained]) -> Sustained:
    """Return the candidate that comes closest to the objectives: the first of those too close to tell apart."""
    most = need.max_workers(question.memory_bytes)
    fit = [each for each in seen if each.candidate.workers <= most] or seen
    least = min(each.score for each in fit)
    return next(each for each in fit if each.score * CLOSE <= least)


def _rate_hz(question: Question, measurements: Measurements, best: Sustained) -> float:
    """Return the highest rate that held a second time with other arrivals; less than any that did not."""
    again_hz = {each.rate_hz or 0.0 for each in measurements.of(COMPARISON, best.candidate)}
    held_hz = [hz for hz in again_hz if meets(measurements.at(COMPARISON, best.candidate, hz), question.objectives)]
    return max(held_hz) if held_hz else min([best.rate_hz, *(hz * STEP_DOWN for hz in again_hz)])


def tolerable_backlog(measurements: Measurements, candidate: Candidate, objectives: Sequence[Objective]) -> int:
    """Return the largest n such that of the requests that found n others or more in the server, half were in time.

    Observed, not derived: a formula would have to know how the server shares itself between requests.
    """
    found = []
    for window in [*measurements.of(RATE, candidate), *measurements.of(COMPARISON, candidate)]:
        ended_s = np.sort([each.ended_s for each in window.results])
        for position, each in enumerate(window.results):
            others = position - int(np.searchsorted(ended_s, each.due_s, side="right"))
            found.append((others, all(each.latency_s(one.measure) <= one.bound_s for one in objectives)))
    backlog = in_time = 0
    for count, (others, met) in enumerate(sorted(found, reverse=True), 1):
        in_time += met
        if 2 * in_time >= count:
            backlog = max(backlog, others)
    return backlog


def keys_of(question: Question, found: Recommendation) -> tuple[Key, ...]:
    """Return what the configuration should say, in the order in which it is written; its schema accepts every value."""
    return (
        _workers(question, found),
        _threads(question, found),
        _timeout(question, found),
        _queue(question, found),
        _key("admission.wait_s", question.timeout_s, "a request that waited longer has missed every objective, and is refused"),
    )


def _key(name: str, wanted: float, reason: str) -> Key:
    """Keep a value within the bounds of the schema, and say so."""
    low, high = bounds_of(name)
    value = type(wanted)(min(high, max(low, wanted)))
    clamped = f"{name} was calculated as {wanted:.12g}, and the configuration accepts {low:g} to {high:g}"
    return Key(name, value, reason, clamped if value != wanted else "")


def _workers(question: Question, found: Recommendation) -> Key:
    workers, need = found.candidate.workers, found.need
    sustains = "the nearest of those measured, which does not meet the objectives"
    if found.is_met:
        sustains = f"sustains {found.rate_hz:.2f} requests a second within the objectives"
        if workers == max(1, math.ceil(question.cores)):
            sustains += "; a worker a core, the baseline: no other candidate did a third more"
    return _key(
        "workers", workers,
        f"{sustains}; memory {format_size(need.of(workers))} at most of {format_size(question.memory_bytes)}: "
        f"{format_size(need.shared_bytes)} shared and {format_size(need.worker_bytes)} for each, one more during a "
        "rolling restart",
    )  # fmt: skip


def _threads(question: Question, found: Recommendation) -> Key:
    return _key(
        "threads", found.candidate.threads,
        f"measured with these workers; {found.candidate.places} requests are served at a time, and the capacity is "
        f"{found.capacity_hz:.2f} requests a second on {question.cores:g} cores",
    )  # fmt: skip


def _timeout(question: Question, found: Recommendation) -> Key:
    """A stopping worker may be speaking the longest text while all other places are taken."""
    alone_s = found.service.time_s(question.max_characters)
    slower = max(1.0, found.candidate.places / found.parallel)
    return _key(
        "request_timeout_s", float(math.ceil(alone_s * slower + _MARGIN_S)),
        f"{question.max_characters} characters, the longest that limits.text_characters allows, take {format_duration(alone_s)} "
        f"alone and {slower:.3g} times that when all places are taken, and 5 s more",
    )  # fmt: skip


def _queue(question: Question, found: Recommendation) -> Key:
    places = found.candidate.places
    key = _key("admission.queue", queue_of(question.objectives, found), "")
    full = ""
    if found.capacity_hz:
        full = f"; Retry-After is {math.ceil((key.value + places) / found.capacity_hz)} s when it is full"
    reason = (
        f"{places} requests are served at a time, and of those that found {found.tolerable_backlog} others there or more "
        f"half were still in time{full}; a proxy needs room for {key.value + places} connections"
    )
    return Key(key.name, key.value, reason, key.clamped)


def queue_of(objectives: Sequence[Objective], found: Recommendation) -> int:
    """Return how many may wait: as many as were seen to be in time, and at least capacity * (bound - idle latency).

    Less the places beyond the requests it works on in parallel: all places are served at once and share these, so
    a request in one of the others waits too, without being in the queue.
    """
    slack_s = min(each.bound_s - found.service.idle_s.get(each.name, math.inf) for each in objectives)
    expected = found.parallel + found.capacity_hz * slack_s if math.isfinite(slack_s) and slack_s > 0 else 0
    return max(0, max(math.floor(expected), found.tolerable_backlog + 1) - found.candidate.places)
