"""What an engine is. Knows phoneme ids and samples; no text, no files, no requests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
    #: How much faster than that, as a listener measures it.
    speed: float = 1.0

    @property
    def stretch(self) -> float:
        """What durations are multiplied by, for networks that take one number."""
        return self.length_scale / self.speed


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


#: Makes a stretch of samples, or none where it prepares what follows. Called once, in any thread, while others of the
#: same utterance may run. Raises SynthesisError where the network produced something that is not audio.
Work = Callable[[], Samples]

NO_SAMPLES: Samples = np.empty(0, dtype=np.float32)
NO_SAMPLES.flags.writeable = False


@dataclass(frozen=True)
class Plan:
    """An utterance that is read and measured, and still to be made audible."""

    #: How many samples each id lasts; None where an engine learns it only by speaking.
    samples_per_id: npt.NDArray[np.int64] | None
    #: What makes its samples, in order. To be taken by one thread at a time.
    work: Iterator[Work]


class Engine(Protocol):
    """Speaks utterances of one voice. Must be usable from several threads at once."""

    def plan(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Plan:
        """Return what is to be done to have one utterance spoken.

        Args:
            utterance: what to say.
            random: the only source of chance; the same state gives the same samples, whoever does the work.
            soon: make the first windows short, because somebody is waiting for them.

        Raises:
            SynthesisError: the network produced something that is not a duration.
        """
        ...
