"""Memory for two revisions at a time: what is needed, and what the machine and the control groups have left."""

from collections.abc import Iterable
from pathlib import Path

from app.errors import RolloutError
from app.system.cgroup import Groups, limited_groups

_MEMINFO = Path("/proc/meminfo")


def require_memory(needed_bytes: int, available_bytes: int) -> None:
    """Refuse a revision for which there is no room beside the running one.

    Raises:
        RolloutError: with both figures and the remedy.
    """
    if needed_bytes > available_bytes:
        raise RolloutError(
            f"memory: {_megabytes(needed_bytes)} are needed to serve both revisions for a while, {_megabytes(available_bytes)} "
            "are available; give the server more, or restart it instead (kill -TERM, then start)"
        )


def available_memory(groups: Groups = Groups(), meminfo: Path = _MEMINFO) -> int:
    """Return the bytes that this process may still use, by the machine and by each of its control groups."""
    left = [max(0, group.limit_bytes - group.working_set_bytes) for group in limited_groups(groups)]
    return min([_machine_bytes(meminfo), *left])


def size_of(artifacts: Iterable[Path]) -> int:
    """Return the size of the files of some artifacts."""
    return sum(file.stat().st_size for folder in artifacts for file in folder.iterdir())


def _machine_bytes(meminfo: Path) -> int:
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise RolloutError(f"{meminfo}: no line MemAvailable")


def _megabytes(count_bytes: int) -> str:
    return f"{count_bytes / 1e6:.0f} MB"
