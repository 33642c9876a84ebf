"""The catalogue: every configured voice, by name and alias, each in its newest generation."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loader.artifact import open_artifact
from loader.config import Settings, VoiceSettings
from loader.errors import UnknownLanguageError, UnknownVoiceError
from loader.opening import import_libraries, open_parts
from loader.sources import locate_artifact
from loader.text.espeak import Espeak
from loader.voice import Voice

log = logging.getLogger("chorus.loader")


class Catalogue:
    """All voices of a process. Made in the master before the fork.

    A voice may be replaced at any time. Whoever holds the old one speaks with it to the
    end: its mapping lives as long as the last request that uses it.
    """

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._replacing = threading.Lock()
        self._voices = tuple(voices)
        self._by_name = _by_name(self._voices)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The newest generation of every voice, in the configuration's order."""
        return self._voices

    @property
    def default(self) -> Voice:
        """The first voice of the configuration."""
        return self._voices[0]

    def voice(self, name: str | None, language: str | None = None) -> Voice:
        """Return the voice of that name or alias; where none is named, the first that speaks `language`.

        Raises:
            UnknownVoiceError: with the names there are.
            UnknownLanguageError: with the languages there are.
        """
        if name:
            return self._named(name)
        if not language:
            return self.default
        for voice in self._voices:
            if voice.speaks(language):
                return voice
        known = sorted({known for voice in self._voices for known in voice.languages if known})
        raise UnknownLanguageError(language, "no voice", known)

    def replace(self, voice: Voice) -> None:
        """Put `voice` in the place of the one of its name, for every request from now on.

        Raises:
            UnknownVoiceError: no voice has its name.
            ValueError: it is not of the next generation.
        """
        with self._replacing:
            old = self._named(voice.name)
            if voice.generation != old.generation + 1:
                raise ValueError(f"{voice.name}: generation {voice.generation} cannot follow {old.generation}")
            voices = tuple(voice if each is old else each for each in self._voices)
            # Requests read each of these once, so they see one generation or the other.
            self._voices, self._by_name = voices, _by_name(voices)

    def _named(self, name: str) -> Voice:
        found = self._by_name.get(name)
        if found is None:
            raise UnknownVoiceError(name, sorted(self._by_name))
        return found


def _by_name(voices: Sequence[Voice]) -> Mapping[str, Voice]:
    return {name: voice for voice in voices for name in (voice.name, *voice.settings.aliases)}


def locate_all(settings: Settings, anew: bool = False) -> list[Path]:
    """Return one published artifact for every configured voice; bakes what is missing, or all of it `anew`."""
    return [locate_artifact(voice, settings, anew) for voice in settings.voices]


def verify_all(settings: Settings, artifacts: Sequence[Path]) -> None:
    """Verify every byte of the artifacts, and let go of them again.

    Raises:
        LoaderError: any of its children.
    """
    for path in artifacts:
        open_artifact(path, map_files=settings.mmap)


def open_catalogue(settings: Settings, artifacts: Sequence[Path]) -> Catalogue:
    """Map and verify every voice, and open those that are to be open from the start.

    Reads nothing but the artifacts and starts no thread. Imports torch or TTS only
    where an artifact's engine is theirs.

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
    return Catalogue([_map_voice(position, voice, path, settings, espeak) for position, (voice, path) in enumerate(pairs)])


def _map_voice(position: int, voice: VoiceSettings, path: Path, settings: Settings, espeak: Espeak) -> Voice:
    started_s = time.monotonic()
    artifact = open_artifact(path, map_files=settings.mmap)
    mapped = Voice(voice, settings.speech, artifact.manifest, lambda: open_parts(artifact, espeak))
    log.info("voice %s mapped in %.3f s from artifact %s", voice.name, time.monotonic() - started_s, path.name)
    import_libraries(artifact.manifest.engine)
    if position == 0 if voice.preload is None else voice.preload:
        mapped.open()
    return mapped
