"""A file that is being downloaded. It survives the process: what is there is hashed and continued by the next attempt."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from loader.releases.sources import BLOCK_BYTES
from loader.storage.files import flush


class PartialFile:
    """The `.part` of one digest, with the ETag of the content that it began. A context manager; open for writing inside."""

    def __init__(self, folder: Path, digest: str) -> None:
        """Use `folder/<digest>.part`; it may exist."""
        self.digest = digest
        self._path = folder / f"{digest}.part"
        self._etag_path = folder / f"{digest}.etag"

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        while block := self._file.read(BLOCK_BYTES):
            self._hash.update(block)
            self.size_bytes += len(block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def etag(self) -> str | None:
        """Identity of the content that was begun; None if it cannot be continued."""
        with suppress(FileNotFoundError, UnicodeDecodeError):
            return self._etag_path.read_text(encoding="utf-8")
        return None

    @property
    def is_right(self) -> bool:
        """Whether the bytes so far have the digest."""
        return self._hash.hexdigest() == self.digest

    @property
    def found(self) -> str:
        """The digest of the bytes so far."""
        return self._hash.hexdigest()

    def begin(self, etag: str | None) -> None:
        """Drop what is there, and note the identity of the content that follows."""
        # In this order: a process that is killed leaves no bytes under the identity of others. A torn identity resumes nothing.
        self._etag_path.unlink(missing_ok=True)
        self._file.seek(0)
        self._file.truncate()
        self._hash, self.size_bytes = hashlib.sha256(), 0
        if etag is not None:
            self._etag_path.write_bytes(etag.encode())

    def append(self, block: bytes) -> None:
        """Write the next bytes."""
        view = memoryview(block)
        while view:
            written = self._file.write(view)
            self._hash.update(view[:written])
            self.size_bytes += written
            view = view[written:]

    def drop(self) -> None:
        """Remove it."""
        self._etag_path.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)

    def publish(self, target: Path) -> None:
        """Flush it to the disk and give it its name, read-only."""
        os.fchmod(self._file.fileno(), 0o444)
        os.fsync(self._file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        self._path.rename(target)
        flush(target.parent)
        self._etag_path.unlink(missing_ok=True)
