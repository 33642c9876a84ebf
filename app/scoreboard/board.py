"""The scoreboard: shared memory made in the master before the fork, read by any worker and by `chorus top`."""

import fcntl
import mmap
import os
import stat
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from app.scoreboard.layout import ENDINGS, FORMAT, GAUGES, HEADER, NAME, SLOT, State
from app.scoreboard.slot import Slot
from app.system.cgroup import cpu_budget

#: Maximum number of workers at the same time, those that are being replaced included; further ones work but are not counted.
MAX_WORKERS = 640


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
