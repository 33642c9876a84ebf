"""The highest rate that meets the objectives, by halving."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.findings import meets, score
from app.tuning.journal import CONFIRM, SCREEN, SEARCH, Journal, Window
from app.tuning.objectives import Objective
from app.tuning.setting import Setting

#: Windows of a search; most end earlier.
STEPS = 5
#: A range of rates so narrow is not halved any further: luck is wider.
_NARROW = 0.06
#: The step by which rates are lowered while they are confirmed. The highest of several that a search found was lucky too.
STEP_DOWN = 0.9


@dataclass(frozen=True)
class Sustained:
    """What a setting was seen to do under an open loop."""

    setting: Setting
    #: The highest rate at which it met all objectives; 0 where it met them at none.
    rate_hz: float
    #: How the objectives were used up there; where they were met at no rate, at the lowest that was tried.
    score: float


def next_rate_hz(tried: Sequence[Window], capacity_hz: float, objectives: Sequence[Objective]) -> float | None:
    """Return the rate to try next: between the highest that met the objectives and the lowest that did not.

    None where these are close, or there is none.
    """
    low_hz, high_hz = bounds_hz(tried, capacity_hz, objectives)
    return None if high_hz - low_hz <= high_hz * _NARROW else (low_hz + high_hz) / 2


def bounds_hz(tried: Sequence[Window], capacity_hz: float, objectives: Sequence[Objective]) -> tuple[float, float]:
    """Return between which rates the answer lies. A window that was lucky above one that failed counts for nothing."""
    high_hz = min([capacity_hz, *(_rate_hz(each) for each in tried if not meets(each.outcomes, objectives))])
    low_hz = max([0.0, *(_rate_hz(each) for each in tried if _rate_hz(each) < high_hz)])
    return low_hz, high_hz


def sustained(journal: Journal, setting: Setting, objectives: Sequence[Objective]) -> Sustained | None:
    """Return what a setting was seen to do while it was compared with others; None where it was not measured."""
    tried = [*journal.of(SCREEN, setting), *journal.of(SEARCH, setting)]
    if not tried:
        return None
    low_hz, _ = bounds_hz(tried, math.inf, objectives)
    decisive = next((each for each in tried if each.rate_hz == low_hz), min(tried, key=_rate_hz))
    return Sustained(setting, low_hz, score(decisive.outcomes, objectives))


def confirmed_hz(journal: Journal, setting: Setting, objectives: Sequence[Objective]) -> float | None:
    """Return the highest rate whose confirming windows, taken together, met the objectives; None where there is none."""
    windows = journal.of(CONFIRM, setting)
    for rate_hz in sorted(map(_rate_hz, windows), reverse=True):
        if meets([one for each in windows if each.rate_hz == rate_hz for one in each.outcomes], objectives):
            return rate_hz
    return None


def unconfirmed_hz(journal: Journal, seen: Sustained) -> float:
    """Return the rate to name where none was confirmed: no more than what did not hold a second time."""
    return min([seen.rate_hz, *(_rate_hz(each) * STEP_DOWN for each in journal.of(CONFIRM, seen.setting))])


def _rate_hz(window: Window) -> float:
    return window.rate_hz or 0.0
