"""What a configured voice needs beyond the packages that serve: torch and Coqui, for a bake or to speak.

Decided without either of them, before anything is baked.
"""

from pathlib import Path

from loader.artifacts.artifact import MANIFEST, artifact_key, is_artifact, read_manifest, this_platform
from loader.artifacts.resolve import fetched_key, resolve_engine, source_facts, verify_mode
from loader.config.location import is_source
from loader.config.settings import Settings, VoiceSettings
from loader.releases.fetch_process import snapshot_to_serve
from loader.releases.release import HASH_FILE, Release, open_release
from loader.storage.store import Store


def torch_needed_to(voice: VoiceSettings, settings: Settings) -> str | None:
    """Return what `voice` needs torch and Coqui for, such as `bake its checkpoint`; None if it needs neither.

    Verifies a model directory, and fetches the release of a source that has none here yet, as the start would.

    Raises:
        LoaderError: the model directory or artifact is missing or damaged.
    """
    if is_artifact(Path(voice.model_path)):
        return _speak_by(read_manifest(Path(voice.model_path)).engine)
    if voice.model_path.startswith("embedded/"):
        return None
    release = _find_release(voice, settings)
    if release is None:
        return "download the model"
    engine = resolve_engine(release, voice, settings)
    if release.is_piper:
        return None
    if needed := _speak_by(engine):
        return needed
    key = artifact_key(engine, source_facts(release), this_platform(engine))
    is_baked = settings.use_cache and Store(settings.cache_dir / "artifacts", proof=MANIFEST).find(key) is not None
    return None if is_baked else "bake its checkpoint"


def _find_release(voice: VoiceSettings, settings: Settings) -> Release | None:
    """Return the verified release of `voice`; None if Coqui has still to download it."""
    memory = settings.cache_dir / "verified.json"
    if is_source(voice.model_path):
        return open_release(snapshot_to_serve(voice, settings).directory, memory=memory)
    directory: Path | None = Path(voice.model_path)
    if voice.model_path.startswith("tts_models/"):
        directory = Store(settings.cache_dir / "releases", proof=HASH_FILE).find(fetched_key(voice.model_path))
    verify = verify_mode(voice, settings)
    return None if directory is None else open_release(directory, voice.version, memory, verify=verify)


def _speak_by(engine: str) -> str | None:
    return None if engine == "onnx" else f"speak by the {engine} engine"
