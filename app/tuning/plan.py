"""Tuning plan: objectives, candidates, limits and time of a run, and the parsers of their command-line options.

The parsers raise ValueError with a message that says what is accepted.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from app.tuning.workload import Workload
from loader.config.settings import bounds_of

MEASURES = ("first_audio", "total")
#: A process of two cores gains nothing from more than eight requests at a time.
THREADS = (2, 4, 8)
_BASELINE_THREADS = 4
#: Workers as shares of the cores: fewer, as one request may use several cores; and more, as a request also waits.
_WORKER_SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)
_DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_OBJECTIVE = re.compile(rf"({'|'.join(MEASURES)})_p([0-9]{{1,2}}(?:\.[0-9]{{1,2}})?) *=(.*)")
_MIN_BOUND_S, _MAX_BOUND_S = 0.001, 3600.0


@dataclass(frozen=True, order=True)
class Candidate:
    """A number of workers and of requests that each serves at a time. Ordered by cost: a worker costs more than a thread."""

    workers: int
    threads: int

    @property
    def concurrency(self) -> int:
        """Requests that are served at a time."""
        return self.workers * self.threads

    def __str__(self) -> str:
        return f"{self.workers} x {self.threads}"


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
        """Its name on the command line."""
        return f"{self.measure}_p{self.percentile:g}"

    def __str__(self) -> str:
        return f"{self.name}={format_duration(self.bound_s)}"


@dataclass(frozen=True)
class TuningPlan:
    """What to tune for, with which candidates and limits, and for how long."""

    objectives: tuple[Objective, ...]
    #: The baseline first, see `candidates_of`.
    candidates: tuple[Candidate, ...]
    memory_bytes: int
    cores: int
    workload: Workload
    #: The longest text that a request may have.
    max_characters: int
    budget_s: float
    seed: int

    @property
    def slo(self) -> str:
        """The objectives as on the command line."""
        return ",".join(map(str, self.objectives))

    @property
    def timeout_s(self) -> float:
        """After this long a request has missed every objective."""
        return max(each.bound_s for each in self.objectives)


def default_workers(cores: int) -> tuple[int, ...]:
    """Return the numbers of workers to measure on that many cores, within the bounds of the configuration."""
    low, high = map(int, bounds_of("workers"))
    return tuple(sorted({max(low, min(math.ceil(each), high)) for each in (1, *(cores * share for share in _WORKER_SHARES))}))


def candidates_of(workers: Iterable[int], threads: Iterable[int], cores: int) -> tuple[Candidate, ...]:
    """Return every combination by distance from the baseline: a worker a core, four threads each.

    Of candidates that cannot be told apart the first is recommended, so that the recommendation is the same each time.
    """

    def distance(each: Candidate) -> tuple[float, float, Candidate]:
        return abs(math.log(each.workers / cores)), abs(math.log(each.threads / _BASELINE_THREADS)), each

    threads = tuple(threads)
    return tuple(sorted((Candidate(each, served) for each in workers for served in threads), key=distance))


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """Parse a comma-separated list such as `first_audio_p95=300ms,total_p95=2s`."""
    return tuple(_parse_objective(part.strip()) for part in text.split(","))


def _parse_objective(text: str) -> Objective:
    found = _OBJECTIVE.fullmatch(text)
    if found is None or not float(found[2]):
        raise ValueError(
            f"{text[:60]!r} is no objective, expected {' or '.join(MEASURES)}, _p and a percentile above 0 and below 100, =, "
            "a duration: first_audio_p95=300ms,total_p95=2s"
        )
    return Objective(found[1], float(found[2]), parse_duration_s(found[3], _MIN_BOUND_S, _MAX_BOUND_S))


def parse_counts(text: str, key: str) -> tuple[int, ...]:
    """Parse numbers such as `1,2,4`, each within the bounds of a key of the configuration."""
    low, high = map(int, bounds_of(key))
    counts = set()
    for part in map(str.strip, text.split(",")):
        if not (part.isascii() and part.isdigit() and low <= int(part[:9]) <= high):
            raise ValueError(f"{part[:60]!r} is none of the numbers {low} to {high}; several by commas: 2,4")
        counts.add(int(part))
    return tuple(sorted(counts))


def parse_duration_s(text: str, min_s: float, max_s: float) -> float:
    """Parse a duration such as `300ms`, `1.5s` or `10m`."""
    return _parse_quantity(text, _DURATIONS, "a duration such as 300ms, 2s or 10m", min_s, max_s, format_duration)


def parse_size_bytes(text: str, min_bytes: int, max_bytes: int) -> int:
    """Parse a size such as `512MiB`, `8GiB` or `8GB`."""
    return int(_parse_quantity(text, _SIZES, "a size such as 512MiB or 8GiB", min_bytes, max_bytes, format_size))


def _parse_quantity(
    text: str, units: Mapping[str, float], example: str, low: float, high: float, format_: Callable[[float], str]
) -> float:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None or found[2] not in units:
        raise ValueError(f"{text[:60]!r} is not {example}; the units are {', '.join(units)}")
    value = float(found[1]) * units[found[2]]
    if not low <= value <= high:
        raise ValueError(f"{text[:60]!r} is out of bounds, expected {format_(low)} to {format_(high)}")
    return value


def format_duration(value_s: float) -> str:
    """Format a duration in three digits, as `parse_duration_s` accepts it; an infinite one is `never`."""
    if math.isinf(value_s):
        return "never"
    if value_s < 1:
        return f"{value_s * 1000:.3g}ms"
    if value_s < 120:
        return f"{value_s:.3g}s"
    return f"{value_s / 60:.3g}m" if value_s < 7200 else f"{value_s / 3600:.3g}h"


def format_size(size_bytes: float) -> str:
    """Format a size in four digits, as `parse_size_bytes` accepts it."""
    unit = next((each for each in ("TiB", "GiB", "MiB", "KiB") if size_bytes >= _SIZES[each]), "B")
    return f"{size_bytes / _SIZES[unit]:.4g}{unit}"
