"""What the journal says: service times, capacity, memory, and which rate meets the objectives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.tuning.journal import SERVICE, SWEEP, Journal, Window
from app.tuning.mix import Mix
from app.tuning.objectives import Objective
from app.tuning.outcome import Outcome, answered, lost_share, percentile_s
from app.tuning.queueing import Scaling, ServiceLine, fit_scaling, fit_service, squared_variation
from app.tuning.setting import Setting

#: More unanswered requests than this meet no objective.
MOST_LOST = 0.001


@dataclass(frozen=True)
class Service:
    """What one request takes when nobody else asks."""

    line: ServiceLine
    mean_s: float
    #: Squared coefficient of variation.
    variation: float
    #: By an objective's name: the same percentile, of an idle server.
    idle_s: dict[str, float]
    requests: int


@dataclass(frozen=True)
class Capacity:
    """What a setting can do when it is never idle."""

    setting: Setting
    #: Requests of the mix's average length, a second.
    rate_hz: float
    scaling: Scaling | None


def service_of(journal: Journal, mix: Mix, objectives: Sequence[Objective]) -> Service | None:
    """Return what one request takes; None where it was not measured."""
    done = answered([each for window in journal.of(SERVICE) for each in window.outcomes])
    if not done:
        return None
    times_s = [each.service_s for each in done]
    line = fit_service([each.characters for each in done], times_s)
    idle_s = {each.name: percentile_s(done, each.measure, each.percentile) for each in objectives}
    # The line's average over the whole mix: the texts that happened to be drawn do not bias it.
    mean_s = float(np.average([line.of(each.characters) for each in mix.lines], weights=[each.weight for each in mix.lines]))
    return Service(line, mean_s, squared_variation(times_s), idle_s, len(done))


def capacity_of(journal: Journal, setting: Setting, service: Service) -> Capacity | None:
    """Return what a setting can do; None where it was not measured."""
    by_clients: dict[int, list[float]] = {}
    for window in journal.of(SWEEP, setting):
        by_clients.setdefault(window.clients or 1, []).append(throughput_hz(window, service))
    rates_hz = {clients: float(np.mean(each)) for clients, each in sorted(by_clients.items())}
    if not rates_hz:
        return None
    return Capacity(setting, max(rates_hz.values()), fit_scaling(list(rates_hz), list(rates_hz.values())))


def throughput_hz(window: Window, service: Service) -> float:
    """Return how many average requests a second a closed loop got through.

    A request counts by the work it is, and a request that was under way at an end of the
    window by the share of its time in it: so neither the luck of the texts nor where the
    window ended says much.
    """
    done = [_share_inside(each, window.for_s) * service.line.of(each.characters) for each in answered(window.outcomes)]
    return sum(done) / service.mean_s / window.for_s


def score(outcomes: Sequence[Outcome], objectives: Sequence[Objective]) -> float:
    """Return by what factor the objectives are used up: 1 just meets all; infinite where too many requests were lost."""
    if lost_share(outcomes) > MOST_LOST and not _late_only(outcomes):
        return math.inf
    return max(percentile_s(outcomes, each.measure, each.percentile) / each.bound_s for each in objectives)


def meets(outcomes: Sequence[Outcome], objectives: Sequence[Objective]) -> bool:
    """Whether all objectives are met and hardly a request was lost."""
    return bool(outcomes) and score(outcomes, objectives) <= 1


def _late_only(outcomes: Sequence[Outcome]) -> bool:
    """Whether whoever was not answered was left for being late: that is what percentiles judge already."""
    return all(each.fate in ("answered", "late") for each in outcomes)


def _share_inside(outcome: Outcome, for_s: float) -> float:
    took_s = outcome.service_s
    inside_s = min(outcome.sent_s + took_s, for_s) - outcome.sent_s
    return min(1.0, max(0.0, inside_s) / took_s) if took_s > 0 else 1.0
