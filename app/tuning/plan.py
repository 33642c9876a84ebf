"""What is to be found out, and how the time for it is shared."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.journal import CONFIRM, SCREEN, SEARCH, SERVICE, SWEEP
from app.tuning.mix import Mix
from app.tuning.objectives import Objective
from app.tuning.quantities import BadQuantityError, shown_duration
from app.tuning.setting import Setting

MEMORY = "memory"
#: Of the budget. The search is where the answer is decided, so it gets most.
_SHARES = {SERVICE: 0.08, MEMORY: 0.12, SWEEP: 0.20, SCREEN: 0.12, SEARCH: 0.28, CONFIRM: 0.20}
#: Starting a server, warming it and a window that says anything.
_LEAST_A_SETTING_S = 6.0
_LEAST_S = 20.0


@dataclass(frozen=True)
class Question:
    """What is to be found out."""

    objectives: tuple[Objective, ...]
    memory_bytes: int
    #: May be a fraction.
    cores: float
    mix: Mix
    settings: tuple[Setting, ...]
    budget_s: float
    seed: int
    #: The longest text that a request may have.
    longest_characters: int


def check_budget(budget_s: float, settings: Sequence[Setting]) -> None:
    """Refuse a budget that leaves no time to measure anything.

    Raises:
        BadQuantityError: with the least there has to be.
    """
    least_s = _LEAST_S + _LEAST_A_SETTING_S * len(settings)
    if budget_s < least_s:
        raise BadQuantityError(
            f"the budget is {shown_duration(budget_s)}, expected at least {shown_duration(least_s)} for {len(settings)} "
            "settings; give more, or fewer --workers and --threads"
        )


def stage_s(stage: str, left_s: float) -> float:
    """Return how much of the time that is left a stage may take: its share of what is still to be done."""
    stages = list(_SHARES)
    to_do = sum(_SHARES[each] for each in stages[stages.index(stage) :])
    return max(0.0, left_s) * _SHARES[stage] / to_do
