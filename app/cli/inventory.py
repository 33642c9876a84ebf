"""Inventory: which releases and artifacts of a configuration exist, by file names and manifests only.

Hashes, maps, builds and bakes nothing; imports no numpy.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from loader.artifacts.artifact import ENGINES, MANIFEST, VoiceFacts, artifact_key, is_artifact, this_platform
from loader.artifacts.resolve import EMBEDDED_VERSION, resolve_engine, source_facts
from loader.config.settings import Settings, VoiceSettings
from loader.errors import ArtifactError, MissingPackageError, ModelNotFoundError, UnknownVoiceError
from loader.releases.release import HASH_FILE, VERSION_FILE, Release
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
    """Return the model directory a voice is baked from; None if it is an artifact, or not built or fetched yet.

    Raises:
        ModelNotFoundError: the configuration names a directory that does not exist.
    """
    name = voice.model_path
    if name.startswith("embedded/"):
        return _releases(settings).find(f"embedded-{EMBEDDED_VERSION}")
    if name.startswith("tts_models/"):
        return _releases(settings).find(name.replace("/", "--"))
    if is_artifact(Path(name)):
        return None
    if not Path(name).is_dir():
        raise ModelNotFoundError(f"{name}: no such model directory; check model_path")
    return Path(name)


def artifacts(voice: VoiceSettings, settings: Settings) -> dict[str, Path]:
    """Return the artifacts that a voice can be served from, by engine.

    Raises:
        LoaderError: any of its children.
    """
    if is_artifact(Path(voice.model_path)):
        return {read_baked(Path(voice.model_path)).engine: Path(voice.model_path)}
    directory = release_directory(voice, settings)
    return {} if directory is None else _published(claimed_release(directory), settings)


def served_artifact(voice: VoiceSettings, settings: Settings) -> Baked | None:
    """Return the artifact that a server would serve the voice from; None if it would bake first.

    Raises:
        LoaderError: any of its children.
    """
    if is_artifact(Path(voice.model_path)):
        return read_baked(Path(voice.model_path))
    directory = release_directory(voice, settings)
    if directory is None:
        return None
    release = claimed_release(directory)
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


def claimed_release(directory: Path) -> Release:
    """Return a model directory by its version and hashes. Unverified: enough to name its artifact, not to load it.

    Raises:
        ModelNotFoundError: it has no readable version or hashes.
    """
    try:
        version = (directory / VERSION_FILE).read_text(encoding="utf-8").strip()
        lines = (directory / HASH_FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelNotFoundError(
            f"{directory}: not a sealed model directory ({type(error).__name__}); chorus verify says what is wrong"
        ) from error
    pairs = (line.strip().partition(" ") for line in lines if line.strip())
    hashes = {name.strip().removeprefix("*").removeprefix("./"): digest.lower() for digest, _, name in pairs}
    return Release(directory, version, hashes)


def _releases(settings: Settings) -> Store:
    return Store(settings.cache_dir / "releases", proof=HASH_FILE)


def _published(release: Release, settings: Settings) -> dict[str, Path]:
    try:
        source = source_facts(release)
    except MissingPackageError:
        # Without Coqui a model directory cannot be served, even if it was baked before.
        return {}
    store = Store(settings.cache_dir / "artifacts", proof=MANIFEST)
    named = {engine: store.find(artifact_key(engine, source, this_platform(engine))) for engine in ENGINES}
    return {engine: path for engine, path in named.items() if path}
