"""How far this process has read the files of a folder, as the kernel sees it.

Verifying has no place to report from, and needs none: a file that is read has a
position, and of one that is mapped the pages touched so far are resident.
"""

import os
import re
from contextlib import suppress
from pathlib import Path

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ [rwxps-]{4} \S+ \S+ \d+ *(.*)")


class Reading:
    """Counts the bytes of one folder's files that were read. Only for show: a short look may be missed."""

    def __init__(self, directory: Path) -> None:
        self._prefix = f"{directory.resolve()}/"
        self._seen: dict[str, int] = {}

    def done_bytes(self) -> int:
        """Return how many bytes were read until now; never less than before."""
        now: dict[str, int] = {}
        with suppress(OSError):
            for path, count in [*_positions(self._prefix), *_resident(self._prefix)]:
                now[path] = max(count, now.get(path, 0))
        for path in self._seen.keys() - now.keys():
            # Let go of: read to its end.
            with suppress(OSError):
                now[path] = os.stat(path).st_size
        self._seen.update({path: max(count, self._seen.get(path, 0)) for path, count in now.items()})
        return sum(self._seen.values())


def size_bytes(directory: Path) -> int:
    """Return the size of a folder's files, 0 where it cannot be read."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in directory.iterdir() if path.is_file())
    return 0


def _positions(prefix: str) -> list[tuple[str, int]]:
    """Return the files under `prefix` that are open, and where each is read."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        # It may be closed between one look and the next.
        with suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            if path.startswith(prefix):
                position = Path(f"/proc/self/fdinfo/{descriptor}").read_text().split()[1]
                found.append((path, int(position)))
    return found


def _resident(prefix: str) -> list[tuple[str, int]]:
    """Return the files under `prefix` that are mapped, and how much of each was touched."""
    found, path = [], ""
    for line in Path("/proc/self/smaps").read_text(errors="replace").splitlines():
        if match := _MAPPING.fullmatch(line):
            path = match[1]
        elif line.startswith("Rss:") and path.startswith(prefix):
            found.append((path, 1024 * int(line.split()[1])))
    return found
