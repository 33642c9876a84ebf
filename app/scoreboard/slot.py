"""One worker's slot."""

import bisect
import threading
import time
from collections.abc import Mapping
from typing import Any

from app.scoreboard.layout import CUTS, HISTOGRAMS, LEAKS, OUTCOMES, REFUSALS, ROUTES, STATUSES, State

#: What a new service time counts against those before it.
_WEIGHT = 0.1


class Seat:
    """The slot of one worker, written by this worker alone, from any of its threads."""

    def __init__(self, row: Any, slot: int) -> None:
        #: A view of the shared memory.
        self.row = row
        #: Its number, which is the next worker's too.
        self.slot = slot
        self._lock = threading.Lock()

    def sit(self, pid: int) -> None:
        """Say whose it is. Runs in the worker, first of all."""
        self.row["pid"] = pid

    def become(self, state: State) -> None:
        """Say what the worker is doing."""
        self.row["state"] = state

    def show(self, **gauges: float) -> None:
        """Show new values of `layout.GAUGES`."""
        for name, value in gauges.items():
            self.row[name] = value

    def answered(self, route: str, status: int) -> None:
        """Count an answer."""
        place = max(0, bisect.bisect_right(STATUSES, status) - 1)
        with self._lock:
            self.row["answers"][ROUTES.index(route), place] += 1

    def refused(self, why: str) -> None:
        """Count a request that was not let in."""
        with self._lock:
            self.row["refusals"][REFUSALS.index(why)] += 1

    def cut(self, why: str) -> None:
        """Count an answer that was cut."""
        with self._lock:
            self.row["cuts"][CUTS.index(why)] += 1

    def leaked(self, what: str) -> None:
        """Count an alert of the watchdog."""
        with self._lock:
            self.row["leaks"][LEAKS.index(what)] += 1

    def distrusted_start(self) -> None:
        """Count a request whose proxy says an impossible time for its beginning."""
        with self._lock:
            self.row["distrusted_starts"] += 1

    def reader_ended(self) -> None:
        """Count a text that ended the process which reads for this worker."""
        with self._lock:
            self.row["reader_ends"] += 1

    def observed(self, measured: Mapping[str, float]) -> None:
        """Put each value into the histogram of its name."""
        with self._lock:
            for name, value in measured.items():
                self.row[name][bisect.bisect_left(HISTOGRAMS[name], value)] += 1
                self.row[f"{name}_sum"] += value

    def made(self, audio_s: float) -> None:
        """Count a piece of audio: an hour of it may be one speech."""
        with self._lock:
            self.row["audio_s"] += audio_s

    def spoke(self, outcome: str, characters: int) -> None:
        """Count a speech that ended."""
        with self._lock:
            self.row["outcomes"][OUTCOMES.index(outcome)] += 1
            self.row["characters"] += characters

    def served(self, service_s: float) -> None:
        """Note how long a request had its turn."""
        with self._lock:
            before = self.row["service_s"]
            self.row["service_s"] = before + _WEIGHT * (service_s - before) if before else service_s

    def failed(self, what: str) -> None:
        """Note an error for whoever looks; the log has more of it."""
        with self._lock:
            self.row["error"] = what.encode("utf-8", "replace")
            self.row["error_at_s"] = time.time()
