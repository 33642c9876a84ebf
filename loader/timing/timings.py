"""When what is heard: the words and phonemes of an utterance, in samples. Knows no audio and no clock."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Mark:
    """One thing that is heard, and when: samples at the voice's rate from the first sample of the whole audio."""

    text: str
    start_samples: int
    end_samples: int


@dataclass(frozen=True)
class Timing:
    """When one utterance is heard, and what of it when. Positions are those of `Mark`."""

    #: Number of the sentence it belongs to, from 0; parts of a long sentence share it.
    sentence: int
    #: The text it was read from, as the client wrote it.
    text: str
    start_samples: int
    end_samples: int
    #: Words as written, in order, with no overlap. Empty where the voice does not know its durations.
    words: tuple[Mark, ...] = ()
    #: Sounds alone: neither white space nor punctuation. Empty like `words`.
    phonemes: tuple[Mark, ...] = ()

    def later(self, samples: int) -> "Timing":
        """Return the same, so many samples later."""

        def moved(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
            return tuple(Mark(each.text, each.start_samples + samples, each.end_samples + samples) for each in marks)

        return replace(
            self,
            start_samples=self.start_samples + samples,
            end_samples=self.end_samples + samples,
            words=moved(self.words),
            phonemes=moved(self.phonemes),
        )
