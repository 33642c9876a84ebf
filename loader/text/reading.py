"""Readings: utterances as ids with the text and phonemes they stand for, and what makes them of a sentence.

Knows no audio and no request.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from loader.artifacts.artifact import TextFacts
from loader.text.lexicon.lexicon import Pronunciation
from loader.text.sentences import UTTERANCE_PHONEMES, piece_characters, split_at_breaks


@dataclass(frozen=True)
class Reading:
    """One utterance: its ids, and the text and phonemes they stand for."""

    #: Rows of the voice's embedding, with blanks already in.
    ids: Sequence[int]
    #: Its source: a sentence, or a piece of one.
    text: str
    #: The phonemes of all of `text`; "" if the front end has none.
    phonemes: str = ""
    #: The position in `phonemes` of each id; None for blanks, beginning and end.
    positions: Sequence[int | None] = ()
    #: Where in `phonemes` this utterance begins; not 0 if it is a later part.
    start: int = 0
    #: Ranges of `text` whose phonemes were given.
    given: Sequence[Pronunciation] = ()


class FrontEnd(Protocol):
    """The text side of a voice: sentences to ids."""

    @property
    def symbols(self) -> Collection[str]:
        """The symbols that phonemes may be given in; none if the voice reads letters."""
        ...

    def utterances(
        self, sentence: str, language: str, given: Sequence[Pronunciation] = ()
    ) -> Iterator[Reading | None]:
        """Yield one sentence in pieces that the engine can speak at once; None for a piece without sound.

        Args:
            sentence: raw text.
            language: one of the voice's, as the manifest names it.
            given: phonemes of ranges of `sentence`, in order, without overlap; ignored without `symbols`.
        """
        ...

    def read(self, text: str, language: str) -> str:
        """Return the phonemes of raw text by itself; "" if the front end has none."""
        ...


class SymbolFrontEnd(ABC):
    """What the front ends have in common that make one symbol after the other of a text, and number them.

    Opened in the master before the fork; immutable afterwards. Used by many threads.
    """

    def __init__(self, facts: TextFacts) -> None:
        self._facts = facts

    @property
    def symbols(self) -> Collection[str]:
        """The symbols of the voice's phonemes; none if it reads letters."""
        return self._facts.ids.keys() if self._facts.phonemizers else ()

    def utterances(
        self, sentence: str, language: str, given: Sequence[Pronunciation] = ()
    ) -> Iterator[Reading | None]:
        """Yield the ids of one sentence, cut if it is too long for one pass; None for a piece that makes no sound."""
        stop = 0
        for piece in split_at_breaks(sentence, piece_characters(sentence)):
            first = sentence.index(piece, stop)
            stop = first + len(piece)
            inside = [each.moved(-first) for each in given if first <= each.start and each.stop <= stop] if self.symbols else []
            yield from self._utterances_of_piece(piece, language, inside)

    def _utterances_of_piece(self, piece: str, language: str, given: Sequence[Pronunciation]) -> Iterator[Reading | None]:
        is_silent = True
        for text, phonemes, inside in self.readings(piece, language, given):
            done = 0
            for part in split_at_breaks(phonemes, UTTERANCE_PHONEMES):
                start = phonemes.index(part, done)
                done = start + len(part)
                if self.is_audible(part):
                    is_silent = False
                    yield replace(self.number(text, phonemes, range(start, done)), given=inside)
        if is_silent:
            yield None

    @abstractmethod
    def readings(
        self, piece: str, language: str, given: Sequence[Pronunciation]
    ) -> Iterator[tuple[str, str, Sequence[Pronunciation]]]:
        """Yield the texts of a piece that are spoken each by itself, in order, with their phonemes and given ranges."""

    @abstractmethod
    def read(self, text: str, language: str) -> str:
        """Return the phonemes of raw text."""

    @abstractmethod
    def number(self, text: str, phonemes: str, part: range | None = None) -> Reading:
        """Number the phonemes of `text`, or a part of them, without symbols that the voice does not have."""

    def is_audible(self, phonemes: str) -> bool:
        """Whether there is a letter or phoneme of the voice, not only punctuation."""
        return any(symbol.isalnum() and symbol in self._facts.ids for symbol in phonemes)
