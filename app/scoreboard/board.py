"""The scoreboard: shared memory made in the master before the fork, read by any worker and by `chorus top`.

Each worker writes its slot: its state, its gauges and its counters.
"""

import bisect
import fcntl
import mmap
import os
import stat
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from app.scoreboard.layout import (
    CUTS,
    ENDINGS,
    FORMAT,
    GAUGES,
    HEADER,
    HISTOGRAMS,
    LEAKS,
    NAME,
    OUTCOMES,
    REASON_BYTES,
    REFUSALS,
    ROLLOUTS,
    ROUTES,
    SLOT,
    STATUSES,
    State,
)
from app.system.cgroup import cpu_budget

#: Maximum number of workers at the same time, those that are being replaced included; further ones work but are not counted.
MAX_WORKERS = 640
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


class Scoreboard:
    """A slot for each worker, in anonymous memory that is freed with the last process that maps it.

    Each slot is written by its worker, or by the master while it has none. A slot's totals survive
    its worker, however it ended, and the next worker adds to them.
    """

    def __init__(self, slots: int = MAX_WORKERS, name: str = NAME) -> None:
        """Make an empty board. Runs in the master, before the fork.

        Args:
            slots: maximum number of workers at the same time.
            name: name of the memory among a process's descriptors; see `of_process`.
        """
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
        os.ftruncate(descriptor, HEADER.itemsize + slots * SLOT.itemsize)
        self._map(descriptor, writable=True)
        header = self.header
        header["name"], header["format"], header["slots"] = NAME.encode(), FORMAT, slots
        header["master"], header["began_at_s"] = os.getpid(), time.time()
        header["cores"] = cpu_budget().used

    def describe(self, places: int, queue: int) -> None:
        """Set how many requests each worker serves at a time, and how many may wait. Master only."""
        self.header["places"], self.header["queue"] = places, queue

    def show_revisions(self, serving: int, candidate: int = 0) -> None:
        """Set the numbers of the revision that workers are forked from, and of the one that is being rolled out. Master only."""
        self.header["revision"], self.header["candidate"] = serving, candidate

    def show_rollout(self, state: str, reason: str = "") -> None:
        """Set what a rollout does, or how it ended, which is counted. Master only."""
        header = self.header
        header["rollout"], header["rollout_at_s"] = state.encode(), time.time()
        header["rollout_reason"] = reason.encode()[:REASON_BYTES]
        if state in ROLLOUTS:
            header["rollouts"][ROLLOUTS.index(state)] += 1

    def rollouts(self, outcome: str) -> int:
        """Return how many rollouts ended in one of `layout.ROLLOUTS`."""
        return int(self.header["rollouts"][ROLLOUTS.index(outcome)])

    @property
    def rollout_reason(self) -> str:
        """Why the last rollout ended as it did; "" if it was completed."""
        return str(self.header["rollout_reason"].decode("utf-8", "ignore"))

    @classmethod
    def of_process(cls, pid: int) -> "Scoreboard | None":
        """Return the read-only board of the server that the process belongs to; None if it has no board of this format.

        Raises:
            OSError: there is no such process, or it is another user's.
        """
        for number in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{number}"
            if not _is_own_board(path):
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if not _is_of_this_format(descriptor):
                os.close(descriptor)
                continue
            board = cls.__new__(cls)
            board._map(descriptor, writable=False)
            return board
        return None

    def _map(self, descriptor: int, writable: bool) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size, access=access)
        self._header = np.frombuffer(self._memory, HEADER, 1)
        self._slots = np.frombuffer(self._memory, SLOT, offset=HEADER.itemsize)

    @property
    def header(self) -> Any:
        """Facts of the server; a view."""
        return self._header[0]

    @property
    def rows(self) -> Any:
        """The slots that were ever taken: a view, an array of `layout.SLOT`."""
        taken = np.flatnonzero(self._slots["forks"])
        return self._slots[: taken[-1] + 1 if taken.size else 0]

    def take_slot(self) -> Slot:
        """Return the slot for a worker that is about to be forked; an unlisted one if no slot is free. Master only."""
        free = np.flatnonzero(self._slots["state"] == State.FREE)
        if not free.size:
            return Slot.unlisted()
        row = self._slots[free[0]]
        row["state"], row["began_at_s"] = State.STARTING, time.time()
        row["forks"] += 1
        return Slot(row, int(free[0]))

    def release_slot(self, slot: Slot, ending: str) -> None:
        """Free the slot of a worker that ended in one of `layout.ENDINGS`. Master only."""
        slot.row["endings"][ENDINGS.index(ending)] += 1
        for name, _ in GAUGES:
            slot.row[name] = 0  # `state` is one of them: 0 is FREE

    def take_turn(self) -> bool:
        """Return whether this process may recycle itself now; one may at a time, until it ends."""
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def speaking(self) -> int:
        """Return how many requests need a core now, in all workers."""
        return int(self.rows["speaking"].sum())

    def waiting(self) -> int:
        """Return how many requests wait for their turn, in all workers."""
        return int(self.rows["waiting"].sum())

    def working(self) -> Iterator[Any]:
        """Yield the rows of workers that take requests."""
        return (row for row in self.rows if row["state"] == State.READY)


def _is_own_board(descriptor: str) -> bool:
    """Return whether a descriptor, given by its path, is a writable board: a process that only reads a board is not a server."""
    try:
        return os.readlink(descriptor).startswith(f"/memfd:{NAME}") and bool(os.lstat(descriptor).st_mode & stat.S_IWUSR)
    except FileNotFoundError:  # closed meanwhile
        return False


def _is_of_this_format(descriptor: int) -> bool:
    """Return whether a board has the format of `layout`: other versions have slots of another size, or no header."""
    content = os.pread(descriptor, HEADER.itemsize, 0)
    if len(content) < HEADER.itemsize:
        return False
    header = np.frombuffer(content, HEADER, 1)[0]
    is_whole = os.fstat(descriptor).st_size == HEADER.itemsize + int(header["slots"]) * SLOT.itemsize
    return bool(header["format"] == FORMAT and header["name"] == NAME.encode() and is_whole)
