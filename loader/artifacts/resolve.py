"""From `model_path` to a published artifact, baked by a child process if need be."""

import importlib.metadata
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import MANIFEST, artifact_key, is_artifact, this_platform
from loader.config.settings import Settings, VoiceSettings
from loader.errors import BakeError, IntegrityError, MissingPackageError, ModelNotFoundError, UnsupportedModelError
from loader.releases.release import HASH_FILE, Release, open_release
from loader.storage.files import remedy_for
from loader.storage.store import Store

_ROOT = Path(__file__).resolve().parents[2]
_BY_HAND = "or set model_path to an artifact baked elsewhere"
#: Version of the embedded voice; raise it when the voice is built differently.
EMBEDDED_VERSION = "joe-1.0.0"
_COQUI_NAME = re.compile(r"tts_models(/\w[\w.-]*){3}")

log = logging.getLogger("chorus.loader")


def coqui_version() -> str:
    """Return the installed coqui-tts version without importing it.

    Raises:
        MissingPackageError: it is not installed, as with the `serve` extra.
    """
    try:
        return importlib.metadata.version("coqui-tts")
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingPackageError(f"baking a voice needs coqui-tts: install the `bake` extra, {_BY_HAND}") from error


def run_bake(command: str, *arguments: str | Path) -> None:
    """Run one command of `python -m loader.bake` in a child, so that serving processes import neither torch nor TTS.

    Its progress goes to standard error.

    Raises:
        BakeError: the child failed and wrote why. Carries the child's exit status.
    """
    coqui_version()
    words = [sys.executable, "-m", "loader.bake", "--parent", str(os.getpid()), command, *map(str, arguments)]
    try:
        status = subprocess.run(words, cwd=_ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        # No more processes or open files, or an interpreter that this user may not run.
        remedies = "; ".join(filter(None, (str(error), remedy_for(error))))
        raise BakeError(f"the bake child cannot be started: {remedies}") from error
    if status != 0:
        ended = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        failure = BakeError(f"the bake child {ended}; its last line above says why")
        failure.exit_status = status if 0 < status < 128 else BakeError.exit_status
        raise failure


def locate_artifact(voice: VoiceSettings, settings: Settings, anew: bool = False) -> Path:
    """Return the folder of the artifact of `voice`.

    Runs in the master, before the fork. Verifies a model directory, and bakes it in a
    child process the first time, or every time if `anew`.

    Raises:
        LoaderError: any of its children; the message names the voice's `model_path`.
    """
    named = Path(voice.model_path)
    if is_artifact(named):
        return named
    release = _open_release(voice, settings)
    engine = resolve_engine(release, voice, settings)
    key = artifact_key(engine, source_facts(release), this_platform(engine))
    artifacts = Store(settings.cache_dir / "artifacts", proof=MANIFEST)
    if not anew and (found := artifacts.find(key)):
        return found
    return artifacts.publish(key, lambda folder: run_bake("voice", release.directory, folder, engine), anew)


def source_facts(release: Release) -> dict[str, Any]:
    """Return the identity of an artifact's source."""
    return {
        "version": release.version,
        "hashes": dict(release.hashes),
        "coqui_tts": coqui_version(),
    }


def speaks_vits(release: Release) -> bool:
    """Whether the release is a VITS, Coqui's or fairseq's. An unreadable configuration is refused by the bake."""
    config = read_json(release.config_path)
    return is_fairseq(config) or config.get("model", "vits") == "vits"


def is_fairseq(config: Mapping[str, Any]) -> bool:
    """Whether a configuration has the original VITS code's format, as fairseq's MMS voices do."""
    return "train" in config and "data" in config and isinstance(config.get("model"), dict)


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the object in a JSON file; an empty one if the file has none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def resolve_engine(release: Release, voice: VoiceSettings, settings: Settings) -> str:
    """Return the engine's name by family and device: VITS has engines of its own, `coqui` speaks the rest.

    Raises:
        UnsupportedModelError: the configured engine does not speak this family.
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


def _open_release(voice: VoiceSettings, settings: Settings) -> Release:
    releases = Store(settings.cache_dir / "releases", proof=HASH_FILE)
    name = voice.model_path
    memory = settings.cache_dir / "verified.json"
    if name.startswith("embedded/"):
        return _open_embedded(voice, releases, memory)
    if name.startswith("tts_models/"):
        directory = _fetch(name, releases)
    else:
        directory = Path(name)
    return open_release(directory, voice.version, memory)


def _open_embedded(voice: VoiceSettings, releases: Store, memory: Path) -> Release:
    """Return the embedded voice's release, built if it does not exist or is damaged."""
    if voice.model_path != "embedded/joe":
        raise ModelNotFoundError(f"model_path {voice.model_path!r}: the only embedded voice is embedded/joe")
    key = f"embedded-{EMBEDDED_VERSION}"

    def build(folder: Path) -> None:
        run_bake("embedded", folder)

    directory = releases.find(key) or releases.publish(key, build)
    try:
        return open_release(directory, voice.version, memory)
    except IntegrityError as error:
        log.warning("the embedded voice is built again: %s", error)
    return open_release(releases.publish(key, build, anew=True), voice.version, memory)


def _fetch(name: str, releases: Store) -> Path:
    if not _COQUI_NAME.fullmatch(name):
        raise ModelNotFoundError(f"model_path {name!r}: a Coqui model name has the form tts_models/en/ljspeech/vits")
    key = name.replace("/", "--")
    return releases.find(key) or releases.publish(key, lambda folder: run_bake("fetch", name, folder))
