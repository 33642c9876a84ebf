"""Who is speaking, in memory that all processes of a server share: how many hands a request may use.

A request may use a further thread while cores are idle, and gives it up with the window
after which they are not (`loader.ahead`). Nobody can ask another process how busy it is,
so each worker writes it down, and all read all.
"""

import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loader.ahead import MOST_HANDS

#: Workers at once, those that are being replaced included; more are not counted.
MOST_WORKERS = 1024


class Scoreboard:
    """A byte for each worker: how many of its requests are being spoken.

    Made in the master before the fork. Each byte is written by its worker alone, and
    cleared by the master once the worker is gone, however it went.
    """

    def __init__(self, workers: int = MOST_WORKERS) -> None:
        self._speaking = mmap.mmap(-1, workers)
        self._free = list(range(workers))[::-1]

    def take_seat(self) -> "Seat | None":
        """Return the seat of a worker that is about to be forked; None where none is left. Master only."""
        return Seat(self, self._free.pop()) if self._free else None

    def write(self, slot: int, speaking: int) -> None:
        """Say how many requests the slot's worker is speaking."""
        self._speaking[slot] = min(speaking, 255)

    def clear(self, slot: int) -> None:
        """Have the slot for another worker. Master only."""
        self._speaking[slot] = 0
        self._free.append(slot)

    def speaking(self) -> int:
        """Return how many requests all workers are speaking."""
        return sum(self._speaking[:])


@dataclass(frozen=True)
class Seat:
    """One worker's place on a board; a configuration that is read again brings another board, for new workers."""

    board: Scoreboard
    slot: int

    def write(self, speaking: int) -> None:
        """Say how many requests the worker is speaking."""
        self.board.write(self.slot, speaking)

    def leave(self) -> None:
        """Clear it: the worker is gone. Master only."""
        self.board.clear(self.slot)


class Hands:
    """This process's requests, and how many threads each may use. Used by many threads."""

    def __init__(self, cores: int | None = None) -> None:
        """Count alone; see `join`.

        Args:
            cores: shared by all requests; 1 is for one thread a request, whatever is idle. Default: those this process may use.
        """
        self.cores = len(os.sched_getaffinity(0)) if cores is None else cores
        self._seat = Seat(Scoreboard(1), 0)
        self._lock = threading.Lock()
        self._speaking = 0

    def join(self, seat: Seat) -> None:
        """Count among all workers of a server. Runs in a worker, before its first request."""
        self._seat = seat

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Count the calling request for as long as it needs a core."""
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def allowed(self) -> int:
        """Return how many threads a request may use now: an equal share of the cores, and never more than `MOST_HANDS`."""
        return max(1, min(MOST_HANDS, self.cores // max(1, self._seat.board.speaking())))

    def _add(self, change: int) -> None:
        with self._lock:
            self._speaking += change
            self._seat.write(self._speaking)
