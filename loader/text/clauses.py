"""Clauses: the mark at the end of each clause that espeak-ng 1.52 reads, and whether it ends a sentence.

A library of 2025 returns both (`espeak_TextToPhonemesWithTerminator`, which Piper uses); the packaged one does not. But it
tells where it stopped reading, and only one mark of the text leads to that place.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_DOT, _ELLIPSIS = ".", "…"
#: Returns whether the full stop at the end of a text ends a clause: after a Roman number it may make an ordinal number.
EndsClause = Callable[[str], bool]
_ROMAN = "IVXL"
#: White space of Unicode that espeak-ng takes for part of a word.
_NO_BREAK = "\u00a0\u2007\u202f"
_CONTROL_SPACES = "\t\n\v\f\r\x85"


@dataclass(frozen=True)
class Clause:
    """A clause as read."""

    #: With the names of other languages, such as `(en)`, around their words.
    phonemes: str
    #: One of `.?!,:;`, or "" for the end of the text, an empty line, dots, and marks that need no space after them, such as `。`
    mark: str
    ends_sentence: bool
    #: Where the next clause begins in the text.
    stop: int


@dataclass(frozen=True)
class _Mark:
    """What a character at the end of a clause means."""

    mark: str
    ends_sentence: bool


def _marks() -> dict[str, _Mark]:
    """Return the marks that may end a clause; measured for every character of espeak-ng's Unicode 11 (2026-11-30)."""
    found: dict[str, _Mark] = {}
    for mark, characters in (
        (_Mark(".", True), ".۔܁܄።᙮᠃᠉⳹⳾⸳⸼꓿꘎꛳︒﹒｡\U00016af5\U0001bc9f\U0001da88\U0001f100\U000e002e"),
        # Digits with a full stop, and with a comma.
        (_Mark(".", True), map(chr, range(0x2488, 0x249C))),
        (_Mark(",", False), map(chr, range(0x1F101, 0x1F10B))),
        (_Mark("?", True), "?\u037e؟܉፧᥅⁇❓❔⳺⳻꘏꛷︖﹖\U00011143\U0001e95f\U000e003f"),
        (_Mark("!", True), "!܃߹᥄‼❕❗❢❣︕﹗\U0001e95e\U000e0021"),
        (_Mark(",", False), ",՝،܂߸༔፣᠂᠈⸲⸴⹁꓾꘍꛵︐︑﹐﹑､\U0001144d\U0001da87\U000e002c"),
        (_Mark(":", False), ":܆܇፥፦᠄⦂꛴︓﹕\U00012471\U00012472\U0001da8a\U000e003a"),
        (_Mark(";", False), ";\u0387؛܈፤–—⁏⸵⸺⸻꛶︔︱︲﹔\U0001da89\U000e003b"),
        # Of these espeak-ng says what they end, but Piper does not know them.
        (_Mark("", True), "։܀।॥෴།༎჻፨\u2029。！．？"),
        (_Mark("", False), "¡¿ຯ᠁…⋮⋯⋰⋱、︙，：；"),
    ):
        found |= dict.fromkeys(characters, mark)
    return found


_MARKS = _marks()
#: Armenian marks inside a word.
_IN_WORD = frozenset("\u055b\u055c\u055e")


@dataclass(frozen=True)
class _Candidate:
    """A mark, or several, after which a clause may end."""

    #: The first of them; three dots or more are an ellipsis.
    character: str
    start: int
    #: Where the library has stopped reading if the clause ends here.
    end: int
    #: Of the white space after it.
    newlines: int


def parse_clauses(text: str, lines: Sequence[tuple[int, str]], ends_clause: EndsClause) -> Iterator[Clause]:
    """Yield the clauses of a text.

    Args:
        text: as read.
        lines: where the library stopped reading in `text`, and the phonemes, for each clause (see `EspeakLibrary.clauses`).
        ends_clause: called with the last clause if only the library knows.
    """
    start = 0
    for stop, phonemes in lines:
        # The character that was read last begins the next clause.
        following = min(stop - 1, len(text))
        mark = _mark_at(text, start, stop, ends_clause)
        yield Clause(phonemes, mark.mark, mark.ends_sentence, following)
        start = following


def _mark_at(text: str, start: int, stop: int, ends_clause: EndsClause) -> _Mark:
    is_last = stop > len(text)
    for each in _candidates(text, start):
        if each.end > stop:
            break
        if each.end == stop and (not is_last or _ends_text(text, start, each, ends_clause)):
            return _Mark("", True) if each.newlines > 1 else _MARKS[each.character]
    return _Mark("", is_last or _is_paragraph(text, stop))


def _candidates(text: str, start: int) -> Iterator[_Candidate]:
    place, length = start, len(text)
    is_stressed = False
    while place < length:
        first, character = place, text[place]
        place += 1
        if character == "\n":
            place = _after_space(text, place)
        if is_stressed and not _is_alphanumeric(character):
            # The mark of the word before takes its place.
            is_stressed = False
            continue
        if character not in _MARKS and character not in _IN_WORD:
            continue
        if text.startswith("...", first):
            character = _ELLIPSIS
            while text.startswith(_DOT, place):
                place += 1
        # Of several marks together, such as `?!`, the first one counts.
        while place < length and (text[place] in _MARKS or text[place] in _IN_WORD):
            place += 1
        if character in _IN_WORD:
            is_stressed = True
            continue
        after = _after_space(text, place)
        yield _Candidate(character, first, after + 1, text.count("\n", place, after))
        # It did not end the clause; espeak-ng drops the white space after it but for one character.
        place = after if text[place : place + 1] not in _MARKS else place


def _after_space(text: str, place: int) -> int:
    while place < len(text) and is_space(text[place]):
        place += 1
    return place


def _ends_text(text: str, start: int, found: _Candidate, ends_clause: EndsClause) -> bool:
    """Whether the last mark of a text ends its clause; if not, the text ends without a mark."""
    if found.newlines:
        return True
    before = text[start : found.start]
    if not any(map(_is_alphanumeric, before)):
        return False
    return found.character != _DOT or before[-1] not in _ROMAN or ends_clause(text[start:])


def _is_paragraph(text: str, stop: int) -> bool:
    """Whether an empty line is before the character that was read last; if not, the clause was too long."""
    first = stop - 1
    while first and is_space(text[first - 1]):
        first -= 1
    return text.count("\n", first, stop - 1) > 1


def _is_alphanumeric(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def is_space(character: str) -> bool:
    """Whether espeak-ng takes a character for white space."""
    return character in _CONTROL_SPACES or (unicodedata.category(character)[0] == "Z" and character not in _NO_BREAK)
