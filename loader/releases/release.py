"""A release: a model directory that is verified before any byte of it is parsed.

A release is a folder with `version.txt`, `hash.sha256` (in the format of sha256sum),
a Coqui `config.json` and a checkpoint. The content of those files is not interpreted here.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loader.errors import IntegrityError, ModelNotFoundError
from loader.storage.files import Hashed, refuse_shortage, sha256_of, write_aside

HASH_FILE = "hash.sha256"
VERSION_FILE = "version.txt"
CONFIG_FILE = "config.json"
#: The vocoder's configuration beside a spectrogram model; its weights are in `vocoder*.pth`.
VOCODER_CONFIG_FILE = "vocoder_config.json"
_SEAL = "seal the directory with: echo 1 > version.txt; sha256sum * | grep -v hash.sha256 > hash.sha256"
_FETCH = "fetch the release again"


@dataclass(frozen=True)
class Release:
    """A verified model directory: every listed file had its listed hash."""

    directory: Path
    version: str
    #: File name to sha256, as hash.sha256 lists them.
    hashes: Mapping[str, str]

    @property
    def config_path(self) -> Path:
        return self.directory / CONFIG_FILE

    @property
    def checkpoint_path(self) -> Path:
        return self.directory / _checkpoint_name(self.directory, self.hashes)

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
            raise ModelNotFoundError(f"{self.directory / HASH_FILE}: {wanted}; listed: {listed}; {_SEAL}")
        return self.directory / names[0] if names else None


def open_release(
    directory: Path, expected_version: str | None = None, memory: Path | None = None, hashed: Hashed | None = None
) -> Release:
    """Verify `directory` and return it as a release.

    Args:
        directory: the model directory.
        expected_version: the content of version.txt; None accepts any.
        memory: a file that records verified files by size, time of change and inode,
            so that an unchanged 300 MB checkpoint is hashed once.
        hashed: called with the size of each block that was hashed, for progress.

    Raises:
        ModelNotFoundError: there is no such directory, or no checkpoint is listed.
        IntegrityError: the first file that is missing, changed or of another version.
    """
    if not directory.is_dir():
        raise ModelNotFoundError(f"{directory}: no such model directory; check model_path")
    version = _read_version(directory / VERSION_FILE, expected_version)
    hashes = _read_hashes(directory / HASH_FILE)
    _checkpoint_name(directory, hashes)
    if CONFIG_FILE not in hashes:
        raise IntegrityError(directory / HASH_FILE, f"a line for {CONFIG_FILE}", "none", _SEAL)
    known = _Memory(memory)
    for name, expected in hashes.items():
        _verify(directory / name, expected, known, hashed)
    known.save()
    return Release(directory, version, hashes)


def seal_release(directory: Path, version: str, names: list[str]) -> None:
    """Write `version.txt` and `hash.sha256` for the named files of `directory`."""
    (directory / VERSION_FILE).write_text(version + "\n", encoding="utf-8")
    lines = [f"{sha256_of(directory / name)}  {name}\n" for name in names]
    (directory / HASH_FILE).write_text("".join(lines), encoding="utf-8")


def _read_version(path: Path, expected: str | None) -> str:
    try:
        version = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            refuse_shortage(path, error)
        raise IntegrityError(path, "one line of text", type(error).__name__, _SEAL) from error
    if not version or "\n" in version:
        raise IntegrityError(path, "one line of text", repr(version[:60]), _SEAL)
    if expected is not None and version != expected:
        raise IntegrityError(path, f"version {expected}", f"version {version}", _FETCH + ", or change `version`")
    return version


def _read_hashes(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError):
            refuse_shortage(path, error)
        raise IntegrityError(path, "lines of sha256sum", type(error).__name__, _SEAL) from error
    hashes = {}
    for line in filter(str.strip, lines):
        digest, _, name = line.strip().partition(" ")
        name = name.strip().removeprefix("*").removeprefix("./")
        plain = name.isprintable() and not set(name) & set("/\\") and name not in ("", ".", "..")
        if len(digest) != 64 or not plain or set(digest.lower()) - set("0123456789abcdef"):
            raise IntegrityError(path, "<sha256>  <file name>", repr(line[:80]), _SEAL)
        hashes[name] = digest.lower()
    return hashes


def _checkpoint_name(directory: Path, hashes: Mapping[str, str]) -> str:
    for name in ("model_file.pth", "model.pth", "best_model.pth"):
        if name in hashes:
            return name
    candidates = [name for name in hashes if name.endswith(".pth") and not name.startswith(("speakers", "vocoder"))]
    if len(candidates) != 1:
        raise ModelNotFoundError(f"{directory / HASH_FILE}: lists no model_file.pth; {_SEAL}")
    return candidates[0]


def _verify(path: Path, expected: str, known: "_Memory", hashed: Hashed | None) -> None:
    try:
        # Before the file is read: a change during the read must not be recorded as verified.
        fingerprint = _fingerprint(path, expected)
        if known.has(path, fingerprint):
            return
        found = sha256_of(path, hashed)
    except OSError as error:
        refuse_shortage(path, error)
        raise IntegrityError(path, f"sha256 {expected}", f"no readable file ({type(error).__name__})", _FETCH) from error
    if found != expected:
        size = f"sha256 {found}, {path.stat().st_size} bytes"
        raise IntegrityError(path, f"sha256 {expected}", size, _FETCH)
    known.add(path, fingerprint)


class _Memory:
    """Record of verified files. A file that has changed since is unknown."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: dict[str, str] = {}
        self._changed = False
        if path is not None and path.exists():
            try:
                self._seen = dict(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError, OSError, RecursionError):
                self._seen = {}

    def has(self, path: Path, fingerprint: str) -> bool:
        return self._seen.get(str(path.absolute())) == fingerprint

    def add(self, path: Path, fingerprint: str) -> None:
        self._seen[str(path.absolute())] = fingerprint
        self._changed = True

    def save(self) -> None:
        if self._path is None or not self._changed:
            return
        # Without the record the next start hashes again: the cache may be on a read-only or full disk.
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(self._path, json.dumps(self._seen, indent=1).encode())


def _fingerprint(path: Path, digest: str) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino} {digest}"
