"""A release: a model directory that is verified before any byte of it is parsed.

A release is a folder with `version.txt`, `hash.sha256` (in the format of sha256sum), a configuration and a checkpoint.
Of those only the configuration is read here, after its hash.
"""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from loader.errors import IntegrityError, ModelNotFoundError
from loader.releases.configuration import read_document
from loader.releases.digests import Digests
from loader.releases.directory import (
    HASH_FILE,
    VERSION_FILE,
    inspect_directory,
    require_supported,
    split_model_path,
)
from loader.releases.hash_list import (
    changed_remedy,
    format_hash_list,
    read_hash_list,
    read_version,
    seal_remedy,
)
from loader.releases.model_files import CONFIG_FILE, VOCODER_CONFIG_FILE, ChoiceError, Kind, ModelFiles, choose_files
from loader.releases.ownership import find_other_writer
from loader.storage.files import Hashed, refuse_shortage, sha256_of

__all__ = [
    "CONFIG_FILE", "HASH_FILE", "VERSION_FILE", "VOCODER_CONFIG_FILE", "Release", "Verify", "claim_release",
    "open_release",
]  # fmt: skip

#: `require`: every file that is read has its listed hash. `warn`: a directory without a list is served too, if only this
#: user and root can write it. `off`: the same, and no list is compared.
Verify = Literal["require", "warn", "off"]
#: The version of a directory without version.txt.
UNSEALED_VERSION = "unsealed"
#: A listed file that nothing reads is compared up to this size, for a warning only.
_MAX_UNREAD_BYTES = 64 * 1024 * 1024
_FETCH = "fetch the release again"

log = logging.getLogger("chorus.loader")


