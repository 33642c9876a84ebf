"""The probe: a sentence that every new voice speaks before a worker serves it, side by side with the voice that it replaces."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.errors import RolloutError
from loader.config.settings import RolloutSettings, Settings, VoiceSettings
from loader.errors import UnspeakableTextError
from loader.voices.catalog import open_catalog
from loader.voices.lexicons import Lexicons
from loader.voices.sample_sentences import sentence_in
from loader.voices.voice import SpeechOptions, Voice

_SEED = 1
#: Bounds of the audio of one character, in seconds: of Chinese a syllable, of fast English a fortieth of a second.
_MIN_S, _MAX_S = 0.01, 1.0
#: A voice below this level is silent, in dB of full scale; quiet ones have -35 dB.
_MIN_LEVEL_DB = -60.0
_PAIRS, _TRIES = 5, 3


@dataclass(frozen=True)
class Probe:
    """One spoken sentence."""

    audio_s: float
    #: Root mean square in dB of full scale; -inf is silence.
    level_db: float
    #: Processor time of this process.
    cpu_s: float

    @property
    def real_time_factor(self) -> float:
        """Seconds of work per second of audio."""
        return self.cpu_s / self.audio_s


def open_voice(voice: VoiceSettings, artifact: Path, settings: Settings) -> Voice:
    """Open one voice on the processor, as its maker made it: a configured speed would hide a changed one.

    Raises:
        LoaderError: any of its children.
    """
    plain = VoiceSettings(voice.name, voice.model_path, speaker=voice.speaker, language=voice.language, preload=True)
    alone = Settings(voices=(plain,), mmap=settings.mmap, path=settings.path)
    return open_catalog(alone, [artifact], lexicons=Lexicons()).default


def speak_probe(voice: Voice, clock: Callable[[], float] = time.process_time) -> Probe | None:
    """Speak the sentence; None if nothing of it has a sound in this voice.

    Raises:
        RolloutError: there are samples that are no numbers.
        LoaderError: the voice cannot speak.
    """
    began_s = clock()
    try:
        samples = np.concatenate(list(voice.speak(sentence_in(voice.language), SpeechOptions(_SEED))))
    except UnspeakableTextError:
        return None
    if not np.isfinite(samples).all():
        raise RolloutError(f"voice {voice.name}: its audio has samples that are no numbers")
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    level_db = 10 * math.log10(power) if power else -math.inf
    return Probe(samples.size / voice.sample_rate_hz, level_db, clock() - began_s)


def require_sound(voice: Voice, probe: Probe) -> None:
    """Refuse audio that is no speech.

    Raises:
        RolloutError: it is silent, too short or too long.
    """
    characters = len(sentence_in(voice.language))
    shortest_s, longest_s = _MIN_S * characters, _MAX_S * characters
    if not shortest_s <= probe.audio_s <= longest_s:
        raise RolloutError(
            f"voice {voice.name}: {characters} characters take {probe.audio_s:.2f} s, expected {shortest_s:g} to {longest_s:g} s"
        )
    if probe.level_db < _MIN_LEVEL_DB:
        raise RolloutError(f"voice {voice.name}: it is silent: {probe.level_db:.0f} dB, expected {_MIN_LEVEL_DB:.0f} dB or more")


def require_alike(name: str, new: Probe, old: Probe, bounds: RolloutSettings) -> None:
    """Refuse audio that is much longer or shorter than that of the voice that is replaced.

    Raises:
        RolloutError: by more than `rollout.length_ratio`.
    """
    ratio = new.audio_s / old.audio_s
    if not 1 / bounds.length_ratio <= ratio <= bounds.length_ratio:
        raise RolloutError(
            f"voice {name}: the same sentence takes {new.audio_s:.2f} s instead of {old.audio_s:.2f} s, {ratio:.2f} times as "
            f"long; at most {bounds.length_ratio:g} times, or raise rollout.length_ratio"
        )


def require_fast(name: str, speak_new: Callable[[], Probe], speak_old: Callable[[], Probe], bounds: RolloutSettings) -> float:
    """Compare the speed of two voices, sentence by sentence in turn; return how many times as long the new one takes.

    Of the processor's time, not of the clock's: the machine serves meanwhile. Measured again before it is refused.

    Raises:
        RolloutError: more than `rollout.slowdown`, each time.
    """
    ratios = []
    for _ in range(_TRIES):
        pairs = [(speak_new(), speak_old()) for _ in range(_PAIRS)]
        ratios.append(statistics.median(new.real_time_factor / old.real_time_factor for new, old in pairs))
        if ratios[-1] <= bounds.slowdown:
            return ratios[-1]
    raise RolloutError(
        f"voice {name}: it takes {min(ratios):.2f} times as long as before; "
        f"at most {bounds.slowdown:g} times, or raise rollout.slowdown"
    )
