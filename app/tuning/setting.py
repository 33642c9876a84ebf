"""What is varied."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.tuning.quantities import BadQuantityError

#: What `threads` may be, from the least that a configuration takes; more than eight requests in one process gain nothing on
#: a processor that two of them fill.
THREADS = (2, 4, 8)
#: Workers as shares of the cores: fewer than cores, as one request may use several; and more, as a request also waits.
_SHARES = (0.25, 0.5, 0.75, 1.0, 1.5)
#: What a configuration has that does not say.
_USUAL_THREADS = 4


@dataclass(frozen=True, order=True)
class Setting:
    """A number of workers and of requests each serves at a time. Ordered by what it costs: a worker more than a thread."""

    workers: int
    threads: int

    @property
    def places(self) -> int:
        """Requests that are served at a time."""
        return self.workers * self.threads

    def __str__(self) -> str:
        return f"{self.workers} x {self.threads}"


def worker_counts(cores: float, most: int) -> tuple[int, ...]:
    """Return which numbers of workers are worth measuring on so many cores, none above `most`."""
    counts = {1, *(math.ceil(cores * share) for share in _SHARES)}
    return tuple(sorted({max(1, min(count, most)) for count in counts}))


def settings_of(workers: Sequence[int], threads: Sequence[int]) -> tuple[Setting, ...]:
    """Return every combination, the cheapest first."""
    return tuple(sorted(Setting(each, served) for each in workers for served in threads))


def nearest_first(settings: Iterable[Setting], cores: float) -> list[Setting]:
    """Return settings in the order of their distance from the usual one: a worker a core, and four threads each.

    Which of several that cannot be told apart is named has to be the same the next time, and what a machine without a
    tuned configuration has is the least surprise.
    """
    workers = max(1, math.ceil(cores))

    def distance(setting: Setting) -> tuple[float, float, Setting]:
        return abs(math.log(setting.workers / workers)), abs(math.log(setting.threads / _USUAL_THREADS)), setting

    return sorted(settings, key=distance)


def read_counts(written: str, least: int, most: int) -> tuple[int, ...]:
    """Read numbers such as `1,2,4`, each from `least` to `most`.

    Raises:
        BadQuantityError: something in it is no such number; the message says which and what would do.
    """
    counts = []
    for part in map(str.strip, written.split(",")):
        if not (part.isascii() and part.isdigit() and least <= int(part[:9]) <= most):
            raise BadQuantityError(f"{part[:60]!r} is none of the numbers {least} to {most}; several by commas: 2,4")
        counts.append(int(part))
    return tuple(sorted(set(counts)))
