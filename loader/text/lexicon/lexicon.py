"""Lexicon: finds the terms of one language in a text, and rewrites them.

Tables are made in the master before the fork. 100,000 entries are 4.6 MB in three objects, and no object for each entry, whose
count of references a lookup would change: so the workers share them (2026-11-30).
"""

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from loader.text.lexicon.entries import Entry, fold
from loader.text.normalization.aligned import AlignedText

#: Scripts that are written without spaces between words, or, as Korean, between a word and its particles.
_WITHOUT_SPACES = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    r"\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Match:
    """A half-open range of a text, and the entry of the term there."""

    start: int
    stop: int
    entry: Entry


@dataclass(frozen=True)
class Pronunciation:
    """Given phonemes of a half-open range of a text: the written one, or one that was rewritten from it."""

    start: int
    stop: int
    phonemes: str

    def moved(self, characters: int) -> "Pronunciation":
        """Return it with its range moved."""
        return Pronunciation(self.start + characters, self.stop + characters, self.phonemes)

    def placed_in(self, text: AlignedText) -> "Pronunciation | None":
        """Return it with its range in a text that was rewritten; None if its word was joined with others there, or is gone."""
        within = [place for place, (start, stop) in enumerate(text.origins) if start < self.stop and self.start < stop]
        if not within:
            return None
        first, last = within[0], within[-1] + 1
        is_whole = self.start <= text.origins[first][0] and text.origins[last - 1][1] <= self.stop
        return Pronunciation(first, last, self.phonemes) if is_whole else None


class Table:
    """Compact entries: a static trie of folded terms, and their records in one string of bytes."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take the last of several entries for the same term and case."""
        from marisa_trie import Trie  # late: 5 ms, for servers and requests with a lexicon only (2026-11-30)

        records: dict[str, dict[str, str]] = {}
        for entry in entries:
            folded, own_case = entry.key
            records.setdefault(folded, {})[own_case] = "\t".join((entry.term, entry.respelling, entry.phonemes))
        self._trie = Trie(records)
        self._longest = max(map(len, records), default=0)
        ordered = [b""] * len(records)
        for folded, by_case in records.items():
            # The one for any case has "" and comes last.
            lines = (f"{own_case}\t{record}" for own_case, record in sorted(by_case.items(), reverse=True))
            ordered[self._trie[folded]] = "\n".join(lines).encode()
        self._records = b"".join(ordered)
        self._ends = array("I", [0])
        for record in ordered:
            self._ends.append(self._ends[-1] + len(record))

    def __iter__(self) -> Iterator[Entry]:
        """Yield every entry."""
        for number in range(len(self._trie)):
            yield from self._entries(number)

    def longest(self, text: str, folded: str, start: int, has_phonemes: bool = True) -> Match | None:
        """Return the longest term of the text that begins at `start` and ends where a word ends.

        Without `has_phonemes`, of the terms that have a respelling.
        """
        for term in reversed(self._trie.prefixes(folded[start : start + self._longest])):
            stop = start + len(term)
            if not _ends_word(text, stop):
                continue
            for entry in self._entries(self._trie[term]):
                is_usable = has_phonemes or entry.respelling
                if is_usable and (not entry.is_exact or entry.term == text[start:stop]):
                    return Match(start, stop, entry)
        return None

    def _entries(self, number: int) -> Iterator[Entry]:
        for line in self._records[self._ends[number] : self._ends[number + 1]].decode().split("\n"):
            own_case, term, respelling, phonemes = line.split("\t")
            yield Entry(term, respelling, phonemes, bool(own_case))


@dataclass(frozen=True)
class Lexicon:
    """The entries of one language; immutable, for many threads and all workers.

    Of terms that overlap in a text the first one is spoken, and of those that begin together the longest one. A term
    begins and ends at the bounds of words: not beside a letter, a digit or a mark of a letter, except in scripts without
    spaces, and not before `'t`, as in `can't`. If two tables have the same term, the later one counts.
    """

    #: Without its region.
    language: str
    tables: tuple[Table, ...] = ()
    #: Whether entries with phonemes are found; false for voices that read letters.
    has_phonemes: bool = True

    def extended(self, entries: Iterable[Entry]) -> "Lexicon":
        """Return a lexicon with further entries over these; the tables that are there are shared."""
        return replace(self, tables=(*self.tables, Table(entries)))

    def __iter__(self) -> Iterator[Entry]:
        """Yield every entry of every table."""
        for table in self.tables:
            yield from table

    def matches(self, text: str) -> Iterator[Match]:
        """Yield the terms of a text in order, without overlap. The time is linear: see MAX_TERM_CHARACTERS."""
        # The trie takes UTF-8, which has no halves of surrogate pairs.
        folded = fold(text).encode("utf-8", "replace").decode()
        stop = 0
        for start in range(len(text) if self.tables else 0):
            if start < stop or text[start] == " " or not _is_bound(text, start):
                continue
            found = [table.longest(text, folded, start, self.has_phonemes) for table in reversed(self.tables)]
            if match := max(filter(None, found), key=lambda each: each.stop, default=None):
                stop = match.stop
                yield match

    def apply(self, text: AlignedText) -> tuple[AlignedText, list[Pronunciation], list[tuple[int, int]]]:
        """Return the text with respellings, the phonemes of other terms, which stay, and the ranges of respelled terms.

        Ranges are those in the written text.

        Args:
            text: after `clean_characters`, as the terms are.
        """
        replacements, pronunciations, respelled = [], [], []
        for match in self.matches(text.text):
            written = text.written_range(match.start, match.stop)
            if match.entry.respelling:
                replacements.append((match.start, match.stop, _spaced(match, text.text)))
                respelled.append(written)
            else:
                pronunciations.append(Pronunciation(*written, match.entry.phonemes))
        return (text.replaced(replacements) if replacements else text), pronunciations, respelled


def _spaced(match: Match, text: str) -> str:
    """Return the respelling, apart from words that the marks of its term held apart: `ASP.NET`, `C++11`."""
    respelling = match.entry.respelling
    before = "" if _is_bound(text[max(0, match.start - 1) : match.start] + respelling[0], 1) else " "
    return before + respelling + ("" if _is_bound(respelling[-1] + text[match.stop : match.stop + 1], 1) else " ")


def _ends_word(text: str, place: int) -> bool:
    """Whether a term may end there."""
    if text[place : place + 2].lower() in ("'t", "\u2019t") and _is_of_word(text[place - 1]) and _is_bound(text, place + 2):
        return False
    return _is_bound(text, place)


def _is_bound(text: str, place: int) -> bool:
    """Whether a word may begin or end there."""
    if not 0 < place < len(text):
        return True
    before, after = text[place - 1], text[place]
    if not (_is_of_word(before) and _is_of_word(after)):
        return True
    if unicodedata.category(after)[0] == "M":
        return False
    return bool(_WITHOUT_SPACES.match(before) or _WITHOUT_SPACES.match(after))


@lru_cache(4096)
def _is_of_word(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M"
