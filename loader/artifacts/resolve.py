"""From `model_path` to a published artifact, baked by a child process if need be."""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from loader.artifacts.artifact import MANIFEST, artifact_key, is_artifact, open_artifact, this_platform
from loader.artifacts.installation import coqui_version, require_bake_extra
from loader.config.location import is_source
from loader.config.settings import Settings, VoiceSettings
from loader.errors import (
    BakeError,
    IntegrityError,
    LoaderError,
    ModelNotFoundError,
    ShortageError,
    UnsupportedModelError,
)
from loader.releases.configuration import family_of, is_foreign_vits, read_document
from loader.releases.embedded import EMBEDDED_VERSION, copy_embedded
from loader.releases.fetch_process import snapshot_to_serve
from loader.releases.release import HASH_FILE, Release, Verify, digest_of_hashes, open_release
from loader.storage.files import remedy_for
from loader.storage.store import Store

_ROOT = Path(__file__).resolve().parents[2]
#: Version of the bake of Piper voices; raise it when it writes other graphs, so that voices are baked again.
PIPER_BAKE = 1
_COQUI_NAME = re.compile(r"tts_models(/\w[\w.-]*){3}")

T = TypeVar("T")

log = logging.getLogger("chorus.loader")


def run_bake(command: str, *arguments: str | Path, needs_coqui: bool = True) -> None:
    """Run one command of `python -m loader.bake` in a child, so that serving processes import neither torch nor TTS.

    Its progress goes to standard error.

    Args:
        command: its name.
        arguments: of the command.
        needs_coqui: whether the child imports torch and Coqui.

    Raises:
        MissingPackageError: the packages of the bake are not installed.
        BakeError: the child failed and wrote why. Carries the child's exit status.
    """
    if needs_coqui:
        require_bake_extra()
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


def locate_artifact(voice: VoiceSettings, settings: Settings, anew: bool = False, use_candidates: bool = False) -> Path:
    """Return the folder of the artifact of `voice`.

    Runs in the master, before the fork. Verifies a model directory, and bakes it in a
    child process the first time, or every time if `anew`.

    Args:
        voice: one of `settings.voices`.
        settings: the whole configuration.
        anew: whether an existing artifact is baked again.
        use_candidates: whether the candidate of a source of releases, if there is one, comes before its current release.

    Raises:
        LoaderError: any of its children; the message names the voice's `model_path`.
    """
    named = Path(voice.model_path)
    if is_artifact(named):
        return named
    settings.place_library_caches()
    release = _open_release(voice, settings, use_candidates)
    engine = resolve_engine(release, voice, settings)
    key = artifact_key(engine, source_facts(release), this_platform(engine))
    artifacts = Store(settings.cache_dir / "artifacts", proof=MANIFEST)
    if not anew and (found := artifacts.find(key)):
        return found
    verify = verify_mode(voice, settings)
    options = () if verify == "require" else ("--verify", verify)

    def bake(folder: Path) -> None:
        run_bake("voice", release.path, folder, engine, *options, needs_coqui=not release.is_piper)

    return artifacts.publish(key, bake, anew)


def locate_all(settings: Settings, anew: bool = False, use_candidates: bool = False) -> list[Path]:
    """Return one published artifact for every configured voice; see `locate_artifact`."""
    return [locate_artifact(voice, settings, anew, use_candidates) for voice in settings.voices]


def locate_available(settings: Settings, anew: bool = False, use_candidates: bool = False) -> list[Path | LoaderError]:
    """Return for every configured voice its artifact, or the reason why it has none; see `locate_all`.

    Raises:
        ShortageError: the system is out of something, which concerns every voice.
        LoaderError: of the first voice, if no voice has an artifact.
    """
    return _require_one(
        [_result_or_error(partial(locate_artifact, voice, settings, anew, use_candidates)) for voice in settings.voices]
    )


def verify_all(settings: Settings, artifacts: Sequence[Path | LoaderError]) -> None:
    """Verify every byte of the artifacts, and unmap them.

    Raises:
        LoaderError: of the first voice, if no voice is sound.
    """
    opening = (partial(open_artifact, each, map_files=settings.mmap) for each in artifacts if isinstance(each, Path))
    broken = [each for each in artifacts if isinstance(each, LoaderError)]
    _require_one([*broken, *map(_result_or_error, opening)])


