"""From the samples of each id to when words and sounds are heard."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from loader.text.sentences import UTTERANCE_PHONEMES, split_at_breaks
from loader.text.utterance import Reading
from loader.timing.alignment import WordSpan
from loader.timing.phones import sounds
from loader.timing.timings import Mark, Timing

#: The first sample, and the first that follows; counted from the first of the audio.
_Span = tuple[int, int]


def timing_of(
    reading: Reading, words: Sequence[WordSpan], samples_per_id: Sequence[int], sentence: int, start_samples: int
) -> Timing:
    """Return when one utterance is heard, and what of it when.

    The time of white space and punctuation belongs to no word. Where the utterance is only a
    part of what was read, its text is the part that its words stand in.

    Args:
        reading: what is spoken.
        words: all of `reading.text`, as they lie in `reading.phonemes`.
        samples_per_id: how long each of `reading.ids` lasts.
        sentence: number of its sentence, from 0.
        start_samples: the utterance's first sample, counted from the first of the audio.
    """
    ends = list(accumulate(map(int, samples_per_id), initial=start_samples))
    heard = _heard(reading.positions, list(pairwise(ends)))
    # A word that is cut in its middle belongs to the part that it begins in.
    own = [word.first_phoneme >= reading.start for word in words]
    spans = [
        _span(word.first_phoneme, word.last_phoneme, heard) if mine else None for word, mine in zip(words, own, strict=True)
    ]
    every = [(sound, _span(sound.start, sound.stop, heard)) for sound in sounds(reading.phonemes)]
    return Timing(
        sentence,
        _part(reading, words),
        start_samples,
        ends[-1],
        tuple(Mark(word.text, *span) for word, span in zip(words, spans, strict=True) if span),
        tuple(Mark(reading.phonemes[sound.start : sound.stop], *span) for sound, span in every if span),
    )


def _heard(positions: Sequence[int | None], spans: Sequence[_Span]) -> Mapping[int, _Span]:
    """Return when each position is heard, with the blank that follows it.

    A blank is as much of the sound before it as of the one after. Given to the one before, the
    first word after a pause begins 3 ms after the audio does (median; 25 ms early to 20 ms late
    for four in five); given to the one after, 10 ms before it (97 to 3 ms early) (2026-11-24).
    """
    heard: dict[int, _Span] = {}
    last: int | None = None
    for position, (start, end) in zip(positions, spans, strict=True):
        if position is not None:
            heard[position] = (start, end)
        elif last is not None:
            heard[last] = (heard[last][0], end)
        last = position
    return heard


def _span(first: int, last: int, heard: Mapping[int, _Span]) -> _Span | None:
    """Return when the positions of that range are heard; None where none of them lasts."""
    spans = [heard[position] for position in range(first, last) if position in heard]
    return (spans[0][0], spans[-1][1]) if spans and spans[0][0] < spans[-1][1] else None


def _part(reading: Reading, words: Sequence[WordSpan]) -> str:
    """Return the text that the utterance is of; of a part, from the first word that begins in it to those of the next part.

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
    """Return where in the phonemes the next part begins, by the same cuts as the front end made."""
    done = 0
    for part in split_at_breaks(reading.phonemes, UTTERANCE_PHONEMES):
        start = reading.phonemes.index(part, done)
        if start > reading.start:
            return start
        done = start + len(part)
    return len(reading.phonemes)
