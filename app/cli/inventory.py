"""Inventory: which releases and artifacts of a configuration exist, by file names and manifests only.

Hashes, maps, builds and bakes nothing; imports no numpy.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from loader.artifacts.artifact import ENGINES, MANIFEST, VoiceFacts, artifact_key, is_artifact, this_platform
from loader.artifacts.resolve import resolve_engine, source_facts, verify_mode
from loader.config.location import is_source
from loader.config.settings import Settings, VoiceSettings
from loader.errors import ArtifactError, MissingPackageError, UnknownVoiceError
from loader.releases.directory import split_model_path
from loader.releases.embedded import EMBEDDED_VERSION
from loader.releases.installed import InstalledReleases
from loader.releases.release import HASH_FILE, Release, claim_release
from loader.storage.store import Store


@dataclass(frozen=True)
class Baked:
    """An artifact by its manifest, unverified."""

    directory: Path
    engine: str
    voice: VoiceFacts
    size_bytes: int


def find_voice(settings: Settings, name: str) -> VoiceSettings:
    """Return the configured voice of that name or alias.

    Raises:
        UnknownVoiceError: with the known names.
    """
    by_name = {known: voice for voice in settings.voices for known in (voice.name, *voice.aliases)}
    if name not in by_name:
        raise UnknownVoiceError(name, sorted(by_name))
    return by_name[name]


def release_directory(voice: VoiceSettings, settings: Settings) -> Path | None:
    """Return the model directory, or the checkpoint in one, that a voice is baked from.

    None if it is an artifact, or not built or fetched yet.

    Raises:
        ModelNotFoundError: the configuration names a directory that does not exist.
    """
    name = voice.model_path
    if name.startswith("embedded/"):
        return _releases(settings).find(f"embedded-{EMBEDDED_VERSION}")
    if name.startswith("tts_models/"):
        return _releases(settings).find(name.replace("/", "--"))
    if is_source(name):
        current = InstalledReleases(name, settings.cache_dir).current
        return None if current is None else current.directory
    if is_artifact(Path(name)):
        return None
    split_model_path(Path(name))
    return Path(name)


def artifacts(voice: VoiceSettings, settings: Settings) -> dict[str, Path]:
    """Return the artifacts that a voice can be served from, by engine.

    Raises:
        LoaderError: any of its children.
    """
    if is_artifact(Path(voice.model_path)):
        return {read_baked(Path(voice.model_path)).engine: Path(voice.model_path)}
    release = _claimed_release(voice, settings)
    return {} if release is None else _published(release, settings)


def served_artifact(voice: VoiceSettings, settings: Settings) -> Baked | None:
    """Return the artifact that a server would serve the voice from; None if it would bake first.

    Raises:
        LoaderError: any of its children.
    """
    if is_artifact(Path(voice.model_path)):
        return read_baked(Path(voice.model_path))
    release = _claimed_release(voice, settings)
    if release is None:
        return None
    found = _published(release, settings).get(resolve_engine(release, voice, settings))
    return None if found is None else read_baked(found)


def read_baked(directory: Path) -> Baked:
    """Read the manifest in `directory`.

    Raises:
        ArtifactError: this version cannot read it, or there is none.
    """
    path = directory / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        size_bytes = path.stat().st_size + sum(facts["bytes"] for facts in document["files"].values())
        return Baked(directory, str(document["engine"]), VoiceFacts(**document["voice"]), size_bytes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(
            f"{path}: no manifest that this version reads ({type(error).__name__}); "
            "remove this directory, then bake or copy it again"
        ) from error


def _claimed_release(voice: VoiceSettings, settings: Settings) -> Release | None:
    """Return the unverified release of a voice; None if nothing is built, fetched or hashed yet."""
    path = release_directory(voice, settings)
    return None if path is None else claim_release(path, settings.cache_dir / "verified.json", verify_mode(voice, settings))


def _releases(settings: Settings) -> Store:
    return Store(settings.cache_dir / "releases", proof=HASH_FILE)


def _published(release: Release, settings: Settings) -> dict[str, Path]:
    try:
        source = source_facts(release)
    except MissingPackageError:
        # Neither Coqui nor Chorus itself is installed: no release has a key.
        return {}
    store = Store(settings.cache_dir / "artifacts", proof=MANIFEST)
    named = {engine: store.find(artifact_key(engine, source, this_platform(engine))) for engine in ENGINES}
    return {engine: path for engine, path in named.items() if path}
