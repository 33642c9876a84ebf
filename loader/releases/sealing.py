"""Sealing: the files of a model directory get their hash list, in their place or in a copy."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from loader.errors import IntegrityError, ModelNotFoundError
from loader.releases.digests import Digests
from loader.releases.directory import HASH_FILE, ModelDirectory
from loader.releases.hash_list import changed_remedy, is_plain_name, read_hash_list, write_seal
from loader.storage.files import Hashed

_BLOCK_BYTES = 4 * 1024 * 1024


def seal_release(directory: Path, version: str, names: Iterable[str], hashed: Hashed | None = None) -> dict[str, str]:
    """Write `version.txt` and `hash.sha256` for the named files of `directory`, and return their digests.

    Raises:
        ModelNotFoundError: a name that the list cannot hold.
        OSError: a file cannot be read, or the folder cannot be written.
    """
    digests = Digests()
    hashes = {name: digests.digest(directory / _require_plain(directory, name), hashed) for name in names}
    write_seal(directory, version, hashes)
    return hashes


def copy_release(found: ModelDirectory, target: Path, version: str, copied: Hashed | None = None) -> dict[str, str]:
    """Copy the files of a model into the empty folder `target`, seal it, and return the digests of what was written.

    Raises:
        IntegrityError: the source is sealed, and a file of it has another hash.
        ModelNotFoundError: a name that the list cannot hold.
        OSError: a file cannot be read or written.
    """
    sealed = (found.directory / HASH_FILE).exists()
    listed = read_hash_list(found.directory) if sealed else {}
    hashes = {}
    for name in found.kept:
        source, digest = found.directory / _require_plain(found.directory, name), hashlib.sha256()
        with source.open("rb") as reader, (target / name).open("wb") as writer:
            while block := reader.read(_BLOCK_BYTES):
                digest.update(block)
                writer.write(block)
                if copied:
                    copied(len(block))
        hashes[name] = digest.hexdigest()
        if name in found.files.roles and listed.get(name, hashes[name]) != hashes[name]:
            raise IntegrityError(source, f"sha256 {listed[name]}", f"sha256 {hashes[name]}", changed_remedy(source.parent))
    write_seal(target, version, hashes)
    return hashes


def _require_plain(directory: Path, name: str) -> str:
    if not is_plain_name(name):
        raise ModelNotFoundError(f"{directory}: {name!r} has characters that a hash list cannot hold; rename the file")
    return name
