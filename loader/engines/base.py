"""The interface of engines. Knows phoneme ids and samples; no text, no files, no requests."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

#: Mono float32 in [-1, 1], shape (n_samples,).
Samples = npt.NDArray[np.float32]
#: Any float32 array; shapes are given beside it.
Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prosody:
    """Rate and variation of one utterance."""

    #: Durations are multiplied by this: above 1 is slower.
    length_scale: float
    #: Variation of the sound; 0 is the mean voice.
    noise_scale: float
    #: Variation of the rhythm.
    noise_scale_duration: float
    #: The speed on top of that, as a measured ratio of durations.
    speed: float = 1.0

    @property
    def duration_scale(self) -> float:
        """The factor of durations, for networks that take one number."""
        return self.length_scale / self.speed


@dataclass(frozen=True)
class SpeakerMix:
    """Several speakers at once: the mean of their vectors."""

    #: Row of `VoiceFacts.speakers`, and its share; the shares are 1 in all.
    shares: tuple[tuple[int, float], ...]


#: Row of `VoiceFacts.speakers`, or a mix of some.
Speaker = int | SpeakerMix


@dataclass(frozen=True)
class Utterance:
    """The input of an engine: ids with their prosody, speaker and language."""

    #: Rows of the voice's embedding, with blanks already in.
    ids: Sequence[int]
    prosody: Prosody
    #: Row 0 for a voice of one speaker. Engines of the family VITS alone take a mix.
    speaker: Speaker = 0
    #: Row of `VoiceFacts.languages`; 0 for a voice of one language.
    language: int = 0


#: Returns a window of samples, or none if it prepares a later one. Called once, in any thread, while others of the
#: same utterance may run. Raises SynthesisError if the network's output is not audio.
Work = Callable[[], Samples]

NO_SAMPLES: Samples = np.empty(0, dtype=np.float32)
NO_SAMPLES.flags.writeable = False


@dataclass(frozen=True)
class Plan:
    """An utterance whose length is known and whose audio is still to be made."""

    #: Duration of each id in samples; None if the engine learns it only by speaking.
    samples_per_id: npt.NDArray[np.int64] | None
    #: Makes its samples, in order. Iterated by one thread at a time.
    work: Iterator[Work]


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do. Known without its libraries."""

    #: Speaks on an accelerator if there is one.
    uses_device: bool = False
    #: Speaks an utterance in one piece, and in a process one at a time; others speak in windows.
    speaks_whole: bool = False


class Engine(Protocol):
    """Speaks utterances of one voice. Must be usable from several threads at once."""

    def plan(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Plan:
        """Return the work of one utterance.

        Args:
            utterance: the ids to speak.
            random: the only source of chance: the same state gives the same samples, in any thread.
            soon: make the first windows short, because a client waits for them.

        Raises:
            SynthesisError: the network's output is not a duration.
        """
        ...
