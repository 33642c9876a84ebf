"""Given phonemes: parts of a text are spoken with phonemes of a lexicon or of markup, the rest as the voice reads it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from loader.text.alignment import WordSpan, range_spans, word_core, word_ranges
from loader.text.lexicon.lexicon import Pronunciation


def insert_phonemes(text: str, phonemes: str, given: Sequence[Pronunciation], read: Callable[[str], str]) -> str:
    """Return the phonemes of a text with the given ones for its ranges.

    The text is read as a whole and the given phonemes replace what was read, found by alignment: read in pieces, more than
    half of the words would lose the sounds of their neighbours, such as `the` before a vowel (41 of 73, 2026-11-30).

    Args:
        text: a sentence or less.
        phonemes: read from all of it.
        given: in order, without overlap; a range may be a part of a word, or several words.
        read: as for `word_spans`.
    """
    spans = range_spans(text, _cut_ranges(text, given), phonemes, read)
    for each in reversed(given):
        inside = [span for span in spans if each.start <= span.start_character and span.end_character <= each.stop]
        if inside:
            start, stop, inserted = inside[0].first_phoneme, inside[-1].last_phoneme, each.phonemes
        else:  # the voice reads nothing there
            following = (span.first_phoneme for span in spans if span.start_character >= each.stop)
            start = stop = next(following, spans[-1].last_phoneme if spans else 0)
            inserted = f" {each.phonemes} "
        phonemes = phonemes[:start] + inserted + phonemes[stop:]
    return phonemes


def given_word_spans(text: str, phonemes: str, given: Sequence[Pronunciation], read: Callable[[str], str]) -> list[WordSpan]:
    """Return the spans of words in the phonemes that `insert_phonemes` returned; words that share a range are one."""
    ranges = _joined_ranges(text, given)
    known: dict[str, str] = {}
    for start, stop in ranges:
        start, stop = word_core(text, start, stop)
        inside = [
            replace(each, start=max(each.start, start) - start, stop=min(each.stop, stop) - start)
            for each in given
            if each.start < stop and start < each.stop
        ]
        if inside:
            word = text[start:stop]
            known[word] = insert_phonemes(word, read(word), inside, read)
    return range_spans(text, ranges, phonemes, lambda word: known.get(word) or read(word))


def _cut_ranges(text: str, given: Sequence[Pronunciation]) -> Iterator[tuple[int, int]]:
    """Yield the words of a text, cut where a given range begins or ends inside."""
    for start, stop in word_ranges(text):
        places = sorted({place for each in given for place in (each.start, each.stop) if start < place < stop})
        yield from zip([start, *places], [*places, stop], strict=True)


def _joined_ranges(text: str, given: Sequence[Pronunciation]) -> list[tuple[int, int]]:
    """Return the words of a text, those that share a given range as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in word_ranges(text):
        if joined and any(each.start < joined[-1][1] and start < each.stop for each in given):
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined
