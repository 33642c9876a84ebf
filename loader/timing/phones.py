"""The sounds in a string of phonemes: a letter each, with the marks that belong to it.

espeak writes `ˈiː` in three symbols and it is one sound: the stress before the letter
and the length after it say how the letter is spoken, and are not heard by themselves.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

#: Written before the letter whose stress they are.
_STRESS = "ˈˌ"
#: Unicode's categories of what is written after the letter that it belongs to: length, nasality, tone.
_FURTHER = ("Lm", "Mn", "Mc", "Me", "Sk")


@dataclass(frozen=True)
class Sound:
    """One sound: the half-open range of its symbols in a string of phonemes."""

    start: int
    stop: int
    #: Where in that range its letter is.
    letter: int


def sounds(phonemes: str) -> Iterator[Sound]:
    """Yield the sounds of `phonemes` in order. What lies between them is white space and punctuation.

    Texts of voices that read letters are such strings too: every letter and digit is a sound.
    """
    letters = [position for position, symbol in enumerate(phonemes) if _is_letter(symbol)]
    for letter in letters:
        start, stop = letter, letter + 1
        while start > 0 and phonemes[start - 1] in _STRESS:
            start -= 1
        while stop < len(phonemes) and _belongs_to_the_last(phonemes[stop]):
            stop += 1
        yield Sound(start, stop, letter)


def _is_letter(symbol: str) -> bool:
    return symbol.isalnum() and unicodedata.category(symbol) not in _FURTHER


def _belongs_to_the_last(symbol: str) -> bool:
    return symbol not in _STRESS and unicodedata.category(symbol) in _FURTHER
