"""What is asked of the server: `first_audio_p95=300ms,total_p95=2s`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.quantities import BadQuantityError, duration_s, shown_duration

#: What is measured of a request, both from the time at which it was meant to be sent.
MEASURES = ("first_audio", "total")
_NAME = re.compile(rf"({'|'.join(MEASURES)})_p([0-9]{{1,2}}(?:\.[0-9]{{1,2}})?)")
_LEAST_S, _MOST_S = 0.001, 3600.0
_EXAMPLE = "first_audio_p95=300ms,total_p95=2s"


@dataclass(frozen=True)
class Objective:
    """So many percent of the requests take no longer than the bound."""

    #: Of `MEASURES`.
    measure: str
    #: Above 0, below 100.
    percentile: float
    bound_s: float

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return f"{self.measure}_p{self.percentile:g}"

    def __str__(self) -> str:
        return f"{self.name}={shown_duration(self.bound_s)}"


def read_objectives(written: str) -> tuple[Objective, ...]:
    """Read a comma-separated list of objectives, each named once.

    Raises:
        BadQuantityError: it is none; the message says which part and what would do.
    """
    objectives = tuple(_read_one(part.strip()) for part in written.split(","))
    names = [each.name for each in objectives]
    for name in names:
        if names.count(name) > 1:
            raise BadQuantityError(f"{name} stands in the SLO {names.count(name)} times; keep one")
    return objectives


def shown_objectives(objectives: Sequence[Objective]) -> str:
    """Return them as they are written on the command line."""
    return ",".join(map(str, objectives))


def patience_s(objectives: Sequence[Objective]) -> float:
    """Return after how long a request has missed whatever was asked of it."""
    return max(each.bound_s for each in objectives)


def _read_one(written: str) -> Objective:
    name, equals, bound = written.partition("=")
    found = _NAME.fullmatch(name.strip())
    if not equals or found is None:
        raise BadQuantityError(
            f"{written[:60]!r} is no objective, expected {' or '.join(MEASURES)}, _p and a percentile, =, a duration: {_EXAMPLE}"
        )
    percentile = float(found[2])
    if not 0 < percentile < 100:
        raise BadQuantityError(f"{name.strip()!r} has the percentile {found[2]}, expected one above 0 and below 100")
    try:
        return Objective(found[1], percentile, duration_s(bound, _LEAST_S, _MOST_S))
    except BadQuantityError as error:
        raise BadQuantityError(f"{name.strip()}: {error}") from error
