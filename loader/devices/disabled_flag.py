"""The fallback marker: a file by which all processes leave a device whose memory was full."""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loader.storage.files import write_aside

MARKER = "device-fallback.json"

log = logging.getLogger("chorus.loader")


@dataclass(frozen=True)
class Fallback:
    """Why no process uses the device."""

    why: str
    #: Such as `cuda:0`.
    device: str
    #: Unix time.
    at_s: float
    #: Free bytes of the device; None if unknown.
    free_bytes: int | None

    @property
    def when(self) -> str:
        """The time in ISO 8601, in UTC."""
        return datetime.fromtimestamp(self.at_s, UTC).isoformat(timespec="seconds")


class DisabledFlag:
    """The marker file. A check for it costs one `stat`, so every use of the device checks.

    If the folder cannot be written, the marker is valid in this process only, as long as it
    lives. Made before the fork. Used by many threads; writers are serialized by `Accelerator`.
    """

    def __init__(
        self, cache_dir: Path, retry_after_s: float | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Watch `cache_dir` for a marker that expires `retry_after_s` after it was written, or never."""
        self.path = cache_dir / MARKER
        self._retry_after_s = retry_after_s
        self._clock = clock
        #: Valid in this process only.
        self._held: Fallback | None = None
        #: The file as it was last read, with its inode and time of change.
        self._read: tuple[tuple[int, int], Fallback] | None = None

    def write(self, why: str, device: str, free_bytes: int | None) -> Fallback:
        """Set the marker now, for all processes, and return its content."""
        fallback = Fallback(why, device, self._clock(), free_bytes)
        content = json.dumps({**asdict(fallback), "when": fallback.when}, ensure_ascii=False, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(self.path, content.encode())
            self._held = None
        except OSError as error:
            self._held = fallback
            log.warning("%s: cannot be written (%s); only process %d falls back to the CPU", self.path, error, os.getpid())
        return fallback

    def hold(self, why: str, device: str) -> None:
        """Set the marker now, for this process only."""
        self._held = Fallback(why, device, self._clock(), None)

    def read(self) -> Fallback | None:
        """Return the marker's content; None if there is no marker or it has expired."""
        fallback = self._on_disk() or self._held
        return None if fallback is None or self._is_over(fallback) else fallback

    def reset(self) -> Fallback | None:
        """Remove the marker, and return its content.

        Raises:
            OSError: the file is there and cannot be removed.
        """
        fallback = self.read()
        self._held = None
        self.path.unlink(missing_ok=True)
        return fallback

    def _is_over(self, fallback: Fallback) -> bool:
        return self._retry_after_s is not None and self._clock() >= fallback.at_s + self._retry_after_s

    def _on_disk(self) -> Fallback | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        known, version = self._read, (found.st_ino, found.st_mtime_ns)
        if known is None or known[0] != version:
            self._read = known = (version, _parse_marker(self.path, found.st_mtime))
        return known[1]


def _parse_marker(path: Path, modified_s: float) -> Fallback:
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        free_bytes = None if document["free_bytes"] is None else int(document["free_bytes"])
        return Fallback(str(document["why"]), str(document["device"]), float(document["at_s"]), free_bytes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        # A marker without a readable reason is still a marker.
        return Fallback(f"{path} cannot be read ({type(error).__name__}); reset it", "unknown", modified_s, None)
