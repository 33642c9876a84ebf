"""The digests of files, remembered while a file is unchanged, so that a checkpoint of 300 MB is hashed once."""

import json
from contextlib import suppress
from pathlib import Path

from loader.storage.files import Hashed, sha256_of, write_aside


class Digests:
    """Digests by path, with size, times and inode. A file that has changed since is hashed again."""

    def __init__(self, record: Path | None = None) -> None:
        """Read the record; None remembers nothing."""
        self._record = record
        self._seen: dict[str, str] = {}
        self._changed = False
        if record is not None and record.exists():
            try:
                self._seen = dict(json.loads(record.read_text(encoding="utf-8")))
            except (ValueError, TypeError, OSError, RecursionError):
                self._seen = {}

    def digest(self, path: Path, hashed: Hashed | None = None) -> str:
        """Return the sha256 of a file.

        Raises:
            OSError: it cannot be read.
        """
        # Before the file is read: a change during the read must not be recorded.
        fingerprint = _fingerprint(path)
        if (known := self._known(path, fingerprint)) is not None:
            return known
        digest = sha256_of(path, hashed)
        self._seen[str(path.absolute())] = f"{fingerprint} {digest}"
        self._changed = True
        return digest

    def recalled(self, path: Path) -> str | None:
        """Return the digest of an unchanged file if it is recorded; reads nothing of it."""
        with suppress(OSError):
            return self._known(path, _fingerprint(path))
        return None

    def save(self) -> None:
        """Write the record, if anything is new."""
        if self._record is None or not self._changed:
            return
        # Without the record the next start hashes again: the cache may be on a read-only or full disk.
        with suppress(OSError):
            self._record.parent.mkdir(parents=True, exist_ok=True)
            write_aside(self._record, json.dumps(self._seen, indent=1).encode())

    def _known(self, path: Path, fingerprint: str) -> str | None:
        seen = self._seen.get(str(path.absolute()))
        before, _, digest = seen.rpartition(" ") if isinstance(seen, str) else ("", "", "")
        return digest if before == fingerprint else None


def _fingerprint(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
