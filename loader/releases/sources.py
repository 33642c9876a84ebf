"""Sources of releases: folders that are read file by file, wherever they are."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from loader.config.location import shown
from loader.errors import FetchError, MissingFileError, SourceError

BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """An opened file of a source."""

    #: Place of the first block in the file: what was asked for, or 0 if the source could not resume.
    offset_bytes: int
    #: Identity of this content of the file; None if the source gives none that is reliable.
    etag: str | None
    #: The bytes from there on. Raises FetchError if they end early or stop coming.
    blocks: Iterator[bytes]


class Source(Protocol):
    """A folder with a release."""

    #: The URL without secrets.
    name: str

    def size_bytes(self, name: str) -> int | None:
        """Return the size of a file as the source claims it; None if it claims nothing.

        Raises:
            FetchError: another attempt may help.
        """

    def open(self, name: str, offset_bytes: int = 0, etag: str | None = None) -> AbstractContextManager[Opened]:
        """Open a file at `offset_bytes` if it still has that `etag`, else from its beginning.

        Raises:
            MissingFileError: there is no such file.
            SourceError: another attempt cannot help.
            FetchError: another attempt may help.
        """


def open_source(url: str, timeout_s: float, is_signed: bool = False) -> Source:
    """Return the source of a URL; opens no connection.

    Args:
        url: a `model_path` for which `is_source` holds.
        timeout_s: for a connection, and for the next bytes.
        is_signed: whether releases are verified by a signature, so that any transport will do.

    Raises:
        SourceError: the URL is not one that this scheme has.
        MissingPackageError: names the extra of that scheme.
    """
    scheme = urlsplit(url).scheme
    if scheme == "file":
        return FileSource(url)
    if scheme in ("s3", "gs"):
        from loader.releases.object_storage import open_bucket

        return open_bucket(url, timeout_s)
    # Late: urllib3 and ssl take 60 ms.
    from loader.releases.http_source import HttpSource, hub_source

    return hub_source(url, timeout_s) if scheme == "hf" else HttpSource(url, timeout_s, is_signed=is_signed)


class FileSource:
    """A folder of this machine, or of a mounted disk. Links in it are not followed."""

    def __init__(self, url: str) -> None:
        """Take `file:///folder` or `file:/folder`."""
        self.name = shown(url)
        parts = urlsplit(url)
        self._folder = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not self._folder.is_absolute():
            raise SourceError(f"{url}: not a folder of this machine; write file:///FOLDER")

    def size_bytes(self, name: str) -> int | None:
        """Return the size of a file; None if there is none."""
        try:
            return (self._folder / name).lstat().st_size
        except OSError:
            return None

    @contextmanager
    def open(self, name: str, offset_bytes: int = 0, etag: str | None = None) -> Iterator[Opened]:
        """Open a regular file."""
        path = self._folder / name
        try:
            descriptor = _open_regular(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFileError(f"{path}: no such file") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            found = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"
            offset_bytes = offset_bytes if etag == found else 0
            file.seek(offset_bytes)
            yield Opened(offset_bytes, found, _blocks(path, file))


def _open_regular(path: Path) -> int:
    # Without O_NONBLOCK a named pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{path}: not a regular file")
    return descriptor


def _blocks(path: Path, file: BinaryIO) -> Iterator[bytes]:
    try:
        while block := file.read(BLOCK_BYTES):
            yield block
    except OSError as error:
        raise FetchError(f"{path}: {error.strerror}") from error


def _unreadable(path: Path, error: OSError) -> SourceError:
    if error.errno == errno.ELOOP:
        return SourceError(f"{path}: a link, and links are not followed; copy the files themselves (cp -L)")
    return SourceError(f"{path}: {error.strerror}; let user {os.geteuid()} read it")


def read_small(source: Source, name: str, max_bytes: int) -> bytes:
    """Return the whole of a small file.

    Raises:
        SourceError: it has more than `max_bytes`; no more than that and one block are read.
    """
    content = bytearray()
    with source.open(name) as opened:
        for block in opened.blocks:
            content += block
            if len(content) > max_bytes:
                raise SourceError(f"{source.name}/{name}: larger than {max_bytes:,} bytes, the limit for this file")
    return bytes(content)
