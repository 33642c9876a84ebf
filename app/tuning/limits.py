"""What this process may use: cores and memory, by affinity and control groups of both versions.

A container's limits are in its control groups; `os.cpu_count()` and /proc/meminfo tell of the machine around it.
"""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from app.tuning.quantities import BadQuantityError

#: cgroup v1 writes "no limit" as the largest multiple of a page; nobody has half of that.
_NO_LIMIT_BYTES = 2**60


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


@dataclass(frozen=True)
class Groups:
    """Where the control groups of a process are; both mounts may be there at once."""

    proc: Path = Path("/proc/self")
    mount: Path = Path("/sys/fs/cgroup")

    def files(self, controller: str, v1_name: str, v2_name: str) -> Iterator[tuple[Path, Path]]:
        """Yield the files that may limit this process, its own group first, then each above it: (v1 or v2 path, group)."""
        for hierarchy, group in self._memberships():
            if hierarchy == "":
                yield from ((folder / v2_name, folder) for folder in _upwards(self.mount, group))
                yield from ((folder / v2_name, folder) for folder in _upwards(self.mount / "unified", group))
            elif controller in hierarchy.split(","):
                for name in dict.fromkeys((hierarchy, controller)):
                    yield from ((folder / v1_name, folder) for folder in _upwards(self.mount / name, group))

    def _memberships(self) -> list[tuple[str, str]]:
        """Return (controllers, group) of each line; version 2 names no controllers."""
        try:
            lines = (self.proc / "cgroup").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        parts = [line.split(":", 2) for line in lines if line.count(":") >= 2]
        return [(controllers, group) for _, controllers, group in parts]


def usable_cores(groups: Groups = Groups(), affinity: int | None = None) -> CoreLimit:
    """Return the smallest of what affinity and every quota above this process allow."""
    affinity = len(os.sched_getaffinity(0)) if affinity is None else affinity
    limits = [CoreLimit(float(affinity), "affinity"), *_quotas(groups)]
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
    for path, _ in groups.files("memory", "memory.limit_in_bytes", "memory.max"):
        words = _words(path)
        if words and words[0].isdigit() and int(words[0]) < _NO_LIMIT_BYTES:
            limits.append(MemoryLimit(int(words[0]), str(path)))
    return min(limits, key=lambda limit: limit.size_bytes)


def throttled_s(groups: Groups = Groups()) -> float:
    """Return for how long the quota of this process's own groups has held it back so far."""
    held_back = 0.0
    for path, _ in groups.files("cpu", "cpu.stat", "cpu.stat"):
        words = _words(path)
        counters = dict(zip(words[::2], words[1::2]))
        held_back = max(held_back, int(counters.get("throttled_usec", 0)) / 1e6, int(counters.get("throttled_time", 0)) / 1e9)
    return held_back


def _quotas(groups: Groups) -> Iterator[CoreLimit]:
    for path, folder in groups.files("cpu", "cpu.cfs_quota_us", "cpu.max"):
        quota, *period = _words(path) or ["max"]
        if path.name == "cpu.cfs_quota_us":
            period = _words(folder / "cpu.cfs_period_us")
        if quota.isdigit() and int(quota) > 0 and period and period[0].isdigit() and int(period[0]) > 0:
            yield CoreLimit(int(quota) / int(period[0]), str(path))


def _upwards(mount: Path, group: str) -> Iterable[Path]:
    """Return the folders of a group and of all above it. In a container the group's own folder may be the mount itself."""
    parts = PurePosixPath(group.lstrip("/")).parts
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []
