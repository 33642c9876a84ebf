"""Rates: what a server did per second, from the difference of two snapshots."""

from collections import deque
from dataclasses import dataclass

from app.scoreboard.snapshot import Histogram, Snapshot

#: Window of the recent histograms; rates are of the time between the last two snapshots.
RECENT_S = 60.0
_SPEAKING = ("speech", "captions", "coqui", "marytts")


@dataclass(frozen=True)
class Rates:
    """Work per second between two snapshots."""

    over_s: float
    #: Requests for speech that were answered, with any status.
    requests_per_s: float
    audio_s_per_s: float
    #: Seconds of audio per second, by slot.
    by_slot: dict[int, float]


class RecentSnapshots:
    """The snapshots of one server in the last minute."""

    def __init__(self) -> None:
        self._kept: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Add the newest one; those of another server at the same address are dropped."""
        if self._kept and (snapshot.master != self.now.master or snapshot.up_s < self.now.up_s):
            self._kept.clear()
        self._kept.append(snapshot)
        while self.now.up_s - self._kept[0].up_s > RECENT_S:
            self._kept.popleft()

    @property
    def now(self) -> Snapshot:
        """The newest snapshot."""
        return self._kept[-1]

    def rates(self) -> Rates | None:
        """Return the rates since the snapshot before; None if there is none."""
        return None if len(self._kept) < 2 else _rates(self._kept[-2], self.now)

    def recent(self, name: str) -> Histogram | None:
        """Return a histogram of what ended in the last minute; None if nothing did."""
        first, last = self._kept[0].totals.histograms[name], self.now.totals.histograms[name]
        counts = tuple(b - a for a, b in zip(first.counts, last.counts, strict=True))
        return Histogram(last.bounds, counts, last.sum - first.sum) if any(counts) else None


def _rates(before: Snapshot, now: Snapshot) -> Rates:
    over_s = max(now.up_s - before.up_s, 1e-6)
    audio_s = {worker.slot: worker.audio_s for worker in before.workers}
    return Rates(
        over_s=over_s,
        requests_per_s=(_requests(now) - _requests(before)) / over_s,
        audio_s_per_s=(now.totals.audio_s - before.totals.audio_s) / over_s,
        by_slot={each.slot: (each.audio_s - audio_s.get(each.slot, each.audio_s)) / over_s for each in now.workers},
    )


def _requests(snapshot: Snapshot) -> int:
    return sum(sum(snapshot.totals.answers[route].values()) for route in _SPEAKING)
