"""Which phonemes are which word: from a text as it was written to ranges of what was read from it."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from loader.timing.phones import Sound, sounds

#: A run without white space. Long dashes, several dots or hyphens and the marks of Chinese and
#: Japanese, which need no space beside them, end one as well.
_RUN = re.compile(r"(?:(?!\.\.|--)[^\s—―…。｡、､，！？；：・「」『』（）《》【】〈〉])+")
#: Unicode takes these for punctuation, but they are read aloud or say how.
_SIGNS = "%&#@/\\§‰′″"
#: And these for symbols, but around a word they are brackets and quotes.
_BRACKETS = "<>|`^~="
_BEFORE_DIGITS = "-\u2212+."
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɩɪɯɵɶʉʊʌʏᵻᵿ")
_VOWEL, _GAP = "V", " "
#: Consonants that turn into each other with what stands beside them.
_ALIKE = str.maketrans("ɾɡɫ", "tgl")


@dataclass(frozen=True)
class WordSpan:
    """A word as written, and the phonemes that it is heard in. Both ranges are half-open."""

    #: Without the punctuation around it, with what is part of it: `$3.50`, `don't`, `a.m.`
    text: str
    #: Where in the written text it stands.
    start_character: int
    end_character: int
    #: Where in the phonemes it stands; never empty, and a sound is at either end.
    first_phoneme: int
    last_phoneme: int


@dataclass(frozen=True)
class _Word:
    """A word that makes a sound, and how it is read by itself."""

    start: int
    stop: int
    phonemes: str


@dataclass(frozen=True)
class _Outline:
    """A string of phonemes reduced to what a neighbour does not change: one symbol a sound, and gaps between them."""

    symbols: str
    #: As many; None where the symbol is a gap.
    sounds: Sequence[Sound | None]


def word_spans(text: str, phonemes: str, read: Callable[[str], str]) -> list[WordSpan]:
    """Find the words of `text` in `phonemes`, in order and without overlap.

    A word is a run without white space; in Chinese, Japanese or Thai, which are written without
    it, that is all that stands between two marks. A run that makes no sound has no span. Where
    there is a span at all, every sound lies in one.

    A word by itself is not read as it is in a sentence: espeak joins `of the`, weakens `a`, and
    spells `VAT` or does not. So all words are read by themselves, and the sequence of that is
    laid upon what was really read, with as much in common as there can be.

    Args:
        text: as it was written; a sentence or less, for the time is quadratic in its length.
        phonemes: what was read from all of it, with white space and punctuation.
        read: turns any text into phonemes, always the same for the same text. Called for each word.
    """
    words = list(_audible_words(text, read))
    together = _outline(phonemes)
    bounds = _bounds([_outline(word.phonemes).symbols for word in words], together.symbols)
    spans = []
    for word, (first, last) in zip(words, pairwise(bounds), strict=True):
        heard = [sound for sound in together.sounds[first:last] if sound]
        if heard:
            span = WordSpan(text[word.start : word.stop], word.start, word.stop, heard[0].start, heard[-1].stop)
            spans.append(span)
    return spans


def _audible_words(text: str, read: Callable[[str], str]) -> Iterator[_Word]:
    for run in _RUN.finditer(text):
        start, stop = _core(text, *run.span())
        phonemes = read(text[start:stop])
        if stop < run.end() and text[stop] == ".":
            with_point = read(text[start : stop + 1])
            # A point that is read as part of the word, as in `Dr.`, or that is not its first, as in `a.m.`
            if not with_point.endswith(".") or _INITIALS.fullmatch(text, start, stop):
                stop, phonemes = stop + 1, with_point
        if any(sounds(phonemes)):
            yield _Word(start, stop, phonemes)


def _core(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return the range without the punctuation around it; all of it where it is nothing else."""
    first, last = start, stop
    while first < last and _is_around(text[first]) and not _begins_number(text, first):
        first += 1
    while first < last and _is_around(text[last - 1]):
        last -= 1
    return (first, last) if first < last else (start, stop)


def _is_around(character: str) -> bool:
    is_punctuation = unicodedata.category(character)[0] in "PZC" and character not in _SIGNS
    return is_punctuation or character in _BRACKETS


def _begins_number(text: str, position: int) -> bool:
    """Whether a sign or a point before digits stands there, as in `-5` and `.5`."""
    return text[position] in _BEFORE_DIGITS and text[position + 1 : position + 2].isdigit()


def _outline(phonemes: str) -> _Outline:
    symbols: list[str] = []
    placed: list[Sound | None] = []
    end = None
    for sound in sounds(phonemes):
        if end is not None and end < sound.start:
            symbols.append(_GAP)
            placed.append(None)
        symbols.append(_class(phonemes[sound.letter]))
        placed.append(sound)
        end = sound.stop
    return _Outline("".join(symbols), placed)


def _class(letter: str) -> str:
    letter = letter.lower()[0]
    return _VOWEL if letter in _VOWELS else letter.translate(_ALIKE)


def _bounds(words: Sequence[str], together: str) -> list[int]:
    """Return where in `together` each word begins, and where the last ends, from the outlines of all of them."""
    from rapidfuzz.distance import LCSseq  # 16 ms, for those who ask for timings (2026-11-24)

    apart = _GAP.join(words)
    anchors = [(-1, -1)]
    for block in LCSseq.opcodes(apart, together).as_matching_blocks():
        anchors += zip(range(block.a, block.a + block.size), range(block.b, block.b + block.size))
    anchors.append((len(apart), len(together)))
    gaps = accumulate((len(word) + 1 for word in words), initial=-1)
    return [_cut(gap, anchors) for gap in gaps]


def _cut(gap: int, anchors: Sequence[tuple[int, int]]) -> int:
    """Return where in `together` two words part, whose gap is at that place when they are apart.

    Args:
        gap: the place.
        anchors: what both have in common, as places apart and together, the ends included. A gap of
            the one between two of them means none of the other: it would be in common.
    """
    after = bisect_left(anchors, (gap, -1))
    if anchors[after][0] == gap:
        return max(0, anchors[after][1])
    (apart_from, start), (apart_to, stop) = anchors[after - 1], anchors[after]
    # They are joined here, and what lies between the anchors is read otherwise: in proportion.
    share = (gap - apart_from - 1) / max(1, apart_to - apart_from - 2)
    return round(start + 1 + share * (stop - start - 1))
