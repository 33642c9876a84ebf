"""From what was measured to what a configuration should say, each with its reason."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.objectives import Objective, patience_s
from app.tuning.plan import Question
from app.tuning.quantities import shown_duration, shown_size
from app.tuning.verdict import Verdict

#: What a stopping worker needs beside its longest request.
_MARGIN_S = 5.0
#: The configuration's own bounds.
_MOST_QUEUE = 100_000
_LEAST_TIMEOUT_S, _MOST_TIMEOUT_S = 1.0, 3600.0


@dataclass(frozen=True)
class Advice:
    """One key of the configuration."""

    #: Such as `admission.queue`.
    key: str
    value: int | float
    reason: str


def advice_of(question: Question, verdict: Verdict) -> tuple[Advice, ...]:
    """Return what the configuration should say, in the order in which it is written."""
    return (
        _workers(question, verdict),
        _threads(question, verdict),
        _timeout(question, verdict),
        _queue(question, verdict),
        _wait(question),
    )


def _workers(question: Question, verdict: Verdict) -> Advice:
    need = verdict.need
    room = f"{shown_size(need.of(verdict.setting.workers))} at the most of {shown_size(question.memory_bytes)}"
    workers = verdict.setting.workers
    return Advice(
        "workers", workers,
        f"{_sustains(verdict)}{_usually(question, verdict)}; memory {room}: {shown_size(need.shared_bytes)} shared and "
        f"{shown_size(need.worker_bytes)} for each, one more while workers are replaced",
    )  # fmt: skip


def _usually(question: Question, verdict: Verdict) -> str:
    is_usual = verdict.setting.workers == max(1, math.ceil(question.cores))
    return "; a worker a core, as is usual: no other setting did a third more" if is_usual and verdict.is_met else ""


def _sustains(verdict: Verdict) -> str:
    if not verdict.is_met:
        return "the nearest of those measured, which does not do what was asked for"
    how = "confirmed with other arrivals" if verdict.is_confirmed else "measured once"
    return f"sustains {verdict.rate_hz:.2f} requests a second within the objectives ({how})"


def _threads(question: Question, verdict: Verdict) -> Advice:
    return Advice(
        "threads", verdict.setting.threads,
        f"measured with these workers; {verdict.setting.places} requests are served at a time, and capacity is "
        f"{verdict.capacity_hz:.2f} requests a second on {question.cores:g} cores",
    )  # fmt: skip


def _timeout(question: Question, verdict: Verdict) -> Advice:
    """A stopping worker may be speaking the longest text while all other places are taken."""
    alone_s = verdict.service.line.of(question.longest_characters)
    crowd = max(1.0, verdict.setting.places / verdict.servers)
    needed_s = alone_s * crowd + _MARGIN_S
    value_s = float(min(_MOST_TIMEOUT_S, max(_LEAST_TIMEOUT_S, math.ceil(needed_s))))
    return Advice(
        "request_timeout_s", value_s,
        f"{question.longest_characters} characters, the most that limits.text_characters allows, take {shown_duration(alone_s)} "
        f"alone and {crowd:.3g} times that when all places are taken, and 5 s more"
        + ("; the configuration allows no more: lower limits.text_characters" if needed_s > _MOST_TIMEOUT_S else ""),
    )  # fmt: skip


def _queue(question: Question, verdict: Verdict) -> Advice:
    value = queue_of(question.objectives, verdict)
    full_s = (value + verdict.setting.places) / verdict.capacity_hz if verdict.capacity_hz else math.inf
    soon = f"; Retry-After is {math.ceil(full_s)} s when it is full" if math.isfinite(full_s) else ""
    return Advice(
        "admission.queue", value,
        f"{verdict.setting.places} requests are served at a time, and of those that found {verdict.crowd} others there or more "
        f"half were still in time{soon}; a proxy needs room for {value + verdict.setting.places} connections",
    )  # fmt: skip


def queue_of(objectives: Sequence[Objective], verdict: Verdict) -> int:
    """Return how many may wait: as many as were seen to be in time, and at least what theory has room for.

    Theory is c * (bound - S) / S for the tightest objective, less the places beyond the c servers: all places are
    served at once and share the c servers, so whoever has one of the others waits too, without being in the queue.
    """
    slack_s = min(each.bound_s - verdict.service.idle_s.get(each.name, math.inf) for each in objectives)
    expected = verdict.servers + verdict.capacity_hz * slack_s if math.isfinite(slack_s) and slack_s > 0 else 0
    return max(0, min(_MOST_QUEUE, max(math.floor(expected), verdict.crowd + 1) - verdict.setting.places))


def _wait(question: Question) -> Advice:
    longest_s = patience_s(question.objectives)
    return Advice("admission.wait_s", longest_s, "whoever waited longer has missed every objective, and is told so instead")
