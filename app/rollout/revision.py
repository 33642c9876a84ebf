"""A revision: everything that a worker serves from. Its id changes with the settings, an artifact or a lexicon file.

A server has one at a time, two during a rollout. Workers have that of their master at the fork, and keep it to their end.
"""

import hashlib
import json
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.system.heap import return_free_memory
from loader.artifacts.artifact import read_manifest
from loader.artifacts.resolve import locate_available
from loader.config.settings import LexiconSettings, Settings
from loader.errors import LoaderError
from loader.storage.files import sha256_of
from loader.voices.catalog import Catalog
from loader.voices.lexicons import Lexicons, read_lexicons

_DIGITS = 12
#: The one that this process serves, or that workers are forked from now on; None before the first.
_adopted: "Revision | None" = None
_reusable: "weakref.ref[Catalog] | None" = None


@dataclass(frozen=True)
class Revision:
    """What is served; immutable."""

    #: Hexadecimal digits: a digest of everything below.
    id: str
    settings: Settings
    #: One for each voice of the settings, or the reason why it has none.
    artifacts: tuple[Path | LoaderError, ...]
    #: The key of each artifact, which is a digest of what it was made from; "" if there is none.
    keys: tuple[str, ...]
    lexicon_hashes: Mapping[str, str]
    lexicons: Lexicons = field(repr=False, compare=False)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The artifact of every voice.

        Raises:
            LoaderError: of the first voice that has none.
        """
        if errors := [each for each in self.artifacts if isinstance(each, LoaderError)]:
            raise errors[0]
        return tuple(each for each in self.artifacts if isinstance(each, Path))

    @property
    def number(self) -> int:
        """The id as a number, for the scoreboard."""
        return int(self.id, 16)


def read_revision(
    settings: Settings,
    artifacts: Sequence[Path | LoaderError] | None = None,
    anew: bool = False,
    use_candidates: bool = False,
    beside: Revision | None = None,
) -> Revision:
    """Read the lexicons, and find or bake the artifacts.

    Args:
        settings: the whole configuration.
        artifacts: one for each voice; default: they are located, and baked if there is none; a voice that has none is left out.
        anew: whether to bake all of them.
        use_candidates: see `locate_artifact`.
        beside: its lexicons are used again if no file has changed: 100,000 entries take 1.4 s to read (2026-11-30).

    Raises:
        LoaderError: any of its children.
    """
    # Before a bake, which takes longer than to find a mistake in a file. Hashed first: a file that changes while it is read
    # must not pass for one that was read.
    hashes = {file.path: _hash_of(Path(file.path)) for file in settings.lexicon_files}
    if beside is not None and beside.lexicon_hashes == hashes and _lexicon_files(beside.settings) == _lexicon_files(settings):
        lexicons = beside.lexicons
    else:
        lexicons = read_lexicons(settings)
    if lexicons.count:
        return_free_memory()  # 75 MB for 100,000 entries (2026-11-30)
    found = tuple(locate_available(settings, anew, use_candidates) if artifacts is None else artifacts)
    keys = tuple(read_manifest(each).key if isinstance(each, Path) else "" for each in found)
    return Revision(_digest(settings, keys, hashes), settings, found, keys, hashes, lexicons)


def revision_of(settings: Settings) -> Revision:
    """Return the adopted revision; the first call in a server reads and adopts it.

    Raises:
        LoaderError: see `read_revision`.
    """
    if _adopted is None or _adopted.settings != settings:
        adopt(read_revision(settings, anew=not settings.use_cache))
    assert _adopted is not None
    return _adopted


def reuse(catalog: Catalog | None) -> None:
    """Let the next catalog of this process share the mappings of this one, for as long as it is open."""
    global _reusable
    _reusable = None if catalog is None else weakref.ref(catalog)


def reusable() -> Catalog | None:
    """Return the catalog whose mappings may be shared; None if there is none."""
    return None if _reusable is None else _reusable()


def adopted() -> Revision | None:
    """Return the revision that workers are forked from now; None before the first."""
    return _adopted


def adopt(revision: Revision) -> None:
    """Serve `revision` from now on, in this process and in those that are forked from it."""
    global _adopted
    _adopted = revision


def _digest(settings: Settings, keys: Sequence[str], hashes: Mapping[str, str]) -> str:
    plain: dict[str, Any] = asdict(settings)
    del plain["path"]
    content = {"settings": plain, "artifacts": list(keys), "lexicons": dict(hashes)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def _lexicon_files(settings: Settings) -> tuple[tuple[LexiconSettings, ...], ...]:
    """Return the files of all voices, and those of any voice."""
    return settings.speech.lexicons, settings.lexicon_files


def _hash_of(path: Path) -> str:
    """Return the hash of a lexicon file; "" if it cannot be read, which `read_lexicons` reports."""
    try:
        return sha256_of(path)
    except OSError:
        return ""
