"""Recommendation: the candidate of a run, what it sustains, and each key of the configuration with its reason."""

import math
from dataclasses import dataclass

from app.tuning.plan import Candidate, TuningPlan, format_duration, format_size
from app.tuning.results import (
    RATE,
    STEP_DOWN,
    Measurements,
    MemoryNeed,
    ServiceTime,
    capacity_hz,
    memory_need_of,
    rate_range_hz,
    score,
    service_time_of,
)
from loader.config.settings import bounds_of

#: What a stopping worker needs beside its longest request.
_MARGIN_S = 5.0


@dataclass(frozen=True)
class Key:
    """One key of the configuration; the schema accepts the value."""

    #: Such as `admission.queue`.
    name: str
    value: int | float
    reason: str


@dataclass(frozen=True)
class Recommendation:
    """The candidate to serve with, or the nearest to the objectives."""

    candidate: Candidate
    #: Whether it fits into the memory.
    fits: bool
    #: Whether it fits and meets the objectives at some rate.
    is_met: bool
    #: The rate that it sustains; 0 if it meets the objectives at none.
    rate_hz: float
    #: The largest ratio of a percentile to its bound, at the highest rate that met the objectives, else at the lowest tried.
    score: float
    #: Requests a second when it is never idle.
    capacity_hz: float
    #: How many requests it works on at a time without slowing one down.
    parallel: int
    service: ServiceTime
    need: MemoryNeed


def recommend(plan: TuningPlan, measurements: Measurements) -> Recommendation | None:
    """Return the recommendation of measurements that may have been interrupted; None before a rate was tried."""
    service = service_time_of(measurements, plan.workload, plan.objectives)
    need, candidate = memory_need_of(measurements, plan.max_characters), measurements.best
    tests = measurements.of(RATE, candidate)
    if service is None or need is None or candidate is None or not tests:
        return None
    rate_hz, _ = rate_range_hz(tests, plan.objectives)
    decisive = next((each for each in tests if each.rate_hz == rate_hz), min(tests, key=lambda each: each.rate_hz))
    capacity = capacity_hz(measurements, candidate, service) or 0.0
    fits = candidate.workers <= need.max_workers(plan.memory_bytes)
    return Recommendation(
        candidate=candidate,
        fits=fits,
        is_met=fits and rate_hz > 0,
        rate_hz=rate_hz * STEP_DOWN,
        score=score(decisive.results, plan.objectives),
        capacity_hz=capacity,
        parallel=max(1, round(capacity * service.mean_s)),
        service=service,
        need=need,
    )


def keys_of(plan: TuningPlan, found: Recommendation) -> tuple[Key, ...]:
    """Return the keys in the order of the YAML fragment."""
    workers, threads, concurrency = found.candidate.workers, found.candidate.threads, found.candidate.concurrency
    alone_s, slower = found.service.time_s(plan.max_characters), max(1.0, concurrency / found.parallel)
    queue, need = queue_of(plan, found), found.need
    sustains = f"sustains {found.rate_hz:.2f} requests a second" if found.is_met else "nearest to the objectives"
    retry_s = math.ceil((queue + concurrency) / found.capacity_hz) if found.capacity_hz else 0
    return (
        _key(
            "workers", workers,
            f"{sustains}; memory {format_size(need.of(workers))} at most of {format_size(plan.memory_bytes)}: "
            f"{format_size(need.shared_bytes)} shared and {format_size(need.worker_bytes)} for each, one more during a "
            "rolling restart",
        ),
        _key(
            "threads", threads,
            f"measured with these workers; {concurrency} requests are served at a time, and the capacity is "
            f"{found.capacity_hz:.2f} requests a second on {plan.cores} cores",
        ),
        # A stopping worker may be speaking the longest text while it serves as many others as it can.
        _key(
            "request_timeout_s", float(math.ceil(alone_s * slower + _MARGIN_S)),
            f"{plan.max_characters} characters, the longest that limits.text_characters allows, take "
            f"{format_duration(alone_s)} alone and {slower:.3g} times that beside others, and {_MARGIN_S:g} s more",
        ),
        _key(
            "admission.queue", queue,
            f"{concurrency} requests are served at a time, and as many wait as are still answered in time; Retry-After is "
            f"{retry_s} s when the queue is full; a proxy needs this many connections and {concurrency} more",
        ),
        _key("admission.wait_s", plan.timeout_s, "a request that waited longer has missed every objective, and is refused"),
    )  # fmt: skip


def queue_of(plan: TuningPlan, found: Recommendation) -> int:
    """Return how many requests may wait: capacity * (bound - idle latency) and those in parallel, less those being served.

    Requests that are served at a time share the cores: one beyond `parallel` waits too, without being in the queue.
    """
    slack_s = min(each.bound_s - found.service.idle_s[each.name] for each in plan.objectives)
    in_time = found.parallel + found.capacity_hz * slack_s if math.isfinite(slack_s) and slack_s > 0 else 0.0
    return max(0, math.floor(in_time) - found.candidate.concurrency)


def _key(name: str, wanted: int | float, reason: str) -> Key:
    """Keep a value within the bounds of the schema, and say so."""
    low, high = bounds_of(name)
    value = type(wanted)(min(high, max(low, wanted)))
    if value != wanted:
        reason += f"; calculated as {wanted:.12g}, and the configuration accepts {low:g} to {high:g}"
    return Key(name, value, reason)
