"""Normalizer: written text to spoken text in one language."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

from loader.text.lexicon.lexicon import Lexicon, Pronunciation
from loader.text.normalization.aligned import AlignedText, joined
from loader.text.normalization.characters import clean_characters
from loader.text.normalization.layout import split_blocks
from loader.text.normalization.library import NEEDS_WORDS, is_table, speak_by_library
from loader.text.normalization.marks import speak_marks
from loader.text.normalization.numerals import Numerals
from loader.text.normalization.words import EUROPEAN, WORDS
from loader.text.passages import Change, Passage
from loader.text.sentences import split_at_breaks, split_sentences

if TYPE_CHECKING:
    from loader.text.normalization.rules import Rules

#: Longest written text that is normalized at once: it takes 50 ms at most, and other threads wait meanwhile (2026-11-30).
MAX_WRITTEN_CHARACTERS = 240
#: Abbreviations after which a sentence goes on with a number, or with a name; `sentencex` 1.0.32 does not know these.
_BEFORE_NUMBER = re.compile(
    r"\b(?:[Aa]pprox|[Ff]igs?|[Nn]os?|[Vv]ols?|[Pp]p?|[Cc]h|[Ss]ec|[Aa]pt|[Ff]t|[Cc]a|[Nn]r|[Tt]el|[Tt]él|[Aa]rt|S|[Ee]xt|Hwy|"
    r"Rte?|Mon|Tues?|Weds?|Thurs?|Fri|Sat|Sun|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$"
)
_BEFORE_NAME = re.compile(r"\b(?:M|MM|Mmes?|Mlle|Hr|Fr|Sr|Sra|Dra?|[Ss]ig|[Dd]ott|[Vv]ols?|Rm|Atty)\.$")
_BEFORE_LOWER = re.compile(
    r"\b(?:[Aa]pprox|[Ii]ncl|[Ee]xcl|[Ee]st|[Dd]epts?|[Gg]ovt|[Aa]vg|[Aa]sst|[Aa]ssoc|[Ii]ntl|[Uu]niv|"
    r"[Ee]sp|[Rr]esp|[Mm]fg|[Cc]f|[Vv]s|[Ee]tc)\.$"
)
_ABBREVIATION_CHARACTERS = 16
_ORDINAL_AT_END = re.compile(r"(?<![\w.,])\d{1,2}\.$")
_ORDINALS_WITH_POINT = frozenset(["cs", "da", "de", "et", "fi", "hr", "hu", "is", "lv", "nb", "no", "pl", "sk", "sl", "tr"])


@dataclass(frozen=True)
class Direction:
    """A half-open range of the written text that markup or a lexicon says how to speak."""

    start: int
    stop: int
    source: Literal["markup", "lexicon"]
    #: Whether by phonemes, which voices that read letters ignore.
    by_phonemes: bool = False


@dataclass(frozen=True)
class Spoken:
    """What is spoken of a written text, and the parts of it with given phonemes."""

    text: AlignedText
    #: Ranges of the spoken text, in order, without overlap.
    given: Sequence[Pronunciation] = ()
    #: Where `text` and `given` come from, if not from the normalization.
    directions: Sequence[Direction] = ()


class Normalizer:
    """Normalizes sentences of one language; immutable, for many threads."""

    def __init__(self, language: str) -> None:
        """Take the language without its region: `en`."""
        self.language = language
        self._numerals = Numerals(language)

    @cached_property
    def _rules(self) -> "Rules | None":
        from loader.text.normalization.rules import Rules  # late: it compiles patterns for 10 ms (2026-11-30)

        return Rules(self.language, WORDS[self.language], self._numerals) if self.language in WORDS else None

    def sentences(self, text: str) -> Iterator[str]:
        """Yield the sentences of `text` as written, stripped, none empty."""
        for block in split_blocks(text):
            start = stop = 0
            for sentence in split_sentences(block, self.language):
                found = block.find(sentence, stop)
                if found < 0:  # surrogates were joined in it
                    yield sentence
                    continue
                end = block[max(start, stop - _ABBREVIATION_CHARACTERS) : stop]
                if start < stop < found and not self._goes_on(end, sentence):
                    yield block[start:stop].strip()
                    start = stop
                stop = found + len(sentence)
                if stop - start > MAX_WRITTEN_CHARACTERS:
                    yield block[start:stop].strip()
                    start = stop
            if rest := block[start:stop].strip():
                yield rest

    def _goes_on(self, end: str, following: str) -> bool:
        """Whether a sentence that ends so goes on so."""
        if self.language in EUROPEAN:
            from loader.text.normalization.european.abbreviations import goes_on  # late, as the rules

            if goes_on(end, following[:_ABBREVIATION_CHARACTERS], self.language):
                return True
        if following[0].isdigit():
            return bool(_BEFORE_NUMBER.search(end))
        if following[0].islower() and _BEFORE_LOWER.search(end):
            return True
        if self.language in _ORDINALS_WITH_POINT and _ORDINAL_AT_END.search(end):
            from loader.text.normalization.european.german import begins_sentence  # late, as the rules

            return not begins_sentence(following)
        return bool(following[0].isupper() and _BEFORE_NAME.search(end))

    def spoken(
        self, sentence: Passage, start: int = 0, stop: int | None = None, lexicon: Lexicon | None = None, *, rewrites: bool = True
    ) -> Iterator[Spoken]:
        """Yield what is spoken of the range [start, stop) of a sentence, all of it by default, in pieces; of a blank one too.

        Args:
            sentence: the origins of the result are positions in its text.
            lexicon: of this language.
            rewrites: false leaves all but the markup and the lexicon as written.
        """
        stop = len(sentence.text) if stop is None else stop
        while True:
            end = self._piece_end(sentence, start, stop)
            yield self._speak(sentence, start, end, lexicon, rewrites)
            if end >= stop:
                return
            start = end

    def _piece_end(self, sentence: Passage, start: int, stop: int) -> int:
        """Return the end of the piece that begins at `start`, outside every change, after white space."""
        if stop - start <= MAX_WRITTEN_CHARACTERS:
            return stop
        ahead = sentence.text[start : min(stop, start + 2 * MAX_WRITTEN_CHARACTERS)]
        piece = next(split_at_breaks(ahead, MAX_WRITTEN_CHARACTERS), ahead)
        end = start + ahead.index(piece) + len(piece)
        end = max([end, *(each.stop for each in sentence.changes if each.start < end < each.stop)])
        while end < stop and sentence.text[end].isspace():
            end += 1
        return end

    def _speak(self, sentence: Passage, start: int, stop: int, lexicon: Lexicon | None, rewrites: bool) -> Spoken:
        changes = [each for each in sentence.changes if start <= each.start and each.stop <= stop]
        text = AlignedText.of(sentence.text, start, stop)
        given = [Pronunciation(each.start, each.stop, each.phonemes) for each in changes if each.phonemes]
        directions = [Direction(each.start, each.stop, "markup", bool(each.phonemes)) for each in changes]
        if changes:
            text = text.replaced((each.start - start, each.stop - start, self._instead(each, sentence.text)) for each in changes)
        if rewrites:
            text = clean_characters(text, is_decoded=sentence.is_decoded)
        if lexicon:
            text, found, respelled = lexicon.apply(text)
            found = [each for each in found if not _overlaps(each, given)]
            given = sorted([*given, *found], key=lambda each: each.start)
            directions += [Direction(*written, "lexicon") for written in respelled]
            directions += [Direction(each.start, each.stop, "lexicon", by_phonemes=True) for each in found]
        if rewrites:
            text = self._rewrite(text)
        placed = [each.placed_in(text) for each in given]
        lost = {(each.start, each.stop) for each, place in zip(given, placed, strict=True) if not place}
        kept = [each for each in directions if not (each.by_phonemes and (each.start, each.stop) in lost)]
        return Spoken(text, [each for each in placed if each], kept)

    def _rewrite(self, text: AlignedText) -> AlignedText:
        if len(text.text) <= 2 * MAX_WRITTEN_CHARACTERS:
            return self._in_words(text)
        # What markup or a lexicon says instead of a word may be long.
        parts, start = [], 0
        for part in split_at_breaks(text.text, MAX_WRITTEN_CHARACTERS):
            stop = text.text.index(part, start) + len(part)
            parts.append(self._in_words(text.part(start, stop)))
            start = stop
        return joined([*parts, text.part(start, len(text.text))])

    def _in_words(self, text: AlignedText) -> AlignedText:
        if NEEDS_WORDS.search(text.text):
            one_by_one = is_table(text.text)
            if self._rules:
                text = self._rules.apply(text)
            elif self.language == "zh":
                from loader.text.normalization.chinese import speak_chinese  # late, as the rules

                text = speak_chinese(text)
            text = speak_by_library(text, self.language, self._numerals, one_by_one)
        return speak_marks(text)

    def _instead(self, change: Change, text: str) -> str:
        written = text[change.start : change.stop]
        if change.say_as:
            from loader.text.normalization.say_as import read_as  # late, as the rules

            return read_as(written, change.say_as, self.language, self._numerals)
        return change.text or written


def _overlaps(one: Pronunciation, others: Sequence[Pronunciation]) -> bool:
    return any(one.start < each.stop and each.start < one.stop for each in others)


@cache
def normalizer_of(language: str) -> Normalizer:
    """Return the one normalizer of a language."""
    return Normalizer(language)
