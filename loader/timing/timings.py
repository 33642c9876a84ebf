"""Timings: when each word and phoneme of an utterance is heard, in samples, from the samples of each id."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from loader.text.alignment import WordSpan, sounds
from loader.text.reading import Reading
from loader.text.sentences import UTTERANCE_PHONEMES, split_at_breaks


@dataclass(frozen=True)
class Mark:
    """A word or phoneme and its range in samples, counted from the first sample of the audio."""

    text: str
    start_samples: int
    end_samples: int


@dataclass(frozen=True)
class Timing:
    """The range of one utterance and of its words and phonemes. Positions are those of `Mark`."""

    #: Number of the sentence it belongs to, from 0; parts of a long sentence share it.
    sentence: int
    #: The text it was read from, as the client wrote it.
    text: str
    start_samples: int
    end_samples: int
    #: Words as written, in order, without overlap. Empty if the engine does not know durations.
    words: tuple[Mark, ...] = ()
    #: Without white space and punctuation. Empty like `words`.
    phonemes: tuple[Mark, ...] = ()
    #: The client's marks; each begins and ends at one moment.
    marks: tuple[Mark, ...] = ()
    #: Whether it is a silence after the last sentence, and so of none.
    is_silence: bool = False

    def later(self, samples: int) -> "Timing":
        """Return the timing shifted by `samples`."""

        def moved(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
            return tuple(Mark(each.text, each.start_samples + samples, each.end_samples + samples) for each in marks)

        return replace(
            self,
            start_samples=self.start_samples + samples,
            end_samples=self.end_samples + samples,
            words=moved(self.words),
            phonemes=moved(self.phonemes),
            marks=moved(self.marks),
        )


#: Half-open range of samples, counted from the first one of the audio.
_Span = tuple[int, int]


def timing_of(
    reading: Reading,
    words: Sequence[WordSpan],
    samples_per_id: Sequence[int],
    sentence: int,
    start_samples: int,
    marks: Sequence[tuple[int, str]] = (),
) -> Timing:
    """Return the timing of one utterance.

    The time of white space and punctuation belongs to no word. If the utterance is a part of
    a longer reading, its text is the part with its words.

    Args:
        reading: the spoken utterance.
        words: all words of `reading.text`, with their ranges in `reading.phonemes`.
        samples_per_id: the duration of each of `reading.ids`.
        sentence: number of its sentence, from 0.
        start_samples: the utterance's first sample, counted from the first of the audio.
        marks: names of moments, with positions as those of `words`: each is the beginning of the next word.
    """
    ends = list(accumulate(map(int, samples_per_id), initial=start_samples))
    heard = _time_positions(reading.positions, list(pairwise(ends)))
    # A word that is cut in its middle belongs to the part that it begins in.
    own = [word.first_phoneme >= reading.start for word in words]
    spans = [
        _span(word.first_phoneme, word.last_phoneme, heard) if mine else None for word, mine in zip(words, own, strict=True)
    ]
    moments = _moments(marks, reading, words, spans, ends[-1])
    every = [(sound, _span(sound.start, sound.stop, heard)) for sound in sounds(reading.phonemes)]
    return Timing(
        sentence,
        _part(reading, words),
        start_samples,
        ends[-1],
        tuple(Mark(word.text, *span) for word, span in zip(words, spans, strict=True) if span),
        tuple(Mark(reading.phonemes[sound.start : sound.stop], *span) for sound, span in every if span),
        tuple(Mark(name, moment, moment) for name, moment in moments),
    )


def _moments(
    marks: Sequence[tuple[int, str]], reading: Reading, words: Sequence[WordSpan], spans: Sequence[_Span | None], end: int
) -> Iterator[tuple[str, int]]:
    """Yield the marks of the utterance with their moments: those before its words, and those after the last word of all."""
    stop = len(reading.phonemes) if len(reading.phonemes) <= UTTERANCE_PHONEMES else _end_of_part(reading)
    is_last = stop == len(reading.phonemes)
    firsts = [word.start_character for word in words]
    for place, name in marks:
        following = bisect_left(firsts, place)
        first = words[following].first_phoneme if following < len(words) else len(reading.phonemes)
        if reading.start <= first and (first < stop or is_last):
            yield name, next((span[0] for span in spans[following:] if span), end)


def _time_positions(positions: Sequence[int | None], spans: Sequence[_Span]) -> Mapping[int, _Span]:
    """Return the range of each position, with the blank that follows it.

    A blank belongs as much to the sound before it as to the one after. Added to the one before,
    the first word after a pause begins 3 ms after the audio does (median; 25 ms early to 20 ms late
    for four in five); added to the one after, 10 ms before it (97 to 3 ms early) (2026-11-24).
    """
    heard: dict[int, _Span] = {}
    last: int | None = None
    for position, (start, end) in zip(positions, spans, strict=True):
        if position is not None:
            # A phoneme of a Piper voice may have several ids.
            heard[position] = (start if position != last else heard[position][0], end)
        elif last is not None:
            heard[last] = (heard[last][0], end)
        last = position
    return heard


def _span(first: int, last: int, heard: Mapping[int, _Span]) -> _Span | None:
    """Return the range of the positions [first, last); None if their duration is 0."""
    spans = [heard[position] for position in range(first, last) if position in heard]
    return (spans[0][0], spans[-1][1]) if spans and spans[0][0] < spans[-1][1] else None


def _part(reading: Reading, words: Sequence[WordSpan]) -> str:
    """Return the utterance's text; of a part, from the first word that begins in it to the first of the next part.

    The parts together are the text, each character once, except words that begin in a part without a sound of the
    voice, which is not spoken. A part in which no word begins has no text.
    """
    text = reading.text
    if len(reading.phonemes) <= UTTERANCE_PHONEMES:
        return text
    firsts = [word.first_phoneme for word in words]
    before, after = (bisect_left(firsts, place) for place in (reading.start, _end_of_part(reading)))
    if before == after:
        return "" if words or reading.start else text
    start = words[before].start_character if before else 0
    end = words[after].start_character if after < len(words) else len(text)
    return text[start:end].strip()


def _end_of_part(reading: Reading) -> int:
    """Return where in the phonemes the next part begins, by the front end's cuts."""
    done = 0
    for part in split_at_breaks(reading.phonemes, UTTERANCE_PHONEMES):
        start = reading.phonemes.index(part, done)
        if start > reading.start:
            return start
        done = start + len(part)
    return len(reading.phonemes)
