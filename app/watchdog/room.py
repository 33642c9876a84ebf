"""How long a worker can go on growing: what the system still has for it."""

import resource
from pathlib import Path

from app.watchdog.sample import MemorySample
from app.watchdog.signals import Signal


def requests_left(signal: Signal, slope: float, now: MemorySample) -> int | None:
    """Return after how many requests like those until now nothing is left; None where that is not known."""
    if signal.kind == "descriptors":
        room: int | None = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - now.descriptors
    elif signal.kind in ("python", "native") and signal.unit == "bytes":
        room = _memory_room()
    else:
        room = None
    return None if room is None else max(0, int(room / slope))


def _memory_room() -> int | None:
    rooms = [room for room in (_available(), _cgroup_room()) if room is not None]
    return min(rooms, default=None)


def _available(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_room(own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what the limit of this process's control group leaves, by version 2."""
    try:
        line = next(line for line in own.read_text(encoding="utf-8").splitlines() if line.startswith("0::"))
        group = root / line[3:].lstrip("/")
        return int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (StopIteration, OSError, ValueError):  # no such version, no limit, or it is said as "max"
        return None
