"""The catalogue: every configured voice, by name and alias, each in its newest generation."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loader.artifacts.artifact import open_artifact
from loader.artifacts.resolve import locate_artifact
from loader.config.settings import Settings, VoiceSettings
from loader.devices.accelerator import Accelerator, Device
from loader.devices.marker import Marker
from loader.errors import DeviceError, UnknownLanguageError, UnknownVoiceError, UnspeakableTextError
from loader.text.espeak import Espeak
from loader.text.phonemizers import ESPEAK
from loader.voices.opening import import_libraries, named_device, open_parts
from loader.voices.voice import Delivery, Voice

log = logging.getLogger("chorus.loader")


class Catalogue:
    """All voices of a process. Made in the master before the fork.

    A voice may be replaced at any time. Whoever holds the old one speaks with it to the
    end: its mapping lives as long as the last request that uses it.
    """

    def __init__(
        self, voices: Sequence[Voice], accelerator: Accelerator | None = None, espeak: Espeak | None = None
    ) -> None:
        #: What the voices may speak on beside the CPU; None where there is nothing, or none that would.
        self.accelerator = accelerator
        self._espeak = espeak
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
        raise UnknownLanguageError(language, "no voice speaks", known)

    def start_reader(self, when_ended: Callable[[], None]) -> None:
        """Start the process that reads text for this one, if a voice uses espeak-ng.

        Best called in a worker right after the fork, before it has a second thread and a larger heap; without it the
        first text starts the process. Does nothing if it is there.

        Args:
            when_ended: called whenever a text has ended the process; another one is started.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        if self._espeak is not None and any(_uses_espeak(voice) for voice in self._voices):
            self._espeak.start(when_ended)

    def enter_device(self) -> None:
        """Enter the device and have every open voice speak on it, so that no request waits for that.

        Runs after the fork; does nothing where there is no device. A device whose memory
        is full is left for the CPU, which is no error.

        Raises:
            DeviceError: the device cannot be used, or was lost.
            LoaderError: a voice could not speak.
        """
        accelerator = self.accelerator
        if accelerator is None:
            return
        accelerator.enter()
        for voice in self._voices:
            if voice.is_open:
                _speak_a_little(voice)
        if accelerator.wants_replacement:
            raise DeviceError(f"device {accelerator.name}: lost while warming up; the log says by what")

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


def open_catalogue(
    settings: Settings, artifacts: Sequence[Path], device_of: Callable[[str], Device] = named_device
) -> Catalogue:
    """Map and verify every voice, and open those that are to be open from the start.

    Reads nothing but the artifacts and starts no thread. Imports torch or TTS only
    where an artifact's engine is theirs. Touches no device: see `Catalogue.enter_device`.

    Args:
        settings: the whole configuration.
        artifacts: what `locate_all` returned.
        device_of: a device by the name that the configuration gives it.

    Raises:
        LoaderError: any of its children.
    """
    if settings.quantization.enabled:
        log.warning("quantization has no quality gate yet: serving at full precision")
    accelerator = _accelerator(settings, device_of)
    espeak = Espeak()
    pairs = zip(settings.voices, artifacts, strict=True)
    voices = [
        _map_voice(position, voice, path, settings, espeak, accelerator) for position, (voice, path) in enumerate(pairs)
    ]
    return Catalogue(voices, _if_wanted(accelerator, voices), espeak)


def _map_voice(
    position: int,
    voice: VoiceSettings,
    path: Path,
    settings: Settings,
    espeak: Espeak,
    accelerator: Accelerator | None,
) -> Voice:
    started_s = time.monotonic()
    artifact = open_artifact(path, map_files=settings.mmap)
    mapped = Voice(voice, settings.speech, artifact.manifest, lambda: open_parts(artifact, espeak, accelerator))
    log.info("voice %s mapped in %.3f s from artifact %s", voice.name, time.monotonic() - started_s, path.name)
    import_libraries(artifact.manifest.engine)
    if position == 0 if voice.preload is None else voice.preload:
        mapped.open()
    return mapped


def _accelerator(settings: Settings, device_of: Callable[[str], Device]) -> Accelerator | None:
    if settings.device == "cpu":
        return None
    return Accelerator(device_of(settings.device), Marker(settings.cache_dir, settings.device_retry_after_s))


def _if_wanted(accelerator: Accelerator | None, voices: Sequence[Voice]) -> Accelerator | None:
    """Return the accelerator where a voice can use it: entering it takes every worker hundreds of megabytes there.

    Raises:
        NoDeviceError: one would, and this installation cannot.
    """
    if accelerator is None:
        return None
    without = [voice.name for voice in voices if not voice.uses_device]
    if without:
        log.warning("device %s is not used by voices of the onnx engine: %s", accelerator.name, ", ".join(without))
    if len(without) == len(voices):
        return None
    accelerator.require_library()
    return accelerator


def _uses_espeak(voice: Voice) -> bool:
    text = voice.manifest.text
    return text is not None and any(name == ESPEAK for name, _language in text.phonemizers.values())


def _speak_a_little(voice: Voice) -> None:
    try:
        for _ in voice.speak("Hello.", Delivery(seed=0)):
            pass
    except UnspeakableTextError:
        log.info("voice %s has no sound for the text it was to warm up with", voice.name)