@dataclass(frozen=True)
class Release:
    """A model directory whose files were hashed; if it is sealed, every file that is read had its listed hash."""

    #: What was opened: the directory, or the checkpoint in it.
    path: Path
    version: str
    #: Name of every file that speaking reads to its sha256.
    hashes: Mapping[str, str]
    files: ModelFiles
    #: Whether `hashes` are those of hash.sha256.
    is_sealed: bool = True
    #: The sha256 of hash.sha256; "" if the directory is not sealed.
    manifest: str = ""

    @property
    def directory(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def is_piper(self) -> bool:
        """Whether it is a Piper voice: a graph with its description."""
        return self.files.kind is Kind.PIPER

    @property
    def config_path(self) -> Path:
        return self.directory / self.files.config

    @property
    def checkpoint_path(self) -> Path:
        return self.directory / self.files.checkpoint

    @property
    def vocoder_path(self) -> Path | None:
        """The vocoder's checkpoint; None if the release has no vocoder.

        Raises:
            ModelNotFoundError: only its checkpoint or only its configuration is listed.
        """
        names = sorted(name for name in self.hashes if name.startswith("vocoder") and name.endswith(".pth"))
        if len(names) != (VOCODER_CONFIG_FILE in self.hashes):
            wanted = f"a vocoder is one vocoder*.pth and {VOCODER_CONFIG_FILE}"
            listed = ", ".join(names) or "no vocoder*.pth"
            raise ModelNotFoundError(f"{self.directory / HASH_FILE}: {wanted}; listed: {listed}; {seal_remedy(self.directory)}")
        return self.directory / names[0] if names else None


def open_release(
    path: Path,
    expected_version: str | None = None,
    memory: Path | None = None,
    hashed: Hashed | None = None,
    verify: Verify = "require",
) -> Release:
    """Verify a model directory and return it as a release.

    Args:
        path: the model directory, or the checkpoint to read in it.
        expected_version: the content of version.txt; None accepts any.
        memory: a file that records digests by size, times and inode,
            so that an unchanged 300 MB checkpoint is hashed once.
        hashed: called with the size of each block that was hashed, for progress.
        verify: what a directory needs to be accepted.

    Raises:
        ModelNotFoundError: there is no such directory, or no model in it.
        UnsupportedModelError: another program's model, or another family.
        IntegrityError: the directory is not sealed; or the first file that is missing, changed or of another version;
            or another user can write a directory that is served without its hashes.
    """
    directory, checkpoint = split_model_path(path)
    digests = Digests(memory)
    if verify == "off" or (verify == "warn" and not (directory / HASH_FILE).exists()):
        release = _open_unsealed(path, expected_version, digests, hashed)
        if verify == "warn":
            log.warning("%s: not sealed; its files are taken as they are: chorus seal records their hashes", directory)
    else:
        release = _open_sealed(path, directory, checkpoint, expected_version, digests, hashed)
    digests.save()
    require_supported(release.files, release.config_path)
    return release


def claim_release(path: Path, memory: Path | None = None, verify: Verify = "require") -> Release | None:
    """Return a release by what its lists claim: enough to name its artifact, not to load it. Hashes no file.

    None if a directory is served without a list and its digests are not recorded in `memory`.

    Raises:
        ModelNotFoundError: there is no such directory, or no model in it.
        IntegrityError: it has no readable version or hashes.
    """
    directory, checkpoint = split_model_path(path)
    if verify == "off" or (verify == "warn" and not (directory / HASH_FILE).exists()):
        files, digests = inspect_directory(path).files, Digests(memory)
        known = {name: digests.recalled(directory / name) for name in sorted(files.roles)}
        hashes = {name: digest for name, digest in known.items() if digest is not None}
        return Release(path, _version_or_none(directory), hashes, files, False) if len(hashes) == len(known) else None
    listed = _require_list(path, directory)
    files = _choose(path, directory, checkpoint, listed)
    return Release(path, read_version(directory), _of(listed, files), files, manifest=sha256_of(directory / HASH_FILE))


def release_id(source: Mapping[str, Any]) -> str:
    """Return the id of the release that an artifact was baked from: the sha256 of its manifest, `hash.sha256`.

    Args:
        source: `Manifest.source` of the artifact.
    """
    if hashes := source.get("hashes"):
        return str(source.get("manifest") or digest_of_hashes(hashes))
    return hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()


def digest_of_hashes(hashes: Mapping[str, str]) -> str:
    """Return the sha256 of the manifest that lists these files alone, as `write_seal` writes it."""
    return hashlib.sha256(format_hash_list(hashes).encode()).hexdigest()


def _open_sealed(
    path: Path, directory: Path, checkpoint: str | None, expected_version: str | None, digests: Digests, hashed: Hashed | None
) -> Release:
    listed = _require_list(path, directory)
    version = read_version(directory, expected_version)
    if CONFIG_FILE in listed:  # before it is parsed
        _verify(directory / CONFIG_FILE, listed[CONFIG_FILE], digests, hashed)
    files = _choose(path, directory, checkpoint, listed)
    hashes = _of(listed, files)
    for name, expected in hashes.items():
        _verify(directory / name, expected, digests, hashed)
    _warn_of_changes(directory, {name: each for name, each in listed.items() if name not in hashes}, digests)
    return Release(path, version, hashes, files, manifest=sha256_of(directory / HASH_FILE))


def _open_unsealed(path: Path, expected_version: str | None, digests: Digests, hashed: Hashed | None) -> Release:
    found = inspect_directory(path)
    directory, names = found.directory, sorted(found.files.roles)
    version = _version_or_none(directory) if expected_version is None else read_version(directory, expected_version)
    try:
        other = find_other_writer(directory, names)
        if other is not None:
            remedy = f"{seal_remedy(directory)}, or remove the write permission of other users"
            raise IntegrityError(directory, "a directory that only this user and root can write", other, remedy)
        hashes = {name: digests.digest(directory / name, hashed) for name in names}
    except OSError as error:
        refuse_shortage(directory, error)
        raise IntegrityError(directory, "readable files", f"{type(error).__name__}: {error}", _FETCH) from error
    return Release(path, version, hashes, found.files, False)


def _require_list(path: Path, directory: Path) -> dict[str, str]:
    """Return the hash list. For a folder without a model the error says that, and not to seal it.

    Raises:
        ModelNotFoundError, IntegrityError: see `open_release`.
    """
    if not (directory / HASH_FILE).exists():
        require_supported((found := inspect_directory(path)).files, directory / found.files.config)
    return read_hash_list(directory)


def _choose(path: Path, directory: Path, checkpoint: str | None, listed: Collection[str]) -> ModelFiles:
    # Empty if it cannot be read: the bake says why.
    config = read_document(directory / CONFIG_FILE) if CONFIG_FILE in listed else None
    try:
        return choose_files(listed, config, checkpoint)
    except ChoiceError as error:
        found = inspect_directory(path)
        if config is None and found.files.kind is not Kind.PIPER:
            remedy = seal_remedy(directory)
            raise IntegrityError(directory / HASH_FILE, f"a line for {CONFIG_FILE}", "none", remedy) from error
        unlisted = f"does not list {found.files.checkpoint}, the checkpoint"
        raise ModelNotFoundError(f"{directory / HASH_FILE}: {unlisted}; {seal_remedy(directory)}") from error


def _of(listed: Mapping[str, str], files: ModelFiles) -> dict[str, str]:
    return {name: listed[name] for name in listed if name in files.roles}


def _version_or_none(directory: Path) -> str:
    return read_version(directory) if (directory / VERSION_FILE).is_file() else UNSEALED_VERSION


def _verify(path: Path, expected: str, digests: Digests, hashed: Hashed | None) -> None:
    try:
        found = digests.digest(path, hashed)
    except OSError as error:
        refuse_shortage(path, error)
        raise IntegrityError(path, f"sha256 {expected}", f"no readable file ({type(error).__name__})", _FETCH) from error
    if found != expected:
        size = f"sha256 {found}, {path.stat().st_size} bytes"
        raise IntegrityError(path, f"sha256 {expected}", size, changed_remedy(path.parent))


def _warn_of_changes(directory: Path, unread: Mapping[str, str], digests: Digests) -> None:
    """Log a warning for listed files that nothing reads and that have changed since."""
    changed = []
    for name, expected in unread.items():
        path = directory / name
        try:
            if path.stat().st_size <= _MAX_UNREAD_BYTES and digests.digest(path) != expected:
                changed.append(name)
        except OSError:
            changed.append(name)
    if changed:
        log.warning("%s: %s changed since it was sealed; speaking reads none of it", directory, ", ".join(changed))
