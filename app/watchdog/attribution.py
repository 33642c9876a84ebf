"""Who holds what grows: everything is traced and counted for some dozens of requests. Imported when it is needed."""

import gc
from collections.abc import Callable
from dataclasses import dataclass

from app.watchdog.census import Census, take_census
from app.watchdog.sites import Site, Tracing

#: Requests in each half of the time; after a minute, fewer will do.
_HALF_REQUESTS = 30
_FEWEST_REQUESTS = 10
_LONGEST_S = 60.0
#: Halves, and the beginning.
_MARKS = 3


@dataclass(frozen=True)
class Findings:
    """What was seen while allocations were traced."""

    requests: int
    sites: tuple[Site, ...]
    before: Census
    after: Census

    @property
    def traced_per_request(self) -> float:
        """Bytes that the lines which kept growing have allocated and not freed, by the request."""
        return sum(site.grown_bytes for site in self.sites) / self.requests


class Attribution:
    """One such time. Begins to trace when it is made."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began_s = now_s()
        self._tracing = Tracing()
        self._before: Census | None = None
        #: Requests served at each mark.
        self._marks: list[int] = []

    def add(self, requests: int) -> Findings | None:
        """So many requests were served until now; return what was found, once that is known."""
        # The first mark comes with the first call: what every request leaves to the next one is there by then.
        if self._before is not None and requests - self._marks[-1] < self._half():
            return None
        gc.collect()
        self._tracing.mark()
        self._marks.append(requests)
        if self._before is None:
            self._before = take_census()
        if len(self._marks) < _MARKS:
            return None
        return Findings(requests - self._marks[0], self._tracing.end(), self._before, take_census())

    def abandon(self) -> None:
        """Stop tracing; nobody wants to know any more."""
        self._tracing.end()

    def _half(self) -> int:
        return _HALF_REQUESTS if self._now_s() - self._began_s < _LONGEST_S else _FEWEST_REQUESTS
