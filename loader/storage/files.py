"""Atomic files: written aside, flushed to disk, renamed into place; remedies of file system errors."""

import errno
import fcntl
import hashlib
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loader.errors import ShortageError

#: Called with the number of bytes hashed since the last call.
Hashed = Callable[[int], object]

_BLOCK_BYTES = 4 * 1024 * 1024
#: Without a report. The hash holds no lock of Python, and after a block waits 5 ms for it if another thread works (2026-11-30).
_SILENT_BLOCK_BYTES = 64 * 1024 * 1024


def sha256_of(path: Path, hashed: Hashed | None = None) -> str:
    """Return the hex sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            if hashed:
                hashed(len(block))
    return digest.hexdigest()


def sha256_of_buffer(content: mmap.mmap | bytes, hashed: Hashed | None = None) -> str:
    """Return the hex sha256 of bytes in memory."""
    digest, block_bytes = hashlib.sha256(), _BLOCK_BYTES if hashed else _SILENT_BLOCK_BYTES
    with memoryview(content) as view:
        for start in range(0, len(view), block_bytes):
            with view[start : start + block_bytes] as block:
                digest.update(block)
                if hashed:
                    hashed(len(block))
    return digest.hexdigest()


_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
_REMEDIES = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or raise the quota of user {user}",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit of open files (fs.file-max)",
    errno.ENOMEM: "raise the limit of memory (ulimit -v, or that of the control group)",
    errno.EAGAIN: "raise the limit of processes (ulimit -u, or that of the control group)",
    errno.EACCES: "let user {user} write there",
    errno.EPERM: "let user {user} write there",
    errno.EROFS: "make it writable",
    errno.ENOTDIR: "remove the file that is in the place of a folder",
    errno.EEXIST: "remove the file that is in the place of a folder",
    errno.ENAMETOOLONG: "choose a shorter path",
}


def write_aside(path: Path, content: bytes) -> None:
    """Replace `path` by `content` atomically."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)


def flush_tree(directory: Path) -> None:
    """Flush every file below `directory`, and the folders themselves, to the disk."""
    for folder, _, names in os.walk(directory):
        for name in names:
            flush(Path(folder, name))
        flush(Path(folder))


def flush(path: Path) -> None:
    """Flush one file, or the entries of one folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remedy_for(error: OSError) -> str:
    """Return the remedy of a file system error as a clause; "" if none is known."""
    number = error.errno or 0
    return _REMEDIES.get(number, "").format(user=os.geteuid())


def refuse_shortage(path: Path, error: OSError) -> None:
    """Raise for an error that is a shortage of the system and not of the file.

    Raises:
        ShortageError: open files, processes or memory have run out.
    """
    if error.errno in _SHORTAGES:
        raise ShortageError(f"{path}: {error.strerror}; {remedy_for(error)}") from error


@contextmanager
def exclusive(lock_path: Path, when_held: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold a lock among processes. The kernel releases it when the holder ends; `when_held` is called before a wait for that."""
    lock_path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            when_held()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
