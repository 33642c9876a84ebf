"""How fast a server works: the difference of two snapshots."""

from collections import deque
from dataclasses import dataclass

from app.scoreboard.snapshot import Histogram, Snapshot

#: Over which quantiles are told; rates are from one look to the next.
RECENT_S = 60.0
_SPEAKING = ("speech", "captions", "coqui", "marytts")


@dataclass(frozen=True)
class Pace:
    """What was done from one snapshot to a later one."""

    over_s: float
    #: Requests for speech that were answered, whatever the answer was.
    requests_per_s: float
    audio_s_per_s: float
    #: Seconds of audio per second, by slot.
    by_slot: dict[int, float]


class Looks:
    """The looks of the last minute at one server."""

    def __init__(self) -> None:
        self._kept: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Keep the newest; what was seen of another server at the same place is forgotten."""
        if self._kept and (snapshot.master != self.now.master or snapshot.up_s < self.now.up_s):
            self._kept.clear()
        self._kept.append(snapshot)
        while self.now.up_s - self._kept[0].up_s > RECENT_S:
            self._kept.popleft()

    @property
    def now(self) -> Snapshot:
        """The newest look."""
        return self._kept[-1]

    def pace(self) -> Pace | None:
        """Return how fast it went since the look before; None where there is none."""
        return None if len(self._kept) < 2 else _pace(self._kept[-2], self.now)

    def recent(self, name: str) -> Histogram | None:
        """Return a histogram of what ended in the last minute, or since the first look; None where nothing did."""
        first, last = self._kept[0].totals.histograms[name], self.now.totals.histograms[name]
        counts = tuple(b - a for a, b in zip(first.counts, last.counts, strict=True))
        return Histogram(last.bounds, counts, last.sum - first.sum) if any(counts) else None


def _pace(before: Snapshot, now: Snapshot) -> Pace:
    over_s = max(now.up_s - before.up_s, 1e-6)
    spoken = {worker.slot: worker.audio_s for worker in before.workers}
    return Pace(
        over_s=over_s,
        requests_per_s=(_requests(now) - _requests(before)) / over_s,
        audio_s_per_s=(now.totals.audio_s - before.totals.audio_s) / over_s,
        by_slot={each.slot: (each.audio_s - spoken.get(each.slot, each.audio_s)) / over_s for each in now.workers},
    )


def _requests(seen: Snapshot) -> int:
    return sum(sum(seen.totals.answers[route].values()) for route in _SPEAKING)
