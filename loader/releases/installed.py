"""Installed releases: which releases of a source this machine has, and which of them is current, previous, candidate or rejected.

    cache_dir/sources/<host and folder>-<12 digits>/
        record.json         the roles; replaced by one rename, so that a killed process leaves the old or the new ones
        current, previous   links for people and scripts; they follow the record
        blobs/<sha256>      every file once, read-only
        snapshots/<id>/     a release: hard links of blobs under the names of its manifest
        partial/            downloads that have not ended

A release's id is the sha256 of its manifest, `hash.sha256`.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from loader.config.location import folder_name, shown
from loader.errors import IntegrityError, ReleaseError, StoreError
from loader.releases.record import Record, Rejection
from loader.releases.snapshots import SHOWN_DIGITS, Snapshot, Snapshots, entries
from loader.storage.files import exclusive, flush, remedy_for, write_aside
from loader.storage.open_files import OpenFiles

__all__ = ["InstalledReleases", "Record", "Rejection", "Removed", "Snapshot"]

_RECORD = "record.json"


@dataclass(frozen=True)
class Removed:
    """What `InstalledReleases.collect` removed, or would remove."""

    path: Path
    size_bytes: int


class InstalledReleases:
    """The releases of one source. Any number of processes may use it; every change holds the source's lock for milliseconds."""

    def __init__(self, source: str, cache_dir: Path) -> None:
        """Use the folder of `source`, a voice's `model_path`, below `cache_dir`. Makes nothing."""
        self.source = source
        self.directory = cache_dir / "sources" / folder_name(source)
        self.partial = self.directory / "partial"
        self._snapshots = Snapshots(self.directory, shown(source))
        self.blobs = self._snapshots.blobs

    @property
    def record(self) -> Record:
        """All roles at one moment.

        Raises:
            IntegrityError: the record is damaged.
        """
        path = self.directory / _RECORD
        try:
            return msgspec.json.decode(path.read_bytes(), type=Record)
        except FileNotFoundError:
            return Record(source=shown(self.source))
        except (msgspec.DecodeError, OSError) as error:
            raise IntegrityError(
                path, "a record of releases", type(error).__name__, "remove it; the next start fetches the current release"
            ) from error

    @property
    def current(self) -> Snapshot | None:
        """The release that is served."""
        return self._snapshots.get(self.record.current)

    @property
    def previous(self) -> Snapshot | None:
        """The release that was current before."""
        return self._snapshots.get(self.record.previous)

    @property
    def candidate(self) -> Snapshot | None:
        """The release that a server is to try; it is accepted or rejected then."""
        return self._snapshots.get(self.record.candidate)

    @property
    def latest(self) -> Snapshot | None:
        """The release that was fetched last."""
        return self._snapshots.get(self.record.latest)

    @property
    def pinned(self) -> Snapshot | None:
        """The only release that may be offered, if there is one."""
        return self._snapshots.get(self.record.pinned)

    @property
    def rejected(self) -> Mapping[str, Rejection]:
        """Releases that failed as candidates or were rolled back, by id."""
        return self.record.rejected

    def find(self, digits: str) -> Snapshot:
        """Return the installed release whose id begins with `digits`.

        Raises:
            ReleaseError: there is none, or more than one.
        """
        return self._snapshots.find(digits)

    def offer(self, release_id: str, is_rollback: bool = False) -> Snapshot:
        """Make an installed release the candidate; an earlier rejection of it is forgotten.

        Args:
            release_id: all digits, or the first of them.
            is_rollback: whether the current release is rejected once the candidate is accepted.

        Raises:
            ReleaseError: it is not installed, or another one is pinned.
        """
        found = self.find(release_id)
        with self._changing() as record:
            if record.pinned not in (None, found.id):
                raise ReleaseError(
                    f"{shown(self.source)}: release {str(record.pinned)[:SHOWN_DIGITS]} is pinned, so {found.short_id} is not "
                    "tried; chorus release pin --none ends that"
                )
            self._write(record.with_candidate(found.id, is_rollback))
        return found

    def accept(self) -> Snapshot:
        """Make the candidate the current release, and the current one the previous one.

        Raises:
            ReleaseError: there is no candidate.
        """
        with self._changing() as record:
            found = self._snapshots.get(record.candidate)
            if found is None:
                raise ReleaseError(f"{shown(self.source)}: there is no candidate to accept")
            self._write(record.accepted())
        return found

    def adopt(self, release_id: str) -> Snapshot:
        """Make an installed release current without a trial if there is no current one, and return the current release.

        Raises:
            ReleaseError: it is not installed.
        """
        found = self.find(release_id)
        with self._changing() as record:
            if (current := self._snapshots.get(record.current)) is not None:
                return current
            self._write(replace(record, current=found.id))
        return found

    def reject(self, reason: str) -> None:
        """Remove the candidate's role and keep the reason; does nothing if there is no candidate."""
        with self._changing() as record:
            if record.candidate is not None:
                self._write(record.with_rejection(reason))

    def pin(self, release_id: str) -> Snapshot:
        """Let no other release than this one be offered, and keep it.

        Raises:
            ReleaseError: it is not installed.
        """
        found = self.find(release_id)
        with self._changing() as record:
            self._write(record.with_pin(found.id))
        return found

    def unpin(self) -> None:
        """Let every release be offered again."""
        with self._changing() as record:
            self._write(replace(record, pinned=None))

    @contextmanager
    def fetching(self, when_held: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Hold the right to add and remove blobs: one fetch or collection at a time; `when_held` is called before a wait."""
        with exclusive(self.directory / "fetch.lock", when_held):
            yield

    def publish(self, release_id: str, files: Mapping[str, str], proofs: Mapping[str, bytes]) -> Snapshot:
        """Make a snapshot of blobs that are all present, or repair it, and note it as the latest. Only while `fetching`.

        Args:
            release_id: the sha256 of the manifest.
            files: name to the sha256 of its blob.
            proofs: further files with their content: version, manifest, signature.

        Raises:
            StoreError: the folder cannot be written.
        """
        published = self._snapshots.publish(release_id, files, proofs)
        with self._changing() as record:
            self._write(replace(record, latest=release_id))
        return published

    def collect(
        self,
        keep: int = 0,
        is_dry_run: bool = False,
        made_from: Callable[[Snapshot], Sequence[Path]] = lambda snapshot: (),
        open_files: OpenFiles | None = None,
    ) -> Sequence[Removed]:
        """Remove releases without a role, leftovers of downloads, and files of no release.

        What a running process has open or mapped stays. Waits for a fetch of this source to end.

        Args:
            keep: how many further releases to keep, those fetched last.
            is_dry_run: whether to remove nothing.
            made_from: returns folders that were made from a release; they are removed with it, and before it.
            open_files: what processes hold; default: read now.
        """
        if not self.directory.is_dir():
            return []
        held = open_files or OpenFiles()
        with self.fetching():
            with self._changing() as record:
                gone = self._without_use(record, keep, made_from, held)
                removed = [Removed(path, _size_alone(path)) for path in gone]
                aside = [] if is_dry_run else [_set_aside(path) for path in gone]
            # Without the lock of the record, which a server waits for.
            for path in aside:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        return removed

    def _without_use(
        self, record: Record, keep: int, made_from: Callable[[Snapshot], Sequence[Path]], held: OpenFiles
    ) -> Sequence[Path]:
        spare = [each for each in self.list() if each.id not in record.kept]
        folders = [[*made_from(each), each.directory] for each in spare[keep:]]
        gone = [path for each in folders if not any(map(held.holds, each)) for path in each]
        gone += self._snapshots.leftovers()
        gone += [each for each in entries(self.directory) if each.name[0] == "." and each.suffix == ".tmp"]
        gone += [each for each in entries(self.partial) if not held.holds(each)]
        return [*gone, *self._snapshots.blobs_without(gone)]

    def list(self) -> Sequence[Snapshot]:
        """Return every installed release, the one fetched last first."""
        return self._snapshots.all()

    @contextmanager
    def _changing(self) -> Iterator[Record]:
        try:
            with exclusive(self.directory / "record.lock"):
                yield self.record
        except OSError as error:
            remedies = ", or ".join(filter(None, (remedy_for(error), "set cache_dir to another folder")))
            raise StoreError(f"{self.directory}: cannot be written ({error}); {remedies}") from error

    def _write(self, record: Record) -> None:
        write_aside(self.directory / _RECORD, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
        flush(self.directory)
        for name, target in (("current", record.current), ("previous", record.previous)):
            _link(self.directory / name, None if target is None else f"snapshots/{target}")


def _link(path: Path, target: str | None) -> None:
    """Let the link at `path` name `target`, at once; None removes it."""
    if target is None:
        path.unlink(missing_ok=True)
    elif not path.is_symlink() or path.readlink() != Path(target):
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name}~", suffix=".tmp", dir=path.parent))
        try:
            (aside / path.name).symlink_to(target)
            (aside / path.name).rename(path)
        finally:
            aside.rmdir()


def _size_alone(path: Path) -> int:
    """Return the bytes of a file; of a folder, those of files that have no name elsewhere, as blobs have."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in entries(path) if file.stat().st_nlink == 1)


def _set_aside(path: Path) -> Path:
    """Rename a folder, since one that is being emptied would still look complete; return its path, or that of a file."""
    return path.rename(path.with_name(f".{path.name}~gone.tmp")) if path.is_dir() and path.name[0] != "." else path
