"""Snapshots: folders of releases, each of hard links to blobs, which are files by their digest."""

import errno
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loader.errors import ReleaseError
from loader.releases.release import HASH_FILE, VERSION_FILE
from loader.storage.files import sha256_of
from loader.storage.store import Store

#: Digits of an id that people are shown, and must give at least.
SHOWN_DIGITS = 12
_MIN_DIGITS = 4


@dataclass(frozen=True)
class Snapshot:
    """A release on this machine, whole when it was published; `open_release` verifies it."""

    #: The 64 hexadecimal digits of its manifest's sha256.
    id: str
    version: str
    directory: Path

    @property
    def short_id(self) -> str:
        """The digits of the id that people are shown."""
        return self.id[:SHOWN_DIGITS]


class Snapshots:
    """The snapshots and blobs of one source. One process at a time may publish or remove."""

    def __init__(self, directory: Path, source: str) -> None:
        """Keep both in `directory`; `source` is for messages. Makes nothing."""
        self.blobs = directory / "blobs"
        self._directory = directory / "snapshots"
        self._source = source

    def get(self, release_id: str | None) -> Snapshot | None:
        """Return the snapshot of a whole id; None if it is not installed."""
        if release_id is None:
            return None
        directory = self._directory / release_id
        with suppress(OSError, UnicodeDecodeError):
            if (directory / HASH_FILE).is_file():
                return Snapshot(release_id, (directory / VERSION_FILE).read_text(encoding="utf-8").strip(), directory)
        return None

    def find(self, digits: str) -> Snapshot:
        """Return the snapshot whose id begins with `digits`.

        Raises:
            ReleaseError: there is none, or more than one.
        """
        if len(digits) < _MIN_DIGITS or not re.fullmatch("[0-9a-f]+", digits):
            raise ReleaseError(f"{digits[:80]!r} is no release; an id is {_MIN_DIGITS} or more hexadecimal digits")
        found = [each for each in self.all() if each.id.startswith(digits)]
        if len(found) != 1:
            known = ", ".join(each.short_id for each in self.all()) or "none"
            count = "no release" if not found else f"{len(found)} releases"
            raise ReleaseError(f"{self._source}: {count} with the id {digits[:64]}; installed: {known}")
        return found[0]

    def all(self) -> list[Snapshot]:
        """Return every snapshot, the newest first."""
        folders = [each for each in entries(self._directory) if each.name[0] != "." and (each / HASH_FILE).is_file()]
        folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        return [each for folder in folders if (each := self.get(folder.name)) is not None]

    def publish(self, release_id: str, files: Mapping[str, str], proofs: Mapping[str, bytes]) -> Snapshot:
        """Make a snapshot of blobs that are all present, if there is none that is right; see `InstalledReleases.publish`."""

        def make(folder: Path) -> None:
            for name, digest in files.items():
                _link_or_copy(self.blobs / digest, folder / name)
            for name, content in proofs.items():
                if name not in files:
                    (folder / name).write_bytes(content)

        store = Store(self._directory, proof=HASH_FILE)
        before = store.find(release_id)
        store.publish(release_id, make, anew=before is not None and not self._is_right(before, files, proofs))
        # Of the store; the lock of fetches keeps others out.
        (self._directory / f".{release_id}.lock").unlink(missing_ok=True)
        published = self.get(release_id)
        assert published is not None
        return published

    def _is_right(self, folder: Path, files: Mapping[str, str], proofs: Mapping[str, bytes]) -> bool:
        """Whether a snapshot has these blobs, not damaged ones that were replaced since, and these contents."""
        with suppress(OSError):
            return all(
                (folder / name).samefile(self.blobs / digest) or sha256_of(folder / name) == digest
                for name, digest in files.items()
            ) and all(name in files or (folder / name).read_bytes() == content for name, content in proofs.items())
        return False

    def leftovers(self) -> Sequence[Path]:
        """Return the folders that killed processes left."""
        return [each for each in entries(self._directory) if each.name[0] == "."]

    def blobs_without(self, gone: Collection[Path]) -> Sequence[Path]:
        """Return the blobs that no snapshot has once the folders `gone` are removed."""
        left = {
            file.stat().st_ino for folder in entries(self._directory) if folder not in gone for file in entries(folder)
        }
        return [blob for blob in entries(self.blobs) if blob.stat().st_ino not in left]


def entries(folder: Path) -> list[Path]:
    """Return the content of a folder, sorted; nothing if there is no such folder."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _link_or_copy(blob: Path, path: Path) -> None:
    try:
        path.hardlink_to(blob)
    except OSError as error:
        # No hard links on exFAT and some network disks; no more than 65,000 of one file on ext4.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        shutil.copyfile(blob, path)
