"""Rates and recent histograms: differences between snapshots of one server."""

from collections import deque
from dataclasses import dataclass

from app.scoreboard.snapshot import Histogram, Snapshot

#: Window of recent histograms; rates are between the last two snapshots.
RECENT_S = 60.0
_SPEECH_ROUTES = ("speech", "captions", "explain", "coqui", "marytts")


@dataclass(frozen=True)
class Rates:
    """Work per second between two snapshots."""

    #: Answered requests for speech, with any status.
    requests_per_s: float
    audio_s_per_s: float
    #: Slot to seconds of audio per second.
    audio_by_slot: dict[int, float]


class History:
    """The snapshots of the last minute; `now` and `recent` need at least one."""

    def __init__(self) -> None:
        self._snapshots: deque[Snapshot] = deque()

    def add(self, snapshot: Snapshot) -> None:
        """Append a snapshot; snapshots of another server are dropped."""
        if self._snapshots and (snapshot.master != self.now.master or snapshot.up_s < self.now.up_s):
            self._snapshots.clear()
        self._snapshots.append(snapshot)
        while self.now.up_s - self._snapshots[0].up_s > RECENT_S:
            self._snapshots.popleft()

    @property
    def now(self) -> Snapshot:
        """The newest snapshot."""
        return self._snapshots[-1]

    def rates(self) -> Rates | None:
        """Return the rates between the last two snapshots; None if there is only one."""
        if len(self._snapshots) < 2:
            return None
        before, now = self._snapshots[-2], self.now
        elapsed_s = max(now.up_s - before.up_s, 1e-6)
        earlier = {worker.slot: worker.audio_s for worker in before.workers}
        return Rates(
            requests_per_s=(_answered(now) - _answered(before)) / elapsed_s,
            audio_s_per_s=(now.totals.audio_s - before.totals.audio_s) / elapsed_s,
            audio_by_slot={each.slot: (each.audio_s - earlier.get(each.slot, each.audio_s)) / elapsed_s for each in now.workers},
        )

    def recent(self, name: str) -> Histogram | None:
        """Return a histogram of the last minute; None if it has no values."""
        first, last = self._snapshots[0].totals.histograms[name], self.now.totals.histograms[name]
        counts = tuple(b - a for a, b in zip(first.counts, last.counts, strict=True))
        return Histogram(last.bounds, counts, last.sum - first.sum) if any(counts) else None


def _answered(snapshot: Snapshot) -> int:
    return sum(sum(snapshot.totals.answers[route].values()) for route in _SPEECH_ROUTES)
