"""A worker's slot on the scoreboard: its state, its gauges and its counters, written by that worker alone."""

import bisect
import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from app.scoreboard.layout import CUTS, HISTOGRAMS, LEAKS, OUTCOMES, REFUSALS, ROUTES, SLOT, STATUSES, State

#: Weight of a new service time in the moving average.
_WEIGHT = 0.1


class Slot:
    """The slot of one worker. Used by all of its threads."""

    def __init__(self, row: Any, number: int | None) -> None:
        #: A view of the shared memory.
        self.row = row
        #: Index on the board, the same for the slot's next worker; None if the slot is unlisted.
        self.number = number
        self._lock = threading.Lock()

    @classmethod
    def unlisted(cls) -> "Slot":
        """Return a slot in private memory, for a worker without a free slot on the board: it works but is not counted."""
        return cls(np.zeros(1, SLOT)[0], None)

    def set_pid(self, pid: int) -> None:
        """Set the worker's process id. Runs in the worker, right after the fork."""
        self.row["pid"] = pid

    def set_state(self, state: State) -> None:
        """Set what the worker is doing."""
        with self._lock:
            self.row["state"] = state

    def set_ready(self) -> None:
        """Set the state to ready, unless the worker has been stopped meanwhile."""
        with self._lock:
            if self.row["state"] == State.STARTING:
                self.row["state"] = State.READY

    def set_gauges(self, **gauges: float) -> None:
        """Set values of `layout.GAUGES`."""
        for name, value in gauges.items():
            self.row[name] = value

    def count_answer(self, route: str, status: int) -> None:
        """Count an HTTP answer."""
        place = max(0, bisect.bisect_right(STATUSES, status) - 1)
        with self._lock:
            self.row["answers"][ROUTES.index(route), place] += 1

    def count_refusal(self, reason: str) -> None:
        """Count a request that was not admitted."""
        self._count("refusals", REFUSALS.index(reason))

    def count_cut(self, reason: str) -> None:
        """Count an answer that was cut."""
        self._count("cuts", CUTS.index(reason))

    def count_leak(self, kind: str) -> None:
        """Count an alert of the watchdog."""
        self._count("leaks", LEAKS.index(kind))

    def count_distrusted_start(self) -> None:
        """Count a request whose proxy sent an impossible start time."""
        with self._lock:
            self.row["distrusted_starts"] += 1

    def count_reader_end(self) -> None:
        """Count a text that ended this worker's reader process."""
        with self._lock:
            self.row["reader_ends"] += 1

    def observe(self, values: Mapping[str, float]) -> None:
        """Add each value to the histogram of its name."""
        with self._lock:
            for name, value in values.items():
                self.row[name][bisect.bisect_left(HISTOGRAMS[name], value)] += 1
                self.row[f"{name}_sum"] += value

    def count_audio(self, audio_s: float) -> None:
        """Add a chunk of audio as soon as it is made: one speech may last an hour."""
        with self._lock:
            self.row["audio_s"] += audio_s

    def count_speech(self, outcome: str, characters: int) -> None:
        """Count a speech that ended."""
        with self._lock:
            self.row["outcomes"][OUTCOMES.index(outcome)] += 1
            self.row["characters"] += characters

    def observe_service(self, service_s: float) -> None:
        """Add the time that a request had its turn to the moving average."""
        with self._lock:
            before = self.row["service_s"]
            self.row["service_s"] = before + _WEIGHT * (service_s - before) if before else service_s

    def set_error(self, error: str) -> None:
        """Keep the last error for /status; the log has its details."""
        with self._lock:
            self.row["error"] = error.encode("utf-8", "replace")
            self.row["error_at_s"] = time.time()

    def _count(self, total: str, place: int) -> None:
        with self._lock:
            self.row[total][place] += 1
