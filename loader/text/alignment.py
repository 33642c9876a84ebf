"""Word alignment: from the words of a text as written to ranges of the phonemes that were read from it."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from loader.text.normalization.aligned import AlignedText

#: Stress marks, written before their letter.
_STRESS = "ˈˌ"
#: Unicode categories of the marks that are written after their letter: length, nasality, tone.
_FURTHER = ("Lm", "Mn", "Mc", "Me", "Sk")
#: A run without white space. Long dashes, several dots or hyphens and the marks of Chinese and
#: Japanese, which are written without spaces, end a run too.
_RUN = re.compile(r"(?:(?!\.\.|--)[^\s—―…。｡、､，！？；：・「」『』（）《》【】〈〉])+")
#: Punctuation in Unicode, but read aloud.
_SIGNS = "%&#@/\\§‰′″"
#: Symbols in Unicode, but brackets and quotes around a word.
_BRACKETS = "<>|`^~="
_BEFORE_DIGITS = "-\u2212+."
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɩɪɯɵɶʉʊʌʏᵻᵿ")
_VOWEL, _GAP = "V", " "
#: Consonants that change into each other beside other sounds.
_ALIKE = str.maketrans("ɾɡɫ", "tgl")


@dataclass(frozen=True)
class Sound:
    """A letter with its marks, such as `ˈiː`: a half-open range in a string of phonemes."""

    start: int
    stop: int
    #: Position of its letter.
    letter: int


def sounds(phonemes: str) -> Iterator[Sound]:
    """Yield the sounds of `phonemes` in order; between them are white space and punctuation.

    For voices that read letters, every letter and digit is a sound.
    """
    letters = [position for position, symbol in enumerate(phonemes) if _is_letter(symbol)]
    for letter in letters:
        start, stop = letter, letter + 1
        while start > 0 and phonemes[start - 1] in _STRESS:
            start -= 1
        while stop < len(phonemes) and _is_mark(phonemes[stop]):
            stop += 1
        yield Sound(start, stop, letter)


def _is_letter(symbol: str) -> bool:
    return symbol.isalnum() and unicodedata.category(symbol) not in _FURTHER


def _is_mark(symbol: str) -> bool:
    return symbol not in _STRESS and unicodedata.category(symbol) in _FURTHER


@dataclass(frozen=True)
class WordSpan:
    """A word as written, with its ranges in the text and in the phonemes, both half-open."""

    #: Without the punctuation around it, with its own: `$3.50`, `don't`, `a.m.`
    text: str
    #: Range in the written text.
    start_character: int
    end_character: int
    #: Range in the phonemes; never empty, begins and ends with a sound.
    first_phoneme: int
    last_phoneme: int


@dataclass(frozen=True)
class _Word:
    """A word with a sound, and its phonemes when read by itself."""

    start: int
    stop: int
    phonemes: str


@dataclass(frozen=True)
class _Outline:
    """A string of phonemes reduced to the parts that a neighbor does not change: one symbol a sound, and gaps."""

    symbols: str
    #: One for each symbol; None for a gap.
    sounds: Sequence[Sound | None]


def word_spans(text: str, phonemes: str, read: Callable[[str], str]) -> list[WordSpan]:
    """Return the spans of the words of `text` in `phonemes`, in order and without overlap.

    A word is a run without white space; in Chinese, Japanese or Thai, which are written without
    it, all characters between two marks. A run without a sound has no span. If there is a span
    at all, every sound lies in one.

    A word by itself is read differently than in a sentence: espeak joins `of the`, weakens `a`,
    and sometimes spells `VAT`. So every word is read by itself, and the sequence of these
    readings is aligned with the actual one by their longest common subsequence.

    Args:
        text: as written; a sentence or less, because the time is quadratic in its length.
        phonemes: read from all of it, with white space and punctuation.
        read: returns the phonemes of any text, always the same for the same text. Called for each word.
    """
    return range_spans(text, word_ranges(text), phonemes, read)


def range_spans(text: str, ranges: Iterable[tuple[int, int]], phonemes: str, read: Callable[[str], str]) -> list[WordSpan]:
    """Return the spans of ranges of `text`, which are in order and do not overlap, as `word_spans` does for words."""
    words = list(_audible_words(text, ranges, read))
    together = _outline(phonemes)
    bounds = _bounds([_outline(word.phonemes).symbols for word in words], together.symbols)
    spans = []
    for word, (first, last) in zip(words, pairwise(bounds), strict=True):
        heard = [sound for sound in together.sounds[first:last] if sound]
        if heard:
            span = WordSpan(text[word.start : word.stop], word.start, word.stop, heard[0].start, heard[-1].stop)
            spans.append(span)
    return spans


def written_words(words: Sequence[WordSpan], spoken: AlignedText, written: str) -> list[WordSpan]:
    """Return the words as written that spoken words stand for, in order; each stands once, and what has no sound does not.

    Args:
        words: spans in `spoken`.
        spoken: a part of a sentence.
        written: all of the sentence. The positions of the result count from `spoken.start`.
    """
    runs = [run.span() for run in _RUN.finditer(written, spoken.start, spoken.stop)]
    ends = [stop for _start, stop in runs]
    groups: list[_Group] = []
    for word in words if runs else ():
        start, stop = spoken.written_range(word.start_character, word.end_character)
        first = min(bisect_right(ends, start), len(runs) - 1)
        last = max(first, min(bisect_left(ends, stop), len(runs) - 1))
        # What is between two runs, such as a dash, belongs to the run before it.
        last = last if last == first or runs[last][0] < stop else last - 1
        if groups and first <= groups[-1].last:
            groups[-1] = groups[-1].extended(last, stop, word)
        else:
            groups.append(_Group(first, last, start, stop, word.first_phoneme, word.last_phoneme))
    return [group.span(runs, spoken.start, written) for group in groups]


@dataclass(frozen=True)
class _Group:
    """Runs of the written text, from the first to the last, that share spoken words, and the written range of these."""

    first: int
    last: int
    start: int
    stop: int
    first_phoneme: int
    last_phoneme: int

    def extended(self, last: int, stop: int, word: WordSpan) -> "_Group":
        return replace(self, last=max(self.last, last), stop=max(self.stop, stop), last_phoneme=word.last_phoneme)

    def span(self, runs: Sequence[tuple[int, int]], offset: int, written: str) -> WordSpan:
        (first_start, first_stop), (last_start, last_stop) = runs[self.first], runs[self.last]
        start = min(word_core(written, first_start, first_stop)[0], max(first_start, self.start))
        stop = max(word_core(written, last_start, last_stop)[1], min(last_stop, self.stop))
        return WordSpan(written[start:stop], start - offset, stop - offset, self.first_phoneme, self.last_phoneme)


def word_ranges(text: str) -> list[tuple[int, int]]:
    """Return the ranges of the words of `text` with the punctuation around them."""
    return [run.span() for run in _RUN.finditer(text)]


def _audible_words(text: str, ranges: Iterable[tuple[int, int]], read: Callable[[str], str]) -> Iterator[_Word]:
    for first, last in ranges:
        start, stop = word_core(text, first, last)
        phonemes = _read_word(text[start:stop], read)
        if stop < last and text[stop] == ".":
            with_point = read(text[start : stop + 1])
            # The point is read as part of the word, as in `Dr.`, or the word has other points, as in `a.m.`
            if not with_point.endswith(".") or _INITIALS.fullmatch(text, start, stop):
                stop, phonemes = stop + 1, with_point
        if any(sounds(phonemes)):
            yield _Word(start, stop, phonemes)


def _read_word(word: str, read: Callable[[str], str]) -> str:
    """Return the phonemes of a word.

    Coqui's code drops what follows the point of `.9` (coqui-tts 0.28.0); the front end then reads the text from its first
    letter or digit on.
    """
    phonemes = read(word)
    if any(sounds(phonemes)) or not any(map(str.isalnum, word)):
        return phonemes
    return read(word[next(place for place, character in enumerate(word) if character.isalnum()) :])


def is_punctuation(text: str) -> bool:
    """Whether a text has neither letters nor digits nor signs that are read aloud."""
    return all(map(_is_around, text))


def word_core(text: str, start: int, stop: int) -> tuple[int, int]:
    """Return the range without the punctuation around it; all of it if there is nothing else."""
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
    """Whether there is a sign or a point before digits, as in `-5` and `.5`."""
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
    """Return where each word begins in `together`, and where the last one ends, from the words' outlines."""
    from rapidfuzz.distance import LCSseq  # late: 16 ms, for requests with timings only (2026-11-24)

    apart = _GAP.join(words)
    anchors = [(-1, -1)]
    for block in LCSseq.opcodes(apart, together).as_matching_blocks():
        anchors += zip(range(block.a, block.a + block.size), range(block.b, block.b + block.size))
    anchors.append((len(apart), len(together)))
    gaps = accumulate((len(word) + 1 for word in words), initial=-1)
    return [_cut(gap, anchors) for gap in gaps]


def _cut(gap: int, anchors: Sequence[tuple[int, int]]) -> int:
    """Return the position in `together` of the boundary of two words.

    Args:
        gap: the boundary's position in the words read apart.
        anchors: common symbols, as positions apart and together, ends included. Between two anchors
            at most one side has a gap: otherwise the gap would be common.
    """
    after = bisect_left(anchors, (gap, -1))
    if anchors[after][0] == gap:
        return max(0, anchors[after][1])
    (apart_from, start), (apart_to, stop) = anchors[after - 1], anchors[after]
    # The words are joined here, and the symbols between the anchors differ: cut in proportion.
    share = (gap - apart_from - 1) / max(1, apart_to - apart_from - 2)
    return round(start + 1 + share * (stop - start - 1))
