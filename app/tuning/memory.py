"""How much memory a server needs, by what it was seen to need."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

from app.tuning.journal import Journal, Memory, MemoryReading
from app.tuning.setting import Setting

#: Of the budget, kept free: the kernel's own share, and what nobody thought of.
_RESERVE = 0.05
_EVERY_S = 0.1


@dataclass(frozen=True)
class Need:
    """What memory depends on."""

    #: Mapped and inherited pages: there once.
    shared_bytes: int
    #: A worker's own, at most: after the longest text, and under load.
    worker_bytes: int
    #: A worker's own before its first request.
    idle_worker_bytes: int

    def of(self, workers: int) -> int:
        """Return what so many workers need at most, with the one more that there is while they are replaced one by one."""
        return self.shared_bytes + (workers + 1) * self.worker_bytes

    def most_workers(self, budget_bytes: int) -> int:
        """Return how many workers fit; 0 where not even one does."""
        left_bytes = budget_bytes * (1 - _RESERVE) - self.shared_bytes
        return max(0, math.floor(left_bytes / max(1, self.worker_bytes)) - 1)


def memory_of(pid: int) -> Memory:
    """Read the memory of a master and its workers, page by page.

    Raises:
        psutil.Error: the master has ended, or may not be looked at.
    """
    master = psutil.Process(pid)
    pss_bytes, workers = master.memory_full_info().pss, []
    for worker in master.children():
        # One that is just being replaced takes its pages with it.
        with suppress(psutil.NoSuchProcess):
            pages = worker.memory_full_info()
            pss_bytes += pages.pss
            workers.append(pages.uss)
    return Memory(pss_bytes, tuple(workers))


@contextmanager
def highest(read: Callable[[], Memory], every_s: float = _EVERY_S) -> Iterator[list[Memory]]:
    """Read memory meanwhile, and leave in the yielded list one reading: the one with the largest sum."""
    over, found = threading.Event(), [read()]

    def sample() -> None:
        # A server that ends takes its figures with it; whoever waits for its answer will hear of it.
        with suppress(psutil.Error, OSError):
            while not over.wait(every_s):
                now = read()
                if now.pss_bytes > found[0].pss_bytes:
                    found[0] = now

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield found
    finally:
        over.set()
        sampler.join()


def need_of(journal: Journal, longest_characters: int) -> Need | None:
    """Return what memory a server needs; None where that was not measured.

    Where the longest allowed text would have taken too long, the worker's growth with a
    shorter one is continued in a straight line, which is what a whole file's bytes do.
    """
    readings = {each.moment: each for each in journal.memory if each.moment != "load"}
    if "idle" not in readings:
        return None
    shared_bytes = max(each.memory.shared_bytes for each in journal.memory if len(each.memory.worker_uss_bytes) != 1)
    own = [_own_bytes(each.memory, shared_bytes) for each in journal.memory]
    if "mix" in readings and "longest" in readings:
        own.append(_continued(readings["mix"], readings["longest"], longest_characters))
    return Need(shared_bytes, max(own), max(readings["idle"].memory.worker_uss_bytes, default=0))


def _own_bytes(memory: Memory, shared_bytes: int) -> int:
    """Return what the largest worker has for itself.

    A worker alone shares the weights with nobody, as the master never touches them; they are no part of what further ones need.
    """
    if len(memory.worker_uss_bytes) == 1:
        return max(0, memory.pss_bytes - shared_bytes)
    return max(memory.worker_uss_bytes, default=0)


def _continued(before: MemoryReading, longest: MemoryReading, longest_characters: int) -> int:
    spoken = longest.characters or longest_characters
    low, high = max(before.memory.worker_uss_bytes, default=0), max(longest.memory.worker_uss_bytes, default=0)
    return round(high + max(0, high - low) * max(0.0, longest_characters / spoken - 1))


def fitting(settings: Sequence[Setting], need: Need | None, budget_bytes: int) -> tuple[Setting, ...]:
    """Return the settings whose workers fit into the budget; all of them where nothing is known."""
    if need is None:
        return tuple(settings)
    most = need.most_workers(budget_bytes)
    return tuple(each for each in settings if each.workers <= most)
