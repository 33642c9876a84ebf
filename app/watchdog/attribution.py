"""Who holds what grows: everything is traced and counted for some dozens of requests. Imported when it is needed."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

from app.watchdog.census import Census, take_census
from app.watchdog.sites import Site, Tracing

#: Requests in each part of the time; after a minute, fewer will do.
_PART_REQUESTS = 10
_FEWEST_REQUESTS = 4
_LONGEST_S = 60.0
#: The beginning, and the ends of five parts. What requests hold that are spoken just then grows by chance from one to
#: the next, and from each to the next once in 720 times.
_MARKS = 6


#: Lines that are kept; a worker that is judged must not grow by the judgement.
_KEPT = 10


@dataclass(frozen=True)
class Findings:
    """What was seen while allocations were traced."""

    requests: int
    #: The lines that left most behind.
    sites: tuple[Site, ...]
    #: What there is more of than before.
    grown: Census
    #: Bytes that the lines which kept growing have allocated and not freed, by the request. Without those that they
    #: freed for it, where that was allocated before: a full cache seems to grow, too.
    traced_per_request: float
    #: The part of it that lies in the C heap, as Python's large objects and numpy's arrays do.
    traced_large_per_request: float
    #: How large Python's small objects are, on average, that were not freed; 0 where there are none.
    bytes_per_block: float


class Attribution:
    """One such time. Begins when it is made."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began_s = now_s()
        self._before = take_census()
        self._tracing = Tracing()
        #: Requests served at each mark.
        self._marks: list[int] = []

    def add(self, requests: int) -> Findings | None:
        """So many requests were served until now; return what was found, once that is known."""
        # The first mark comes with the first call: what every request leaves to the next one is there by then.
        if self._marks and requests - self._marks[-1] < self._part():
            return None
        gc.collect()
        self._tracing.mark()
        self._marks.append(requests)
        if len(self._marks) < _MARKS:
            return None
        return _findings(requests - self._marks[0], self._tracing.end(), take_census() - self._before)

    def abandon(self) -> None:
        """Stop tracing; nobody wants to know any more."""
        self._tracing.end()

    def _part(self) -> int:
        return _PART_REQUESTS if self._now_s() - self._began_s < _LONGEST_S else _FEWEST_REQUESTS


def _findings(requests: int, sites: tuple[Site, ...], grown: Census) -> Findings:
    large = sum(site.grown_bytes for site in sites if site.is_large)
    small = [site for site in sites if not site.is_large]
    small_bytes, small_count = sum(site.grown_bytes for site in small), sum(site.grown_count for site in small)
    return Findings(
        requests, sites[:_KEPT], grown, (large + small_bytes) / requests, large / requests, small_bytes / max(1, small_count)
    )
