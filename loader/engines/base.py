"""What an engine is. Knows phoneme ids and samples; no text, no files, no requests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

#: Mono float32 in [-1, 1], shape (n_samples,).
Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prosody:
    """How one utterance is to be spoken."""

    #: Durations are multiplied by this: above 1 is slower.
    length_scale: float
    #: Variation of the sound; 0 is the mean voice.
    noise_scale: float
    #: Variation of the rhythm.
    noise_scale_duration: float

    def faster(self, speed: float) -> "Prosody":
        """Return the same, `speed` times as fast."""
        return replace(self, length_scale=self.length_scale / speed)


@dataclass(frozen=True)
class Utterance:
    """What is said in one breath, how, by whom and in which language."""

    #: Rows of the voice's embedding, with blanks already in.
    ids: Sequence[int]
    prosody: Prosody
    #: Row of `VoiceFacts.speakers`; 0 for a voice of one speaker.
    speaker: int = 0
    #: Row of `VoiceFacts.languages`; 0 for a voice of one language.
    language: int = 0


class Engine(Protocol):
    """Speaks utterances of one voice. Must be usable from several threads at once."""

    def speak(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Iterator[Samples]:
        """Yield the samples of one utterance, window by window.

        Args:
            utterance: what to say.
            random: the only source of chance; the same state gives the same samples.
            soon: make the first window short, because somebody is waiting for it.

        Raises:
            SynthesisError: the network produced something that is not audio.
        """
        ...
