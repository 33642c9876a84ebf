"""Text front end of a Piper voice: clauses whole to espeak-ng, or letters, and their ids.

Coqui's code takes the marks out of a text before espeak-ng reads it, and so cuts `1,234`, `7,50` and `$3.50`; Piper lets
espeak-ng find the clauses. Each of its sentences is an utterance. The ids are those of piper-tts 1.8.0.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from loader.artifacts.artifact import PiperFacts, TextFacts
from loader.text.clauses import Clause, is_space
from loader.text.espeak import Espeak
from loader.text.given import insert_phonemes
from loader.text.lexicon.lexicon import Pronunciation
from loader.text.reading import Reading, SymbolFrontEnd

#: Symbols of every Piper voice: silence between phonemes, the beginning and the end of an utterance.
PAD, BEGIN, END = "_", "^", "$"
#: The languages that espeak-ng switches to and back from.
_LANGUAGE_FLAG = re.compile(r"\([^)]+\)")
#: After these marks the sentence goes on.
_INSIDE_SENTENCE = ",:;"
#: Marks that close a quotation or a bracket, and so belong to the sentence before them.
_CLOSING = ("Pe", "Pf")


@dataclass(frozen=True)
class _Sentence:
    """A sentence as espeak-ng finds it, and its range in the text."""

    start: int
    stop: int
    phonemes: str


class PiperFrontEnd(SymbolFrontEnd):
    """Phonemizes and numbers text as Piper does. Needs no file of the artifact."""

    def __init__(self, facts: TextFacts, espeak: Espeak) -> None:
        """Check that espeak-ng has the voice's language.

        Args:
            facts: the voice's text settings, with those of Piper.
            espeak: shared by all voices of the process.

        Raises:
            EspeakError: it has not.
        """
        super().__init__(facts)
        if facts.piper is None:
            raise ValueError("the text settings are those of a Coqui voice")
        self._piper = facts.piper
        self._espeak = espeak
        self._languages = {language: name for language, (_espeak, name) in facts.phonemizers.items()}
        self._clusters = _parse_clusters(facts.piper)
        for name in self._languages.values():
            espeak.select(name)

    def readings(
        self, piece: str, language: str, given: Sequence[Pronunciation]
    ) -> Iterator[tuple[str, str, Sequence[Pronunciation]]]:
        """Yield the sentences of a piece; one that a given range crosses goes on."""
        for each in self._sentences(piece, language, given):
            text = piece[each.start : each.stop]
            inside = [
                replace(one.moved(-each.start), phonemes=_decomposed(one.phonemes))
                for one in given
                if each.start <= one.start and one.stop <= each.stop
            ]
            phonemes = each.phonemes
            if inside:
                phonemes = insert_phonemes(text, phonemes, inside, partial(self.read, language=language))
            yield text, phonemes, inside

    def read(self, text: str, language: str) -> str:
        """Return the phonemes of raw text, its letters if the voice reads those."""
        return " ".join(each.phonemes for each in self._sentences(text, language))

    def number(self, text: str, phonemes: str, part: range | None = None) -> Reading:
        """Number the phonemes of `text`, or a part of them, without those that the voice does not have, as Piper does."""
        rows_of = self._piper.ids
        pad = rows_of[PAD]
        ids = [*rows_of[BEGIN], *pad]
        positions: list[int | None] = [None] * len(ids)
        for place, symbol in self._symbols_at(phonemes, part or range(len(phonemes))):
            rows = rows_of.get(symbol)
            if rows is not None:
                ids += [*rows, *pad]
                positions += [place] * len(rows) + [None] * len(pad)
        ids += rows_of[END]
        positions += [None] * len(rows_of[END])
        return Reading(ids, text, phonemes, positions, part.start if part else 0)

    def _sentences(self, text: str, language: str, given: Sequence[Pronunciation] = ()) -> list[_Sentence]:
        if not self._languages:
            return [_Sentence(0, len(text), _decomposed(text))]
        sentences: list[_Sentence] = []
        start, phonemes = 0, ""
        clauses = self._espeak.clauses(text, self._languages[language])
        for place, clause in enumerate(clauses):
            phonemes += self._phonemes_of(clause)
            if not clause.ends_sentence and place + 1 < len(clauses):
                continue
            stop = _after_closing(text, clause.stop)
            if any(each.start < stop < each.stop for each in given):
                phonemes += " "
                continue
            sentences.append(_sentence(text, start, stop, phonemes))
            start, phonemes = stop, ""
        return sentences

    def _phonemes_of(self, clause: Clause) -> str:
        phonemes = _decomposed(_LANGUAGE_FLAG.sub("", clause.phonemes))
        if self._piper.phoneme_map:
            phonemes = "".join("".join(self._piper.phoneme_map.get(each, each)) for each in phonemes)
        return f"{phonemes}{clause.mark} " if clause.mark and clause.mark in _INSIDE_SENTENCE else phonemes + clause.mark

    def _symbols_at(self, phonemes: str, part: range) -> Iterator[tuple[int, str]]:
        """Yield the symbols of a part and where each begins."""
        place = part.start
        while place < part.stop:
            following = self._clusters.get(phonemes[place], ())
            symbol = next((each for each in following if phonemes.startswith(each, place, part.stop)), phonemes[place])
            yield place, symbol
            place += len(symbol)


def _sentence(text: str, start: int, stop: int, phonemes: str) -> _Sentence:
    """Return the sentence of a range, without the white space around it."""
    inside = text[start:stop]
    stop = start + len(inside.rstrip())
    return _Sentence(min(start + len(inside) - len(inside.lstrip()), stop), stop, phonemes)


def _parse_clusters(piper: PiperFacts) -> Mapping[str, Sequence[str]]:
    """Return the phonemes of several code points by the first one, the longest first."""
    clusters: dict[str, list[str]] = {}
    for cluster in sorted(map("".join, piper.vowel_clusters), key=len, reverse=True):
        if len(cluster) > 1:
            clusters.setdefault(cluster[0], []).append(cluster)
    return clusters


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _after_closing(text: str, place: int) -> int:
    """Return the place after the marks there that close a quotation or a bracket; straight ones if a space follows."""
    stop = place
    while stop < len(text) and (unicodedata.category(text[stop]) in _CLOSING or text[stop] in "\"'"):
        stop += 1
    return stop if stop == len(text) or is_space(text[stop]) else place
