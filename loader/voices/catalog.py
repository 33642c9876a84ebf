"""The catalog: every configured voice, by name and alias."""

import importlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from loader.artifacts.artifact import map_artifact, read_manifest
from loader.config.settings import Settings, VoiceSettings
from loader.devices.accelerator import Accelerator, Device
from loader.devices.disabled_flag import DisabledFlag
from loader.errors import (
    DeviceError,
    LoaderError,
    ShortageError,
    SpeechError,
    UnavailableVoiceError,
    UnknownLanguageError,
    UnknownVoiceError,
    UnspeakableTextError,
)
from loader.text.espeak import Espeak
from loader.text.front_end import without_region
from loader.text.normalization.early_import import importing
from loader.text.phonemizers import ESPEAK
from loader.voices.lexicons import Lexicons, read_lexicons
from loader.voices.opening import Opener, engine_of
from loader.voices.parts import Parts, VoiceParts
from loader.voices.voice import SpeechOptions, Voice, normalizes

log = logging.getLogger("chorus.loader")


class Catalog:
    """All voices of a process. Made in the master before the fork; immutable, but for the lexicons."""

    def __init__(
        self,
        voices: Sequence[Voice],
        accelerator: Accelerator | None = None,
        espeak: Espeak | None = None,
        missing: Mapping[VoiceSettings, LoaderError] | None = None,
    ) -> None:
        #: In the configuration's order.
        self.voices = tuple(voices)
        #: Configured voices that could not be located or opened, each with the reason.
        self.missing = {voice.name: error for voice, error in (missing or {}).items()}
        self._missing_names = {name: voice.name for voice in missing or () for name in (voice.name, *voice.aliases)}
        #: The device beside the CPU; None if there is none, or no voice that uses one.
        self.accelerator = accelerator
        #: The process that reads text for the voices.
        self.espeak = espeak
        self._by_name = {name: voice for voice in voices for name in (voice.name, *voice.settings.aliases)}

    @property
    def default(self) -> Voice:
        """The first voice of the configuration that is served."""
        return self.voices[0]

    def find(self, name: str | None) -> Voice | None:
        """Return the voice of that name or alias; letter case is ignored if no exact match exists and one voice is left.

        Raises:
            UnavailableVoiceError: it is configured and could not be opened.
        """
        self._refuse_missing(name)
        if not name or name in self._by_name:
            return self._by_name.get(name or "")
        alike = {voice.name: voice for known, voice in self._by_name.items() if known.casefold() == name.casefold()}
        return next(iter(alike.values())) if len(alike) == 1 else None

    def voice(self, name: str | None, language: str | None = None) -> Voice:
        """Return the voice of that name or alias; without a name, the first that speaks `language`.

        Raises:
            UnknownVoiceError: lists the known names.
            UnavailableVoiceError: it is configured and could not be opened.
            UnknownLanguageError: lists the known languages.
        """
        if name:
            self._refuse_missing(name)
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

    def close_unused(self) -> Voice | None:
        """Close the first voice that is open and unused for long, and return it; see `Voice.close_if_unused`.

        One at a time: to drop its sessions takes milliseconds.
        """
        return next((voice for voice in self.voices if voice.parts.close_if_unused()), None)

    def _refuse_missing(self, name: str | None) -> None:
        if (missing := self._missing_names.get(name or "")) is not None:
            raise UnavailableVoiceError(missing, self.missing[missing])

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
        if self.espeak is not None and any(_uses_espeak(voice) for voice in self.voices):
            self.espeak.start(when_ended)

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
            if voice.parts.is_open:
                _warm_up(voice)
        if accelerator.wants_replacement:
            raise DeviceError(f"device {accelerator.name}: lost during warm-up; the log has the reason")


def check_voice(voice: VoiceSettings, artifact: Path, settings: Settings) -> None:
    """Check the configuration of a voice against its artifact, whose weights are not read.

    Raises:
        UnknownSpeakerError, UnknownLanguageError: its default speaker or language does not exist.
        ArtifactError, IntegrityError: the artifact cannot be used.
    """

    def open_nothing() -> Parts:
        raise AssertionError("opened by a check")

    Voice(voice, settings.speech, read_manifest(artifact), VoiceParts(open_nothing))


def named_device(name: str) -> Device:
    """Return the device of that name, such as `cuda:0`. Touches nothing, imports no library of it."""
    device: Device = importlib.import_module("loader.devices.cuda").CudaDevice(name)
    return device


