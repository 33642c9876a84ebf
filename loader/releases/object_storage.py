"""Sources of releases in buckets, by fsspec: Amazon's S3 and what speaks its protocol, Google's Cloud Storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from loader.config.location import shown
from loader.errors import FetchError, LoaderError, MissingFileError, MissingPackageError, SourceError
from loader.releases.sources import BLOCK_BYTES, Opened

_READ_AHEAD_BYTES = 8 * BLOCK_BYTES


def open_bucket(url: str, timeout_s: float) -> "BucketSource":
    """Return the source of `s3://BUCKET/FOLDER` or `gs://BUCKET/FOLDER`, with the credentials that their libraries find.

    Raises:
        SourceError: the URL names no bucket.
        MissingPackageError: names the extra.
    """
    parts = urlsplit(url)
    if not parts.netloc:
        raise SourceError(f"{url}: names no bucket; write {parts.scheme}://BUCKET/FOLDER")
    options: dict[str, Any] = {"requests_timeout": timeout_s}
    if parts.scheme == "s3":
        options = {"config_kwargs": {"connect_timeout": timeout_s, "read_timeout": timeout_s}}
    try:
        import fsspec

        files = fsspec.filesystem(parts.scheme, **options)
    except ImportError as error:
        raise MissingPackageError(f"{url}: {parts.scheme}: needs a package: install the `{parts.scheme}` extra") from error
    return BucketSource(files, f"{parts.netloc}{parts.path}".rstrip("/"), shown(url))


class BucketSource:
    """A folder of any file system that fsspec knows."""

    def __init__(self, files: Any, folder: str, name: str) -> None:
        """Take an fsspec file system, and the folder in it."""
        self.name = name
        self._files = files
        self._folder = folder

    def size_bytes(self, name: str) -> int | None:
        """Return the object's size."""
        try:
            size = self._info(name).get("size")
        except MissingFileError:
            return None
        return int(size) if size is not None else None

    @contextmanager
    def open(self, name: str, offset_bytes: int = 0, etag: str | None = None) -> Iterator[Opened]:
        """Open an object; resumes if it is the same one."""
        facts = self._info(name)
        found = next((str(facts[key]) for key in ("ETag", "etag", "md5Hash", "mtime", "created") if facts.get(key)), None)
        offset_bytes = offset_bytes if etag is not None and etag == found else 0
        with self._failures(name):
            file = self._files.open(f"{self._folder}/{name}", "rb", block_size=_READ_AHEAD_BYTES)
        try:
            yield Opened(offset_bytes, found, self._blocks(name, file, offset_bytes))
        finally:
            file.close()

    def _blocks(self, name: str, file: Any, offset_bytes: int) -> Iterator[bytes]:
        with self._failures(name):
            file.seek(offset_bytes)
            block = file.read(BLOCK_BYTES)
        while block:
            yield block
            with self._failures(name):
                block = file.read(BLOCK_BYTES)

    def _info(self, name: str) -> dict[str, Any]:
        with self._failures(name):
            # Otherwise it may answer from a listing that it made before.
            self._files.invalidate_cache()
            return dict(self._files.info(f"{self._folder}/{name}"))

    @contextmanager
    def _failures(self, name: str) -> Iterator[None]:
        place = f"{self.name}/{name}"
        try:
            yield
        except FileNotFoundError as error:
            raise MissingFileError(f"{place}: no such object") from error
        except PermissionError as error:
            raise SourceError(f"{place}: refused ({error}); check the credentials of {self.name.partition(':')[0]}") from error
        except LoaderError:
            raise
        except Exception as error:  # each storage has a tree of errors of its own
            raise FetchError(f"{place}: {type(error).__name__}: {error}"[:300]) from error
