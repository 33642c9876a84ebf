"""What this process may use: cores and memory, by affinity and control groups of both versions.

A container's limits are in its control groups; `os.cpu_count()` and /proc/meminfo tell of the machine around it.
"""

import math
import os
from dataclasses import dataclass

from app.system.cgroup import Groups, cpu_quotas, memory_limits, words
from app.tuning.units import BadQuantityError


@dataclass(frozen=True)
class CoreLimit:
    """How many cores may be used, and what says so."""

    #: May be a fraction: a quota of time on more cores than that.
    cores: float
    source: str


@dataclass(frozen=True)
class MemoryLimit:
    """How much memory may be used, and what says so."""

    size_bytes: int
    source: str


def usable_cores(groups: Groups = Groups(), affinity: int | None = None) -> CoreLimit:
    """Return the smallest of what affinity and every quota above this process allow."""
    affinity = len(os.sched_getaffinity(0)) if affinity is None else affinity
    limits = [CoreLimit(float(affinity), "affinity")]
    limits += [CoreLimit(cores, str(path)) for cores, path in cpu_quotas(groups)]
    return min(limits, key=lambda limit: limit.cores)


def wanted_cores(wanted: int | None, groups: Groups = Groups()) -> float:
    """Return how many cores are to be used: all that may be, unless fewer are wanted.

    Raises:
        BadQuantityError: more are wanted.
    """
    usable = usable_cores(groups)
    if wanted is not None and wanted > math.ceil(usable.cores):
        raise BadQuantityError(f"{wanted} cores are wanted, but {usable.source} allows {usable.cores:g}; ask for no more")
    return usable.cores if wanted is None else min(float(wanted), usable.cores)


def usable_memory(groups: Groups = Groups(), physical_bytes: int | None = None) -> MemoryLimit:
    """Return the smallest of the machine's memory and every limit above this process."""
    if physical_bytes is None:
        physical_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [MemoryLimit(physical_bytes, "the machine's memory")]
    limits += [MemoryLimit(size_bytes, str(path)) for size_bytes, path in memory_limits(groups)]
    return min(limits, key=lambda limit: limit.size_bytes)


def throttled_s(groups: Groups = Groups()) -> float:
    """Return for how long the quota of this process's own groups has held it back so far."""
    held_back = 0.0
    for path, _ in groups.files("cpu", "cpu.stat", "cpu.stat"):
        found = words(path)
        counters = dict(zip(found[::2], found[1::2]))
        held_back = max(held_back, int(counters.get("throttled_usec", 0)) / 1e6, int(counters.get("throttled_time", 0)) / 1e9)
    return held_back