def open_catalog(
    settings: Settings,
    artifacts: Sequence[Path | LoaderError],
    device_of: Callable[[str], Device] = named_device,
    lexicons: Lexicons | None = None,
    serve_others: bool = False,
    beside: Catalog | None = None,
) -> Catalog:
    """Map every voice, and verify and open those that are configured to be open from the start.

    The others are verified when they are first opened, in each process that speaks with them: 100 voices of 61 MB take 0.4 s
    of a core here, and would take 4.8 s if all of them were verified (measured 2026-11-30).

    Reads nothing but the artifacts and lexicon files, and leaves no thread behind. Imports torch or TTS only if
    an artifact's engine needs them. Touches no device: see `Catalog.enter_device`.

    Args:
        settings: the whole configuration.
        artifacts: the result of `locate_all` or `locate_available`.
        device_of: returns a device by its name in the configuration.
        lexicons: the content of the configured files; default: they are read.
        serve_others: serve the others if a voice cannot be opened; `Catalog.missing` has it then.
        beside: a catalog of this process whose mappings and engines are used again for the same artifacts, on a CPU.

    Raises:
        LoaderError: a voice cannot be opened; with `serve_others`, no voice can, or one has a wrong key in the configuration.
    """
    settings.place_library_caches()
    lexicons = read_lexicons(settings) if lexicons is None else lexicons
    if settings.quantization.enabled:
        log.warning("quantization has no quality gate yet: serving at full precision")
    accelerator = None
    if settings.device != "cpu":
        accelerator = Accelerator(device_of(settings.device), DisabledFlag(settings.cache_dir, settings.device_retry_after_s))
    if beside is None or beside.espeak is None or accelerator is not None or beside.accelerator is not None:
        known, espeak = dict[str, Voice](), Espeak()
    else:
        known, espeak = {voice.manifest.key: voice for voice in beside.voices}, beside.espeak
    pairs = list(zip(settings.voices, artifacts, strict=True))
    opened: list[Voice] = []
    missing: dict[VoiceSettings, LoaderError] = {}
    with importing(_normalized_languages(settings, pairs)):
        for voice, found in pairs:
            try:
                opened.append(
                    _share_voice(not opened, voice, found, settings, known)
                    or _map_voice(not opened, voice, found, settings, espeak, accelerator)
                )
            except (ShortageError, SpeechError):
                raise
            except LoaderError as error:
                if not serve_others:
                    raise
                missing[voice] = error
    if not opened:
        raise next(iter(missing.values()))
    catalog = Catalog(opened, _drop_unused(accelerator, opened), espeak, missing)
    catalog.set_lexicons(lexicons)
    return catalog


def _normalized_languages(settings: Settings, pairs: Sequence[tuple[VoiceSettings, Path | LoaderError]]) -> list[str]:
    """Return the languages, without their regions, of the voices that normalize text."""
    languages: list[str] = []
    for voice, path in pairs:
        if isinstance(path, Path) and normalizes(voice, settings.speech):
            with suppress(LoaderError):  # the manifest is damaged: the voice is refused when it is mapped
                languages += map(without_region, read_manifest(path).voice.languages)
    return list(dict.fromkeys(filter(None, languages)))


def _map_voice(
    is_first: bool,
    voice: VoiceSettings,
    path: Path | LoaderError,
    settings: Settings,
    espeak: Espeak,
    accelerator: Accelerator | None,
) -> Voice:
    if isinstance(path, LoaderError):
        raise path
    started_s = time.monotonic()
    artifact = map_artifact(path, map_files=settings.mmap)
    engine = engine_of(artifact)
    stays_open = _opens_early(is_first, voice)
    opener = Opener(artifact, espeak, accelerator)
    if stays_open:
        opener.verify()
    mapped = Voice(
        voice, settings.speech, artifact.manifest, VoiceParts(opener, _close_after_s(is_first, voice, settings)),
        engine.CAPABILITIES,
    )  # fmt: skip
    log.info("voice %s mapped in %.3f s from artifact %s", voice.name, time.monotonic() - started_s, path.name)
    # Workers inherit the libraries, and a voice that is opened later opens fast.
    engine.import_libraries()
    if stays_open:
        mapped.parts.open()
    return mapped


def _share_voice(
    is_first: bool, voice: VoiceSettings, found: Path | LoaderError, settings: Settings, known: Mapping[str, Voice]
) -> Voice | None:
    """Return a voice over the mapping of a known one; None if there is none of the same artifact."""
    same = known.get(read_manifest(found).key) if known and isinstance(found, Path) else None
    if same is None:
        return None
    shared = same.with_settings(voice, settings.speech, _close_after_s(is_first, voice, settings))
    if _opens_early(is_first, voice):
        shared.parts.open()
    return shared


def _opens_early(is_first: bool, voice: VoiceSettings) -> bool:
    """Whether a voice is opened before the first speech."""
    return is_first if voice.preload is None else voice.preload


def _close_after_s(is_first: bool, voice: VoiceSettings, settings: Settings) -> float | None:
    return None if _opens_early(is_first, voice) else settings.close_unused_s


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