def _result_or_error(make: Callable[[], T]) -> T | LoaderError:
    try:
        return make()
    except ShortageError:
        raise
    except LoaderError as error:
        return error


def _require_one(results: list[T | LoaderError]) -> list[T | LoaderError]:
    errors = [each for each in results if isinstance(each, LoaderError)]
    if errors and len(errors) == len(results):
        raise errors[0]
    return results


def verify_mode(voice: VoiceSettings, settings: Settings) -> Verify:
    """Return how the model directory of `voice` is verified; the ones that Chorus makes itself are always sealed."""
    made = voice.model_path.startswith(("embedded/", "tts_models/")) or is_source(voice.model_path)
    return "require" if made else voice.verify or settings.verify


def source_facts(release: Release) -> dict[str, Any]:
    """Return the identity of an artifact's source."""
    maker = {"piper_bake": PIPER_BAKE} if release.is_piper else {"coqui_tts": coqui_version()}
    # A list may have files that nothing reads; its own hash, which is the release's id, is then another.
    has_more = release.manifest not in ("", digest_of_hashes(release.hashes))
    manifest = {"manifest": release.manifest} if has_more else {}
    return {"version": release.version, "hashes": dict(release.hashes), **manifest, **maker}


def speaks_vits(release: Release) -> bool:
    """Whether the release is a VITS, Coqui's or another maker's. An unreadable configuration is refused by the bake."""
    config = read_document(release.config_path)
    return is_foreign_vits(config) or family_of(config) in ("vits", "")


def resolve_engine(release: Release, voice: VoiceSettings, settings: Settings) -> str:
    """Return the engine's name by family and device: VITS has engines of its own, `coqui` speaks the rest.

    Raises:
        UnsupportedModelError: the configured engine does not speak this family.
    """
    wanted = voice.engine or settings.engine
    if release.is_piper:
        if wanted not in ("auto", "onnx"):
            raise UnsupportedModelError(
                f"{release.checkpoint_path}: engine {wanted!r} speaks no Piper voices; set engine: auto or onnx for this voice"
            )
        return "onnx"
    if wanted == "auto":
        if not speaks_vits(release):
            return "coqui"
        return "onnx" if settings.device == "cpu" else "pytorch"
    if wanted != "coqui" and not speaks_vits(release):
        raise UnsupportedModelError(
            f"{release.config_path}: engine {wanted!r} speaks VITS voices only; set engine: auto or coqui for this voice"
        )
    return wanted


def _open_release(voice: VoiceSettings, settings: Settings, use_candidates: bool) -> Release:
    releases = Store(settings.cache_dir / "releases", proof=HASH_FILE)
    name = voice.model_path
    memory = settings.cache_dir / "verified.json"
    if name.startswith("embedded/"):
        return _open_embedded(voice, releases, memory)
    if is_source(name):
        return open_release(snapshot_to_serve(voice, settings, use_candidates).directory, memory=memory)
    if name.startswith("tts_models/"):
        directory = _fetch(name, releases)
    else:
        directory = Path(name)
    return open_release(directory, voice.version, memory, verify=verify_mode(voice, settings))


def _open_embedded(voice: VoiceSettings, releases: Store, memory: Path) -> Release:
    """Return the embedded voice's release, copied from its package if it does not exist or is damaged."""
    if voice.model_path != "embedded/joe":
        raise ModelNotFoundError(f"model_path {voice.model_path!r}: the only embedded voice is embedded/joe")
    key = f"embedded-{EMBEDDED_VERSION}"

    directory = releases.find(key) or releases.publish(key, copy_embedded)
    try:
        return open_release(directory, voice.version, memory)
    except IntegrityError as error:
        log.warning("the embedded voice is copied again: %s", error)
    return open_release(releases.publish(key, copy_embedded, anew=True), voice.version, memory)


def fetched_key(name: str) -> str:
    """Return the key of a Coqui model name in the store of releases."""
    return name.replace("/", "--")


def _fetch(name: str, releases: Store) -> Path:
    if not _COQUI_NAME.fullmatch(name):
        raise ModelNotFoundError(f"model_path {name!r}: a Coqui model name has the form tts_models/en/ljspeech/vits")
    key = fetched_key(name)
    return releases.find(key) or releases.publish(key, lambda folder: run_bake("fetch", name, folder))
