"""One voice: text in, windows of samples out. Knows no HTTP and no file."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loader.artifact import Manifest
from loader.config import SpeechSettings, VoiceSettings
from loader.engines.base import Engine, Prosody, Samples
from loader.errors import UnspeakableTextError
from loader.text.front_end import TextFrontEnd
from loader.text.sentences import PIECE_CHARACTERS, UTTERANCE_PHONEMES, split_at_breaks, split_sentences

#: Speeds a request may ask for, as OpenAI's endpoint bounds them.
SLOWEST, FASTEST = 0.25, 4.0


@dataclass(frozen=True)
class Delivery:
    """How one request wants its text spoken."""

    #: The same seed gives the same samples, on every worker.
    seed: int
    #: 1 is the voice's own speed, 2 twice as fast; SLOWEST to FASTEST.
    speed: float = 1.0
    #: Make the first window short, because somebody listens while the rest is made.
    soon: bool = False


def random_seed() -> int:
    """Return a seed no other worker will draw: forked processes share every other source of chance."""
    return secrets.randbits(63)


class Voice:
    """A voice ready to speak. Opened in the master before the fork; immutable, used by many threads."""

    def __init__(
        self, settings: VoiceSettings, speech: SpeechSettings, manifest: Manifest, engine: Engine, front_end: TextFrontEnd
    ) -> None:
        self.settings = settings
        self.manifest = manifest
        self._engine = engine
        self._front_end = front_end
        self._pause = np.zeros(round(speech.sentence_pause_s * self.sample_rate_hz), dtype=np.float32)
        self._prosody = _prosody(manifest, speech)

    @property
    def name(self) -> str:
        """What clients call the voice."""
        return self.settings.name

    @property
    def sample_rate_hz(self) -> int:
        """Samples of one second."""
        return self.manifest.voice.sample_rate_hz

    @property
    def language(self) -> str:
        """The voice's language as its maker named it, such as `en-us`."""
        return self.manifest.text.language

    def speak(self, text: str, delivery: Delivery) -> Iterator[Samples]:
        """Yield windows of float32 samples, pauses between sentences included.

        Text is read sentence by sentence as the samples are taken, so that neither time
        to the first window nor memory depends on its length.

        Raises:
            UnspeakableTextError: before the first window, when nothing in `text` makes a sound.
            SynthesisError: the network failed.
        """
        prosody = Prosody(
            self._prosody.length_scale / delivery.speed,
            self._prosody.noise_scale,
            self._prosody.noise_scale_duration,
        )
        spoken = 0
        for sentence in split_sentences(text, self._front_end.language):
            for position, ids in enumerate(self._utterances(sentence)):
                if spoken and position == 0 and self._pause.size:
                    yield self._pause
                # A stream of chance for every utterance, so that none depends on how another was cut.
                random = np.random.Generator(np.random.Philox(key=[delivery.seed, spoken]))
                yield from self._engine.speak(ids, prosody, random, soon=delivery.soon and spoken == 0)
                spoken += 1
        if not spoken:
            raise UnspeakableTextError("nothing in the text can be spoken; send letters or numbers")

    def _utterances(self, sentence: str) -> Iterator[list[int]]:
        for piece in split_at_breaks(sentence, PIECE_CHARACTERS):
            phonemes = self._front_end.phonemes(self._front_end.clean(piece))
            for part in split_at_breaks(phonemes, UTTERANCE_PHONEMES):
                if self._front_end.is_audible(part):
                    yield self._front_end.ids(part)


def _prosody(manifest: Manifest, speech: SpeechSettings) -> Prosody:
    own = manifest.voice
    return Prosody(
        own.length_scale if speech.length_scale is None else speech.length_scale,
        own.noise_scale if speech.noise_scale is None else speech.noise_scale,
        own.noise_scale_duration if speech.noise_scale_duration is None else speech.noise_scale_duration,
    )
