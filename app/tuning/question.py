"""What is to be found out: objectives, memory, cores, candidates, and how long that may take."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.candidate import Candidate
from app.tuning.units import BadQuantityError, format_duration, parse_duration_s
from app.tuning.workload import Workload

MEASURES = ("first_audio", "total")
_NAME = re.compile(rf"({'|'.join(MEASURES)})_p([0-9]{{1,2}}(?:\.[0-9]{{1,2}})?)")
_MIN_BOUND_S, _MAX_BOUND_S = 0.001, 3600.0
_MIN_BUDGET_S = 20.0
#: Starting a server, warming it up and a window that says anything.
_MIN_CANDIDATE_S = 6.0


@dataclass(frozen=True)
class Objective:
    """A service-level objective: this percentile of a latency is at most `bound_s`."""

    #: Of `MEASURES`, both from when a request was due.
    measure: str
    #: Above 0, below 100.
    percentile: float
    bound_s: float

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return f"{self.measure}_p{self.percentile:g}"

    def __str__(self) -> str:
        return f"{self.name}={format_duration(self.bound_s)}"


def parse_objectives(written: str) -> tuple[Objective, ...]:
    """Parse a comma-separated list such as `first_audio_p95=300ms,total_p95=2s`, each named once.

    Raises:
        BadQuantityError: it is none; the message says which part and what is accepted.
    """
    objectives = tuple(_parse_objective(part.strip()) for part in written.split(","))
    names = [each.name for each in objectives]
    for name in names:
        if names.count(name) > 1:
            raise BadQuantityError(f"{name} stands in the SLO {names.count(name)} times; keep one")
    return objectives


def _parse_objective(written: str) -> Objective:
    name, equals, bound = written.partition("=")
    found = _NAME.fullmatch(name.strip())
    if not equals or found is None:
        raise BadQuantityError(
            f"{written[:60]!r} is no objective, expected {' or '.join(MEASURES)}, _p and a percentile, =, a duration: "
            "first_audio_p95=300ms,total_p95=2s"
        )
    percentile = float(found[2])
    if not 0 < percentile < 100:
        raise BadQuantityError(f"{name.strip()!r} has the percentile {found[2]}, expected one above 0 and below 100")
    try:
        return Objective(found[1], percentile, parse_duration_s(bound, _MIN_BOUND_S, _MAX_BOUND_S))
    except BadQuantityError as error:
        raise BadQuantityError(f"{name.strip()}: {error}") from error


@dataclass(frozen=True)
class Question:
    """What is to be found out."""

    objectives: tuple[Objective, ...]
    memory_bytes: int
    #: May be a fraction.
    cores: float
    workload: Workload
    candidates: tuple[Candidate, ...]
    budget_s: float
    seed: int
    #: The longest text that a request may have.
    max_characters: int

    @property
    def slo(self) -> str:
        """The objectives as they are written on the command line."""
        return ",".join(map(str, self.objectives))

    @property
    def timeout_s(self) -> float:
        """After this long a request has missed every objective."""
        return max(each.bound_s for each in self.objectives)


def check_budget(budget_s: float, candidates: Sequence[Candidate]) -> None:
    """Raise BadQuantityError, with the least accepted, if a budget leaves no time to measure anything."""
    min_s = _MIN_BUDGET_S + _MIN_CANDIDATE_S * len(candidates)
    if budget_s < min_s:
        raise BadQuantityError(
            f"the budget is {format_duration(budget_s)}, expected at least {format_duration(min_s)} for {len(candidates)} "
            "candidates; give more, or fewer --workers and --threads"
        )
