"""Artifacts of releases that are removed: what was baked from a release goes with it, unless it is used otherwise."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from loader.artifacts.artifact import MANIFEST
from loader.config.location import is_source
from loader.config.settings import Settings
from loader.releases.hash_list import parse_hash_list
from loader.releases.installed import InstalledReleases, Snapshot
from loader.releases.release import HASH_FILE


def artifacts_made_from(settings: Settings) -> Callable[[Snapshot], Sequence[Path]]:
    """Return a function that returns the artifacts baked from a release alone.

    Left out are those that a configured voice is served from, or a release with a role.
    """
    baked = dict(_baked(settings.cache_dir / "artifacts"))
    named = {Path(voice.model_path) for voice in settings.voices}
    in_use = [_listed(folder) for folder in _folders_in_use(settings)]
    spare = {
        path: source for path, source in baked.items() if path not in named and not any(_is_of(source, each) for each in in_use)
    }

    def made_from(snapshot: Snapshot) -> Sequence[Path]:
        listed = _listed(snapshot.directory)
        return [path for path, source in spare.items() if _is_of(source, listed)]

    return made_from


def _baked(store: Path) -> Iterator[tuple[Path, Mapping[str, str]]]:
    for manifest in sorted(store.glob(f"[!.]*/{MANIFEST}")):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            yield manifest.parent, dict(json.loads(manifest.read_text(encoding="utf-8"))["source"]["hashes"])


def _folders_in_use(settings: Settings) -> Iterator[Path]:
    yield from (Path(voice.model_path) for voice in settings.voices if not is_source(voice.model_path))
    yield from (settings.cache_dir / "releases").glob("[!.]*")
    for source in {voice.model_path for voice in settings.voices if is_source(voice.model_path)}:
        installed = InstalledReleases(source, settings.cache_dir)
        kept = installed.record.kept
        yield from (each.directory for each in installed.list() if each.id in kept)


def _listed(folder: Path) -> Mapping[str, str]:
    # A configured path may name the checkpoint in a folder.
    directory = folder.parent if folder.is_file() else folder
    with suppress(OSError, ValueError):
        return parse_hash_list((directory / HASH_FILE).read_text(encoding="utf-8"))
    return {}


def _is_of(source: Mapping[str, str], listed: Mapping[str, str]) -> bool:
    """Whether all files that an artifact was baked from are those of a release."""
    return bool(source) and source.items() <= listed.items()
