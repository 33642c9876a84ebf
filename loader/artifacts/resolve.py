"""From what `model_path` names to a published artifact, baking it if need be."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.artifacts import bake_process
from loader.artifacts.artifact import MANIFEST, artifact_key, is_artifact, this_platform
from loader.artifacts.release import HASH_FILE, Release, open_release
from loader.artifacts.store import Store
from loader.config.settings import Settings, VoiceSettings
from loader.errors import IntegrityError, ModelNotFoundError, UnsupportedModelError

#: Raised whenever the embedded voice is built in another way.
EMBEDDED_VERSION = "joe-1.0.0"

log = logging.getLogger("chorus.loader")

_COQUI_NAME = re.compile(r"tts_models(/\w[\w.-]*){3}")


def locate_artifact(voice: VoiceSettings, settings: Settings, anew: bool = False) -> Path:
    """Return the folder of the artifact that `voice` is to be served from.

    Runs in the master, before the fork. Verifies a model directory, and bakes it in a
    child process the first time, or every time where `anew` is set.

    Raises:
        LoaderError: any of its children; the message names the voice's `model_path`.
    """
    named = Path(voice.model_path)
    if is_artifact(named):
        return named
    release = _release(voice, settings)
    engine = chosen_engine(release, voice, settings)
    key = artifact_key(engine, source_facts(release), this_platform(engine))
    artifacts = Store(settings.cache_dir / "artifacts", proof=MANIFEST)
    if not anew and (found := artifacts.find(key)):
        return found
    return artifacts.publish(key, lambda folder: bake_process.run_bake("voice", release.directory, folder, engine), anew)


def source_facts(release: Release) -> dict[str, Any]:
    """Return what identifies the source of an artifact."""
    return {
        "version": release.version,
        "hashes": dict(release.hashes),
        "coqui_tts": bake_process.coqui_version(),
    }


def speaks_vits(release: Release) -> bool:
    """Whether the release is a VITS, Coqui's or fairseq's. What cannot be read is left for the bake to refuse."""
    config = read_json(release.config_path)
    return is_fairseq(config) or config.get("model", "vits") == "vits"


def is_fairseq(config: Mapping[str, Any]) -> bool:
    """Whether a configuration is the original VITS code's, as fairseq's MMS voices have it."""
    return "train" in config and "data" in config and isinstance(config.get("model"), dict)


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the object in a JSON file, an empty one where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def chosen_engine(release: Release, voice: VoiceSettings, settings: Settings) -> str:
    """Return the engine by family and device: VITS has engines of its own, the rest speaks through Coqui's classes.

    Raises:
        UnsupportedModelError: the configuration wants an engine that does not speak this family.
    """
    wanted = voice.engine or settings.engine
    if wanted == "auto":
        if not speaks_vits(release):
            return "coqui"
        return "onnx" if settings.device == "cpu" else "pytorch"
    if wanted != "coqui" and not speaks_vits(release):
        raise UnsupportedModelError(
            f"{release.config_path}: engine {wanted!r} speaks VITS voices only; set engine: auto or coqui for this voice"
        )
    return wanted


def _release(voice: VoiceSettings, settings: Settings) -> Release:
    releases = Store(settings.cache_dir / "releases", proof=HASH_FILE)
    name = voice.model_path
    memory = settings.cache_dir / "verified.json"
    if name.startswith("embedded/"):
        return _embedded(voice, releases, memory)
    if name.startswith("tts_models/"):
        directory = _fetched(name, releases)
    else:
        directory = Path(name)
    return open_release(directory, voice.version, memory)


def _embedded(voice: VoiceSettings, releases: Store, memory: Path) -> Release:
    """Return the embedded voice's release, building it where it is not there or no longer whole."""
    if voice.model_path != "embedded/joe":
        raise ModelNotFoundError(f"model_path {voice.model_path!r}: the one embedded voice is embedded/joe")
    key = f"embedded-{EMBEDDED_VERSION}"

    def build(folder: Path) -> None:
        bake_process.run_bake("embedded", folder)

    directory = releases.find(key) or releases.publish(key, build)
    try:
        return open_release(directory, voice.version, memory)
    except IntegrityError as error:
        log.warning("the embedded voice is built again: %s", error)
    return open_release(releases.publish(key, build, anew=True), voice.version, memory)


def _fetched(name: str, releases: Store) -> Path:
    if not _COQUI_NAME.fullmatch(name):
        raise ModelNotFoundError(f"model_path {name!r}: a Coqui model name has the form tts_models/en/ljspeech/vits")
    key = name.replace("/", "--")
    return releases.find(key) or releases.publish(key, lambda folder: bake_process.run_bake("fetch", name, folder))
