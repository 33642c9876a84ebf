"""The catalogue: every configured voice, opened, by name and alias."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loader.acoustics import VitsEngine
from loader.artifact import open_artifact, this_platform
from loader.config import Settings, VoiceSettings
from loader.engines import onnx
from loader.errors import UnknownVoiceError
from loader.sources import locate_artifact
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd
from loader.voice import Voice

log = logging.getLogger("chorus.loader")


class Catalogue:
    """All voices of a process. Opened once, in the master before the fork; immutable."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self.voices = tuple(voices)
        self._by_name: Mapping[str, Voice] = {
            name: voice for voice in voices for name in (voice.name, *voice.settings.aliases)
        }

    @property
    def default(self) -> Voice:
        """The first voice of the configuration."""
        return self.voices[0]

    def voice(self, name: str | None) -> Voice:
        """Return the voice of that name or alias, the default one for None or "".

        Raises:
            UnknownVoiceError: with the names there are.
        """
        if not name:
            return self.default
        found = self._by_name.get(name)
        if found is None:
            raise UnknownVoiceError(name, sorted(self._by_name))
        return found


def locate_all(settings: Settings, anew: bool = False) -> list[Path]:
    """Return one published artifact for every configured voice; bakes what is missing, or all of it `anew`."""
    return [locate_artifact(voice, settings, anew) for voice in settings.voices]


def verify_all(settings: Settings, artifacts: Sequence[Path]) -> None:
    """Verify every byte of the artifacts, and let go of them again.

    Raises:
        LoaderError: any of its children.
    """
    for path in artifacts:
        open_artifact(path, this_platform(onnx.version()), map_files=settings.mmap)


def open_catalogue(settings: Settings, artifacts: Sequence[Path]) -> Catalogue:
    """Open every voice from its artifact.

    Reads nothing but the artifacts, starts no thread, and imports neither torch nor TTS.

    Args:
        settings: the whole configuration.
        artifacts: what `locate_all` returned.

    Raises:
        LoaderError: any of its children.
    """
    if settings.device != "cpu":
        log.warning("device %s has no engine yet: serving on the CPU", settings.device)
    if settings.quantization.enabled:
        log.warning("quantization has no quality gate yet: serving at full precision")
    espeak = Espeak()
    pairs = zip(settings.voices, artifacts, strict=True)
    return Catalogue([_open_voice(voice, path, settings, espeak) for voice, path in pairs])


def _open_voice(voice: VoiceSettings, path: Path, settings: Settings, espeak: Espeak) -> Voice:
    started_s = time.monotonic()
    artifact = open_artifact(path, this_platform(onnx.version()), map_files=settings.mmap)
    facts = artifact.manifest.voice
    engine = VitsEngine(onnx.OnnxNetworks(artifact), facts.samples_per_frame, facts.margin_frames)
    front_end = TextFrontEnd(artifact.manifest.text, artifact.buffers, espeak)
    opened = Voice(voice, settings.speech, artifact.manifest, engine, front_end)
    log.info("voice %s opened in %.3f s from artifact %s", voice.name, time.monotonic() - started_s, path.name)
    return opened
