"""Long words: words over espeak-ng's limit, cut at the least audible place.

espeak-ng 1.52 keeps the phonemes of one word in 200 bytes and silently drops the rest: of 60 times
`w`, which it spells, it reads 19, and of 84 nines 44. Much longer words overflow its buffers.
So each character has a cost, the bytes that its phonemes may take, and a word is cut before the sum exceeds
MAX_WORD_COST. Measured 2026-11-30: letters that are read take 1 to 3 bytes, digits 4 to 6, syllables of
other scripts 2 to 4, letters that are spelled 4 to 13.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

#: Of one word: 64 Latin letters that can be read; the longest words of German dictionaries have 63.
MAX_WORD_COST = 152.0
_READ, _DIGIT, _OTHER_SCRIPT, _SPELLED, _SPELLED_W = 2.3, 5.0, 3.7, 5.5, 13.0
#: After this many Latin consonants in a row espeak-ng spells the word.
_MAX_CONSONANTS = 5

#: No shorter word can be too long.
_LONG_WORD = re.compile(rf"\S{{{int(MAX_WORD_COST / _SPELLED_W)},}}")
_VOWELS = frozenset("aeiouyæœøıə")
_APOSTROPHES = "'’"
#: Parts of the character before: combining marks, joiners, variation selectors, skin tones.
_FOLLOWING = ("Mn", "Mc", "Me", "Cf", "Sk")


def split_long_words(text: str) -> str:
    """Return `text` with a space at every cut of a long word; most texts are unchanged.

    Cuts after punctuation inside the word, between digits and letters, before a capital or an apostrophe,
    if there is such a place in the second half of the longest part; else anywhere but before a mark of a letter.
    """
    return _LONG_WORD.sub(lambda word: " ".join(_parts(word[0])), text)


def _parts(word: str) -> Iterator[str]:
    costs = list(_costs(word))
    start = last_break = 0
    cost = 0.0
    for position, character in enumerate(word):
        if position > start and _is_break(word[position - 1], character):
            last_break = position
        cost += costs[position]
        # A very long run of marks belongs to no letter and is cut too.
        if cost > MAX_WORD_COST and (not _is_following(character) or cost > 2 * MAX_WORD_COST):
            cut = last_break if last_break > (start + position) // 2 else position
            yield word[start:cut]
            start, cost = cut, sum(costs[cut : position + 1])
    yield word[start:]


def _costs(word: str) -> Iterator[float]:
    consonants = 0
    for character in word:
        consonants = consonants + 1 if _kind(character) == "consonant" else 0
        if consonants > _MAX_CONSONANTS:
            yield _SPELLED_W if character in "wW" else _SPELLED
        else:
            yield _COSTS.get(_kind(character), _OTHER_SCRIPT)


_COSTS = {"vowel": _READ, "consonant": _READ, "digit": _DIGIT}


@functools.lru_cache(maxsize=1024)
def _kind(character: str) -> str:
    """Return `vowel` or `consonant` for a Latin letter, `other` for another script's, else `digit`, `following` or `sign`."""
    if character.isdigit():
        return "digit"
    if _is_following(character):
        return "following"
    if not character.isalpha():
        return "sign"
    base = unicodedata.normalize("NFD", character.lower())[0]
    if base in _VOWELS:
        return "vowel"
    return "consonant" if unicodedata.name(base, "").startswith("LATIN") else "other"


def _is_following(character: str) -> bool:
    return unicodedata.category(character) in _FOLLOWING


def _is_break(before: str, after: str) -> bool:
    """Whether a cut between two characters leaves the reading of both parts unchanged."""
    if _is_following(after):
        return False
    if after in _APOSTROPHES:
        return before.isalnum()
    if not before.isalnum() and before not in _APOSTROPHES and not _is_following(before):
        return after.isalnum()
    return before.isdigit() != after.isdigit() or (before.islower() and after.isupper())
