"""Control groups of this process, versions 1 and 2: CPU quota, memory limits and memory in use."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

#: Version 1 writes "no limit" as the largest multiple of a page; no machine has half of that.
_NO_LIMIT_BYTES = 2**60


@dataclass(frozen=True)
class Groups:
    """The directories of a process's control groups; both versions may be mounted."""

    proc: Path = Path("/proc/self")
    mount: Path = Path("/sys/fs/cgroup")

    def files(self, controller: str, v1_name: str, v2_name: str) -> Iterator[tuple[Path, Path]]:
        """Yield the files that may limit this process and their folders, its own group first, then each group above it."""
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


@dataclass(frozen=True)
class UsableCpu:
    """The cores that this process may use, and why."""

    #: Cores that the scheduler may place it on.
    affinity: int
    #: Smallest CPU quota of its control groups, in cores; None if none of them has one.
    quota: float | None
    #: Cores to use: the smaller of both, a fraction of a core rounded up, since a quota is also used up by more threads.
    used: int


def cpu_budget(groups: Groups = Groups(), affinity: int | None = None) -> UsableCpu:
    """Return how many cores this process may use, by CPU affinity and the quotas of all its control groups."""
    affinity = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quota = min((cores for cores, _ in cpu_quotas(groups)), default=None)
    return UsableCpu(affinity, quota, affinity if quota is None else min(affinity, max(1, math.ceil(quota))))


def cpu_quotas(groups: Groups = Groups()) -> Iterator[tuple[float, Path]]:
    """Yield each CPU quota above this process, in cores, and the file that has it."""
    for path, folder in groups.files("cpu", "cpu.cfs_quota_us", "cpu.max"):
        quota, *period = words(path) or ["max"]
        if path.name == "cpu.cfs_quota_us":
            period = words(folder / "cpu.cfs_period_us")
        if quota.isdigit() and int(quota) > 0 and period and period[0].isdigit() and int(period[0]) > 0:
            yield int(quota) / int(period[0]), path


@dataclass(frozen=True)
class GroupMemory:
    """Memory of a group: its limit, and the part in use that the kernel cannot reclaim at once."""

    limit_bytes: int
    #: As in Kubernetes: without file pages that were not used lately.
    working_set_bytes: int


def memory_limits(groups: Groups = Groups()) -> Iterator[tuple[int, Path]]:
    """Yield each memory limit above this process, in bytes, and the file that has it."""
    for path, _ in groups.files("memory", "memory.limit_in_bytes", "memory.max"):
        limit_bytes = _number(words(path))
        if limit_bytes is not None and limit_bytes < _NO_LIMIT_BYTES:
            yield limit_bytes, path


def limited_groups(groups: Groups = Groups()) -> list[GroupMemory]:
    """Return every group that limits this process, its own first."""
    limited = [_memory(limit_bytes, path) for limit_bytes, path in memory_limits(groups) if limit_bytes]
    return [each for each in limited if each]


def fullest_group(groups: Groups = Groups()) -> GroupMemory | None:
    """Return the group that is nearest to its limit: its own, or one above; None if nothing limits this process."""
    return max(limited_groups(groups), key=lambda each: each.working_set_bytes / each.limit_bytes, default=None)


def words(path: Path) -> list[str]:
    """Return the words of a file; none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return []


def _memory(limit_bytes: int, path: Path) -> GroupMemory | None:
    version_1 = path.name == "memory.limit_in_bytes"
    used_bytes = _number(words(path.with_name("memory.usage_in_bytes" if version_1 else "memory.current")))
    if used_bytes is None:
        return None
    counters = words(path.with_name("memory.stat"))
    idle = dict(zip(counters[::2], counters[1::2])).get("total_inactive_file" if version_1 else "inactive_file", "0")
    return GroupMemory(limit_bytes, max(0, used_bytes - int(idle)))


def _number(found: list[str]) -> int | None:
    return int(found[0]) if found and found[0].isdigit() else None


def _upwards(mount: Path, group: str) -> Iterable[Path]:
    """Return the folders of a group and of all above it. In a container the group's own folder may be the mount itself."""
    parts = PurePosixPath(group.lstrip("/")).parts
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]
