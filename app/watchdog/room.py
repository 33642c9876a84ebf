"""How long a worker can go on growing: what the system still has for it."""

import resource
from pathlib import Path

from app.system.cgroup import Groups, limited_groups
from app.watchdog.sample import MemorySample
from app.watchdog.signals import Signal


def requests_left(signal: Signal, slope: float, now: MemorySample) -> int | None:
    """Return after how many requests like those until now nothing is left; None where that is not known.

    Args:
        signal: what grows.
        slope: by how much with a request; what grows in steps may have stood still of late.
        now: the worker's latest sample.
    """
    if slope <= 0:
        return None
    if signal.kind == "descriptors":
        room: int | None = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - now.descriptors
    elif signal.kind in ("python", "native") and signal.unit == "bytes":
        room = memory_room()
    else:
        room = None
    return None if room is None else max(0, int(room / slope))


def memory_room(meminfo: Path = Path("/proc/meminfo"), groups: Groups = Groups()) -> int | None:
    """Return how many bytes the machine and every control group above this process still have; None where nobody says."""
    rooms = [each.limit_bytes - each.working_set_bytes for each in limited_groups(groups)]
    return min([*_available(meminfo), *rooms], default=None)


def _available(meminfo: Path) -> list[int]:
    lines = meminfo.read_text(encoding="ascii").splitlines()
    return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
