"""Fetch a release: the manifest first, then the files that are missing, each verified, then all of it under one name.

Runs in a child process of the server, or in a command: `loader.releases.fetch_process` starts the child.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import tenacity

from loader.config.settings import ReleaseSettings
from loader.errors import FetchError, MissingFileError, OtherVersionError, SourceError, StoreError, WrongHashError
from loader.releases.hash_list import parse_hash_list
from loader.releases.installed import InstalledReleases, Snapshot
from loader.releases.partial import PartialFile
from loader.releases.release import HASH_FILE, VERSION_FILE
from loader.releases.signature import SIGNATURE_FILE, require_signature
from loader.releases.sources import Source, open_source, read_small
from loader.storage.files import remedy_for, sha256_of

#: A manifest of a thousand files has some 100 kB.
_MAX_MANIFEST_BYTES = 1024 * 1024
_MAX_VERSION_BYTES = 1024
_MAX_FILES = 1000
_TRIES = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 20.0
#: How often a release is planned again that changes while it is fetched.
_PLANS = 3
#: Left free on the disk, for logs and records.
_SPARE_BYTES = 16 * 1024 * 1024


class Report:
    """Receives what happens during a fetch; this one drops it."""

    def progress(self, file: str, done_bytes: int, total_bytes: int | None) -> None:
        """Take the name of the file and the bytes of all files, after every block; None if the source does not say the total."""

    def remark(self, text: str) -> None:
        """Take one line about something unusual."""


@dataclass(frozen=True)
class Plan:
    """What a source offers: verified as far as its small files say."""

    release_id: str
    version: str
    #: Name to digest.
    files: Mapping[str, str]
    #: The small files themselves: version, manifest, signature.
    proofs: Mapping[str, bytes]


def fetch_release(
    installed: InstalledReleases,
    limits: ReleaseSettings,
    version: str | None = None,
    report: Report = Report(),
    pause: Callable[[float], None] = tenacity.nap.sleep,
) -> Snapshot:
    """Fetch what the source offers now, and return it; it gets no role but `latest`.

    Waits for another fetch of the same source to end. Interrupted or killed, it leaves what it has for the next call.
    A version that is wanted and installed is returned if the source offers another one or cannot be reached.

    Args:
        installed: the releases of the source.
        limits: of the configuration.
        version: required content of version.txt; None accepts any.
        report: receives progress and remarks.
        pause: waits that many seconds.

    Raises:
        FetchError: the source cannot be reached, or cuts every answer, or changes all the time.
        SourceError: what it offers is refused.
        StoreError: the disk is full, or the cache cannot be written.
        MissingPackageError: names the extra.
    """
    try:
        return _fetch(installed, limits, version, report, trying_thrice(report, pause))
    except (FetchError, OtherVersionError) as error:
        known = next((each for each in installed.list() if each.version == version), None)
        if known is None:
            raise
        report.remark(f"{error}; release {known.short_id} of version {version} is installed")
        return known


def _fetch(
    installed: InstalledReleases, limits: ReleaseSettings, version: str | None, report: Report, trying: tenacity.Retrying
) -> Snapshot:
    source = open_source(installed.source, limits.timeout_s, limits.public_key is not None)
    try:
        with installed.fetching(lambda: report.remark("waits for another fetch of this source to end")):
            for _ in range(_PLANS):
                plan = read_plan(source, limits, version, trying)
                try:
                    _Download(source, installed, limits, report, trying).run(plan)
                except SourceError:
                    if not _has_changed(source, plan, limits, trying):
                        raise
                else:
                    if not _has_changed(source, plan, limits, trying):
                        return installed.publish(plan.release_id, plan.files, plan.proofs)
                report.remark(f"{source.name} changed while it was read, and is read again")
    except OSError as error:
        remedies = ", or ".join(filter(None, (remedy_for(error), "set cache_dir to another folder")))
        raise StoreError(f"{installed.directory}: cannot be written ({error}); {remedies}") from error
    raise FetchError(f"{source.name}: changed {_PLANS} times while it was read; try again when its upload has ended")


def read_plan(
    source: Source,
    limits: ReleaseSettings,
    version: str | None = None,
    trying: tenacity.Retrying | None = None,
) -> Plan:
    """Read the small files of a release; a signature is checked before anything is parsed.

    Raises:
        LoaderError: as `fetch_release`.
    """
    proofs = (trying or trying_thrice(Report()))(_read_proofs, source, limits.public_key is not None)
    manifest = proofs[HASH_FILE]
    if limits.public_key is not None:
        require_signature(manifest, proofs[SIGNATURE_FILE], Path(limits.public_key), source.name)
    found = _parse_version(source, proofs[VERSION_FILE])
    if version not in (None, found):
        raise OtherVersionError(f"{source.name}: offers version {found}, and the configuration wants {version}")
    files = _parse_manifest(source, manifest)
    if files.get(VERSION_FILE, "") not in ("", hashlib.sha256(proofs[VERSION_FILE]).hexdigest()):
        raise WrongHashError(f"{source.name}/{VERSION_FILE}: not the file that {HASH_FILE} lists")
    return Plan(hashlib.sha256(manifest).hexdigest(), found, files, proofs)


def _read_proofs(source: Source, is_signed: bool) -> dict[str, bytes]:
    proofs = {HASH_FILE: read_small(source, HASH_FILE, _MAX_MANIFEST_BYTES)}
    if is_signed:
        try:
            proofs[SIGNATURE_FILE] = read_small(source, SIGNATURE_FILE, _MAX_MANIFEST_BYTES)
        except MissingFileError as error:
            raise SourceError(f"{error}; releases.public_key is set, so a release needs a signature") from error
    return {**proofs, VERSION_FILE: read_small(source, VERSION_FILE, _MAX_VERSION_BYTES)}


def _parse_version(source: Source, content: bytes) -> str:
    version = content.decode("utf-8", "replace").strip()
    if not version or not version.isprintable() or "\ufffd" in version:
        raise SourceError(f"{source.name}/{VERSION_FILE}: expected one line of text, found {content[:60]!r}")
    return version


def _parse_manifest(source: Source, content: bytes) -> dict[str, str]:
    try:
        files = parse_hash_list(content.decode("utf-8"))
    except ValueError as error:  # of its lines, or no UTF-8
        raise SourceError(f"{source.name}/{HASH_FILE}: {error}") from error
    if not 0 < len(files) <= _MAX_FILES:
        raise SourceError(f"{source.name}/{HASH_FILE}: lists {len(files)} files, expected 1 to {_MAX_FILES}")
    if own := sorted({HASH_FILE, SIGNATURE_FILE} & files.keys()):
        raise SourceError(f"{source.name}/{HASH_FILE}: lists {own[0]}, which it cannot; leave that out")
    return files


def _has_changed(source: Source, plan: Plan, limits: ReleaseSettings, trying: tenacity.Retrying) -> bool:
    """Whether the source offers something else by now: an upload is under way."""
    return trying(_read_proofs, source, limits.public_key is not None) != plan.proofs


def trying_thrice(report: Report, pause: Callable[[float], None] = tenacity.nap.sleep) -> tenacity.Retrying:
    """Return what calls a function up to three times, until it raises no FetchError."""

    def remark(state: tenacity.RetryCallState) -> None:
        assert state.outcome is not None and state.next_action is not None
        report.remark(f"tries again in {state.next_action.sleep:.0f} s: {state.outcome.exception()}")

    return tenacity.Retrying(
        sleep=pause,
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=tenacity.wait_exponential_jitter(_FIRST_PAUSE_S, _LONGEST_PAUSE_S),
        retry=tenacity.retry_if_exception_type(FetchError),
        before_sleep=remark,
        reraise=True,
    )


class _Download:
    """The missing files of one plan, one after another."""

    def __init__(
        self,
        source: Source,
        installed: InstalledReleases,
        limits: ReleaseSettings,
        report: Report,
        trying: tenacity.Retrying,
    ) -> None:
        self._source = source
        self._installed = installed
        self._limits = limits
        self._report = report
        self._trying = trying
        #: Of files that are whole.
        self._done_bytes = 0
        self._total_bytes: int | None = None

    def run(self, plan: Plan) -> None:
        """Have every blob of the plan, or raise; blobs that are right stay in any case."""
        missing: dict[str, str] = {}
        for name, digest in plan.files.items():
            if name == VERSION_FILE:
                self._keep(digest, plan.proofs[VERSION_FILE])
            elif digest not in missing.values() and not self._is_present(digest):
                missing[name] = digest
        self._measure(missing)
        for name, digest in missing.items():
            self._fetch(name, digest)

    def _keep(self, digest: str, content: bytes) -> None:
        if not self._is_present(digest):
            with PartialFile(self._installed.partial, digest) as part:
                part.begin(None)
                part.append(content)
                part.publish(self._installed.blobs / digest)

    def _is_present(self, digest: str) -> bool:
        """Whether the blob is there and right; a damaged one is removed."""
        blob = self._installed.blobs / digest
        if not blob.is_file():
            return False
        if sha256_of(blob) != digest:
            self._report.remark(f"{blob} is damaged, and is fetched again")
            blob.unlink()
            return False
        self._done_bytes += blob.stat().st_size
        return True

    def _measure(self, missing: Mapping[str, str]) -> None:
        """Add up what the source claims, and refuse what is too large for the limit or the disk."""
        sizes = [self._trying(self._source.size_bytes, name) for name in missing]
        known_bytes = sum(size or 0 for size in sizes)
        self._check_size(self._done_bytes + known_bytes)
        self._total_bytes = None if None in sizes else self._done_bytes + known_bytes
        begun_bytes = sum(_size_of(self._installed.partial / f"{digest}.part") for digest in missing.values())
        disk = os.statvfs(self._installed.directory)
        free_bytes, needed_bytes = disk.f_bavail * disk.f_frsize, known_bytes - begun_bytes + _SPARE_BYTES
        if missing and needed_bytes > free_bytes:
            raise StoreError(
                f"{self._installed.directory}: {needed_bytes:,} bytes are needed for {self._source.name}, "
                f"{free_bytes:,} are free; make room there (chorus release gc), or set cache_dir to another folder"
            )

    def _check_size(self, total_bytes: int) -> None:
        if total_bytes > self._limits.max_bytes:
            raise SourceError(
                f"{self._source.name}: {total_bytes:,} bytes, larger than releases.max_bytes ({self._limits.max_bytes:,})"
            )

    def _fetch(self, name: str, digest: str) -> None:
        """Fetch one file; if its hash is wrong, once more from the beginning."""
        try:
            self._trying(self._attempt, name, digest)
        except WrongHashError as error:
            self._report.remark(f"begins again: {error}")
            self._trying(self._attempt, name, digest)

    def _attempt(self, name: str, digest: str) -> None:
        with PartialFile(self._installed.partial, digest) as part:
            try:
                if not part.is_right:
                    self._transfer(name, part)
                if not part.is_right:
                    part.drop()
                    raise WrongHashError(
                        f"{self._source.name}/{name}: {part.size_bytes:,} bytes with the sha256 {part.found}, expected {digest}; "
                        "have the release uploaded again"
                    )
                part.publish(self._installed.blobs / digest)
            except OSError:  # a full disk has better uses for it
                part.drop()
                raise
            self._done_bytes += part.size_bytes

    def _transfer(self, name: str, part: PartialFile) -> None:
        offset_bytes, etag = (part.size_bytes, part.etag) if part.etag else (0, None)
        with self._source.open(name, offset_bytes, etag) as opened:
            if opened.offset_bytes != part.size_bytes or opened.etag not in (None, etag) or not etag:
                part.begin(opened.etag)
            for block in opened.blocks:
                self._check_size(self._done_bytes + part.size_bytes + len(block))
                part.append(block)
                self._report.progress(name, self._done_bytes + part.size_bytes, self._total_bytes)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
