"""What must be remembered of a device whose memory was full: a marker that all processes honour."""

import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loader.artifacts.fs import write_aside

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
    #: Bytes that were free on the device; None where it could not say.
    free_bytes: int | None

    @property
    def when(self) -> str:
        """The time as ISO 8601 has it, in UTC."""
        return datetime.fromtimestamp(self.at_s, UTC).isoformat(timespec="seconds")


class Marker:
    """The file that says so. Looking for it is one `stat`, so that every use of the device can.

    Where the folder cannot be written the marker lasts as long as this process, and
    holds for this process alone. Made before the fork. Used by many threads; writers
    take turns (see `Accelerator`).
    """

    def __init__(
        self, cache_dir: Path, retry_after_s: float | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Watch `cache_dir` for a marker that expires `retry_after_s` after it was written, or never."""
        self.path = cache_dir / MARKER
        self._retry_after_s = retry_after_s
        self._clock = clock
        #: What could not be written.
        self._unwritten: Fallback | None = None
        #: The file as it was last read, under what tells one file from the next.
        self._read: tuple[tuple[int, int], Fallback] | None = None

    def write(self, why: str, device: str, free_bytes: int | None) -> Fallback:
        """Set the marker, now, and return what it says."""
        fallback = Fallback(why, device, self._clock(), free_bytes)
        content = json.dumps({**asdict(fallback), "when": fallback.when}, ensure_ascii=False, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(self.path, content.encode())
            self._unwritten = None
        except OSError as error:
            self._unwritten = fallback
            log.warning("%s: cannot be written (%s); only process %d leaves the device alone", self.path, error, os.getpid())
        return fallback

    def read(self) -> Fallback | None:
        """Return what the marker says, None where there is none or its time is over."""
        fallback = self._on_disk() or self._unwritten
        return None if fallback is None or self._is_over(fallback) else fallback

    def reset(self) -> Fallback | None:
        """Remove the marker, and return what it said.

        Raises:
            OSError: the file is there and cannot be removed.
        """
        fallback = self.read()
        self._unwritten = None
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
            self._read = known = (version, _parsed(self.path, found.st_mtime))
        return known[1]


def _parsed(path: Path, modified_s: float) -> Fallback:
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        free_bytes = None if document["free_bytes"] is None else int(document["free_bytes"])
        return Fallback(str(document["why"]), str(document["device"]), float(document["at_s"]), free_bytes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        # Somebody meant the device to be left alone, whatever became of the reason.
        return Fallback(f"{path} cannot be read ({type(error).__name__}); reset it", "unknown", modified_s, None)
