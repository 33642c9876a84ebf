"""The catalog: every configured voice, by name and alias."""

import importlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import Artifact, open_artifact, read_manifest
from loader.artifacts.resolve import locate_artifact
from loader.config.settings import Settings, VoiceSettings
from loader.devices.accelerator import Accelerator, Device
from loader.devices.disabled_flag import DisabledFlag
from loader.errors import DeviceError, UnknownLanguageError, UnknownVoiceError, UnspeakableTextError
from loader.text.espeak import Espeak
from loader.text.front_end import TextFrontEnd, without_region
from loader.text.normalization.early_import import importing
from loader.text.phonemizers import ESPEAK
from loader.voices.lexicons import Lexicons, read_lexicons
from loader.voices.voice import Parts, SpeechOptions, Voice, normalizes

log = logging.getLogger("chorus.loader")

#: Coqui finds its classes by importing them, which fails in two threads at once: one got a module for a class.
_opening = threading.Lock()


class Catalog:
    """All voices of a process. Made in the master before the fork; immutable, but for the lexicons."""

    def __init__(
        self, voices: Sequence[Voice], accelerator: Accelerator | None = None, espeak: Espeak | None = None
    ) -> None:
        #: In the configuration's order.
        self.voices = tuple(voices)
        #: The device beside the CPU; None if there is none, or no voice that uses one.
        self.accelerator = accelerator
        self._espeak = espeak
        self._by_name = {name: voice for voice in voices for name in (voice.name, *voice.settings.aliases)}

    @property
    def default(self) -> Voice:
        """The first voice of the configuration."""
        return self.voices[0]

    def find(self, name: str | None) -> Voice | None:
        """Return the voice of that name or alias; letter case is ignored if no exact match exists and one voice is left."""
        if not name or name in self._by_name:
            return self._by_name.get(name or "")
        alike = {voice.name: voice for known, voice in self._by_name.items() if known.casefold() == name.casefold()}
        return next(iter(alike.values())) if len(alike) == 1 else None

    def voice(self, name: str | None, language: str | None = None) -> Voice:
        """Return the voice of that name or alias; without a name, the first that speaks `language`.

        Raises:
            UnknownVoiceError: lists the known names.
            UnknownLanguageError: lists the known languages.
        """
        if name:
            if name not in self._by_name:
                raise UnknownVoiceError(name, sorted(self._by_name))
            return self._by_name[name]
        if not language:
            return self.default
        for voice in self.voices:
            if voice.speaks(language):
                return voice
        known = sorted({known for voice in self.voices for known in voice.languages if known})
        raise UnknownLanguageError(language, "no voice speaks", known)

    def set_lexicons(self, lexicons: Lexicons) -> None:
        """Give every voice its lexicons in place of those that it has. Runs before any request, or in the master."""
        for voice in self.voices:
            voice.lexicons = lexicons.of(voice)

    def start_reader(self, when_ended: Callable[[], None]) -> None:
        """Start this process's espeak-ng reader, if a voice uses espeak-ng and there is none yet.

        Best called in a worker right after the fork, before it has a second thread and a larger heap; otherwise the
        first text starts the reader.

        Args:
            when_ended: called each time a text has ended the reader; a new one is started.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        if self._espeak is not None and any(_uses_espeak(voice) for voice in self.voices):
            self._espeak.start(when_ended)

    def enter_device(self) -> None:
        """Enter the device and let every open voice speak on it, so that no request waits for that.

        Runs after the fork; does nothing without a device. If the device's memory is full, or
        there is no usable device, the voices speak on the CPU (see `Accelerator.enter`).

        Raises:
            DeviceError: the device refused and another attempt may help, or it was lost.
            LoaderError: a voice could not speak.
        """
        accelerator = self.accelerator
        if accelerator is None:
            return
        accelerator.enter()
        for voice in self.voices:
            if voice.is_open:
                _warm_up(voice)
        if accelerator.wants_replacement:
            raise DeviceError(f"device {accelerator.name}: lost during warm-up; the log has the reason")


def locate_all(settings: Settings, anew: bool = False) -> list[Path]:
    """Return one published artifact for every configured voice; bakes missing ones, or all of them if `anew`."""
    return [locate_artifact(voice, settings, anew) for voice in settings.voices]


def verify_all(settings: Settings, artifacts: Sequence[Path]) -> None:
    """Verify every byte of the artifacts, and unmap them."""
    for path in artifacts:
        open_artifact(path, map_files=settings.mmap)


def named_device(name: str) -> Device:
    """Return the device of that name, such as `cuda:0`. Touches nothing, imports no library of it."""
    device: Device = importlib.import_module("loader.devices.cuda").CudaDevice(name)
    return device


def open_catalog(
    settings: Settings,
    artifacts: Sequence[Path],
    device_of: Callable[[str], Device] = named_device,
    lexicons: Lexicons | None = None,
) -> Catalog:
    """Map and verify every voice, and open those that are configured to be open from the start.

    Reads nothing but the artifacts and lexicon files, and leaves no thread behind. Imports torch or TTS only if
    an artifact's engine needs them. Touches no device: see `Catalog.enter_device`.

    Args:
        settings: the whole configuration.
        artifacts: the result of `locate_all`.
        device_of: returns a device by its name in the configuration.
        lexicons: the content of the configured files; default: they are read.
    """
    lexicons = read_lexicons(settings) if lexicons is None else lexicons
    if settings.quantization.enabled:
        log.warning("quantization has no quality gate yet: serving at full precision")
    accelerator = None
    if settings.device != "cpu":
        accelerator = Accelerator(device_of(settings.device), DisabledFlag(settings.cache_dir, settings.device_retry_after_s))
    espeak = Espeak()
    pairs = list(zip(settings.voices, artifacts, strict=True))
    with importing(_normalized_languages(settings, pairs)):
        voices = [
            _map_voice(position, voice, path, settings, espeak, accelerator) for position, (voice, path) in enumerate(pairs)
        ]
    catalog = Catalog(voices, _drop_unused(accelerator, voices), espeak)
    catalog.set_lexicons(lexicons)
    return catalog


def _normalized_languages(settings: Settings, pairs: Sequence[tuple[VoiceSettings, Path]]) -> list[str]:
    """Return the languages, without their regions, of the voices that normalize text."""
    normalizing = [path for voice, path in pairs if normalizes(voice, settings.speech)]
    languages = [without_region(language) for path in normalizing for language in read_manifest(path).voice.languages]
    return list(dict.fromkeys(filter(None, languages)))


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
    engine = _engine_of(artifact)
    mapped = Voice(
        voice, settings.speech, artifact.manifest, lambda: open_parts(artifact, espeak, accelerator), engine.CAPABILITIES
    )
    log.info("voice %s mapped in %.3f s from artifact %s", voice.name, time.monotonic() - started_s, path.name)
    # Workers inherit the libraries, and a voice that is opened later opens fast.
    engine.import_libraries()
    if position == 0 if voice.preload is None else voice.preload:
        mapped.open()
    return mapped


def open_parts(artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None = None) -> Parts:
    """Open the engine and the front end of one artifact.

    Args:
        artifact: mapped and verified.
        espeak: the process's own.
        accelerator: the engine may copy its model there once the process has entered it.
    """
    with _opening:
        return _open_parts(artifact, espeak, accelerator)


def _open_parts(artifact: Artifact, espeak: Espeak, accelerator: Accelerator | None) -> Parts:
    started_s = time.monotonic()
    manifest, module = artifact.manifest, _engine_of(artifact)
    engine = module.open_engine(artifact, accelerator)
    front_end = (
        module.front_end(artifact)
        if manifest.text is None
        else TextFrontEnd(manifest.text, manifest.voice.languages, artifact.buffers, espeak)
    )
    log.info("artifact %s opened in %.3f s by %s", manifest.key, time.monotonic() - started_s, manifest.engine)
    return Parts(engine, front_end)


def _engine_of(artifact: Artifact) -> Any:
    """Return the engine's module (see `loader.engines`)."""
    return importlib.import_module(f"loader.engines.{artifact.manifest.engine}")


def _drop_unused(accelerator: Accelerator | None, voices: Sequence[Voice]) -> Accelerator | None:
    """Return the accelerator if a voice uses it: each worker that enters it takes hundreds of megabytes there.

    Raises:
        NoDeviceError: a voice uses it, and the installed libraries do not support it.
    """
    if accelerator is None:
        return None
    on_cpu = [voice for voice in voices if not voice.capabilities.uses_device]
    if on_cpu:
        engines = ", ".join(sorted({voice.manifest.engine for voice in on_cpu}))
        names = ", ".join(voice.name for voice in on_cpu)
        log.warning("device %s is not used by voices of the %s engine: %s", accelerator.name, engines, names)
    if len(on_cpu) == len(voices):
        return None
    accelerator.require_library()
    return accelerator


def _uses_espeak(voice: Voice) -> bool:
    text = voice.manifest.text
    return text is not None and any(name == ESPEAK for name, _language in text.phonemizers.values())


def _warm_up(voice: Voice) -> None:
    try:
        for _ in voice.speak("Hello.", SpeechOptions(seed=0)):
            pass
    except UnspeakableTextError:
        log.info("voice %s has no sound for the warm-up text", voice.name)
