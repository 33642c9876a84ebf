"""What makes an answer more or less sure: theory beside measurement, and windows beside each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.tuning.findings import Service
from app.tuning.journal import CONFIRM, SCREEN, SEARCH, Journal, Window
from app.tuning.objectives import Objective
from app.tuning.outcome import answered, percentile_s
from app.tuning.quantities import shown_duration
from app.tuning.queueing import mean_wait_s
from app.tuning.setting import Setting

#: Prediction and measurement further apart than this are said.
_APART = 0.25
#: Above this load the mean of a short window is luck, whatever theory says.
_COMPARABLE_LOAD = 0.85
#: The mean of fewer requests says nothing.
_FEWEST = 20
#: Windows at one rate that differ by less are steady.
_STEADY = 1.1


@dataclass(frozen=True)
class Check:
    """What queueing theory expects of one window, and what was measured."""

    rate_hz: float
    #: Share of the capacity that was asked for.
    load: float
    predicted_mean_s: float
    measured_mean_s: float

    @property
    def is_apart(self) -> bool:
        """Whether the two disagree where they should not."""
        ratio = self.predicted_mean_s / self.measured_mean_s if self.measured_mean_s else math.inf
        return self.load <= _COMPARABLE_LOAD and not 1 / (1 + _APART) <= ratio <= 1 + _APART


def checks_of(journal: Journal, setting: Setting, service: Service, capacity_hz: float, servers: int) -> tuple[Check, ...]:
    """Hold the mean of each window of an open loop against M/G/c with so many servers; the lowest rate first."""
    windows = [each for stage in (SCREEN, SEARCH, CONFIRM) for each in journal.of(stage, setting)]
    # Where somebody was left for being late, the mean of the others says nothing.
    whole = [each for each in windows if _FEWEST <= len(each.outcomes) == len(answered(each.outcomes))]
    checks = [_check(each, service, capacity_hz, servers) for each in whole if capacity_hz > 0]
    return tuple(sorted(checks, key=lambda each: each.rate_hz))


def _check(window: Window, service: Service, capacity_hz: float, servers: int) -> Check:
    rate_hz = len(window.outcomes) / window.for_s
    expected_s = mean_wait_s(servers, rate_hz, servers / capacity_hz, service.variation) + service.mean_s
    measured_s = float(np.mean([each.latency_s("total") for each in window.outcomes]))
    return Check(rate_hz, rate_hz / capacity_hz, expected_s, measured_s)


def doubts(checks: Sequence[Check]) -> list[str]:
    """Return what the comparison with theory says against the measurement."""
    apart = sum(each.is_apart for each in checks)
    if not apart:
        return []
    return [
        f"in {apart} of {len(checks)} windows the measured mean is more than 25 % from what queueing theory expects: "
        "a noisy machine, or requests that wait for each other somewhere"
    ]


def unsteadiness(journal: Journal, setting: Setting, rate_hz: float, objectives: Sequence[Objective]) -> list[str]:
    """Say of which objectives the confirming windows at a rate are more than a tenth apart."""
    windows = [each for each in journal.of(CONFIRM, setting) if each.rate_hz == rate_hz]
    said = []
    for objective in objectives:
        values_s = [percentile_s(each.outcomes, objective.measure, objective.percentile) for each in windows]
        if len(values_s) > 1 and max(values_s) > min(values_s) * _STEADY:
            low, high = shown_duration(min(values_s)), shown_duration(max(values_s))
            said.append(f"{objective.name} was between {low} and {high} in {len(values_s)} windows at the recommended rate")
    return said
