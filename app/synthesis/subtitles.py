"""Subtitles: sentences split into cues that are short enough to read and do not overlap in time."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from loader.timing.timings import Timing

#: Maximum characters of a line, and a cue has at most two lines; a Chinese or Japanese character counts as two.
MAX_LINE_WIDTH = 42
_CLAUSE_ENDS = ",;:.!?…—，、；：。！？"
#: A cut after a clause is preferred to one that is nearer to the middle by up to this many characters.
_CLAUSE_BONUS = 16


@dataclass(frozen=True)
class Cue:
    """One cue: a text and its times, in milliseconds from the first sample."""

    #: Lines, separated by line feeds.
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class _Piece:
    """An unbreakable piece of text with the space after it, and the sample at which it starts."""

    text: str
    start_samples: int
    #: Width of the text with the space, and without.
    width: int
    bare_width: int


def sentence_cues(parts: Sequence[Timing], sample_rate_hz: int) -> Iterator[Cue]:
    """Yield the cues of one sentence; none if it has no text.

    A sentence is cut between words, preferably after a clause and into cues of similar length; runs
    that are too long for a line, such as a sentence of Chinese, are cut within. A cue lasts until the
    next one of its sentence.

    Args:
        parts: the timings of the sentence, in order, at least one.
        sample_rate_hz: samples of one second.
    """
    groups = list(_groups(_pieces(parts)))
    if not groups:
        return
    ends = [group[0].start_samples for group in groups[1:]] + [parts[-1].end_samples]
    for group, end in zip(groups, ends, strict=True):
        start_ms, end_ms = (round(1000 * samples / sample_rate_hz) for samples in (group[0].start_samples, end))
        yield Cue("\n".join(_lines(group)), start_ms, end_ms)


def join_parts(texts: Sequence[str]) -> str:
    """Join the parts of a sentence to one text."""
    return "".join(_spaced([stripped for text in texts if (stripped := text.strip())]))


def _spaced(texts: Sequence[str]) -> Iterator[str]:
    """Yield the texts with spaces between them, except within Chinese or Japanese."""
    for text, following in pairwise([*texts, ""]):
        is_one_run = _width(text[-1:]) > 1 and _width(following[:1]) > 1
        yield f"{text} " if following and not is_one_run else text


def _with_text(parts: Sequence[Timing]) -> list[Timing]:
    """Return the parts that have a text; the time of the others is added to the part before, else to the one after.

    A part has no text if it goes on with a word of the part before it, such as a number of 84 digits.
    """
    kept: list[Timing] = []
    for part in parts:
        if part.text.strip():
            kept.append(part if kept else replace(part, start_samples=parts[0].start_samples))
        elif kept:
            kept[-1] = replace(kept[-1], end_samples=part.end_samples)
    return kept


def _pieces(timings: Sequence[Timing]) -> list[_Piece]:
    parts = _with_text(timings)
    texts = list(_spaced([" ".join(part.text.split()) for part in parts]))
    return [piece for part, text in zip(parts, texts, strict=True) for piece in _of_part(part, text)]


def _of_part(part: Timing, text: str) -> Iterator[_Piece]:
    """Yield the pieces of a part: its words, or its runs if words are unknown; those too long for a line are cut."""
    cuts = _word_cuts(part, text) or _even_cuts(part, text)
    for (first, start), (last, end) in pairwise([*cuts, (len(text), part.end_samples)]):
        a_character = (end - start) / (last - first)
        for begin, stop in pairwise([*_line_starts(text, first, last), last]):
            piece = text[begin:stop]
            yield _Piece(piece, start + round((begin - first) * a_character), _width(piece), _width(piece.rstrip()))


def _word_cuts(part: Timing, text: str) -> list[tuple[int, int]]:
    """Return the start of each word with what precedes it, in `text` and in samples."""
    cuts: list[tuple[int, int]] = []
    done = 0
    for word in part.words:
        position = text.find(word.text, done)
        if position >= 0:
            before = text.rfind(" ", done, position) + 1
            cuts.append((before or position, word.start_samples) if cuts else (0, part.start_samples))
            done = position + len(word.text)
    return cuts


def _even_cuts(part: Timing, text: str) -> list[tuple[int, int]]:
    """Return the start of each run, as if every character took the same time."""
    a_character = (part.end_samples - part.start_samples) / max(1, len(text))
    starts = [0, *(space.end() for space in re.finditer(" (?=.)", text))]
    return [(start, part.start_samples + round(start * a_character)) for start in starts]


def _line_starts(text: str, first: int, last: int) -> Iterator[int]:
    """Yield `first`, and each position before `last` at which a line would become too long."""
    yield first
    width = 0
    for position in range(first, last):
        width += _width(text[position])
        if width > MAX_LINE_WIDTH and text[position] != " ":
            yield position
            width = _width(text[position])


def _groups(pieces: Sequence[_Piece]) -> Iterator[Sequence[_Piece]]:
    """Yield the pieces cue by cue."""
    left = sum(piece.width for piece in pieces)
    first = 0
    while first < len(pieces):
        last = _end_of_cue(pieces, first, left)
        yield pieces[first:last]
        left -= sum(piece.width for piece in pieces[first:last])
        first = last


def _end_of_cue(pieces: Sequence[_Piece], first: int, left: int) -> int:
    """Return the best end of the cue that begins at `first`; `left` is the width of the rest of the sentence."""
    latest = _end_of_line(pieces, _end_of_line(pieces, first))
    if latest == len(pieces):
        return latest
    target = left / -(-left // (2 * MAX_LINE_WIDTH))
    widths = accumulate(piece.width for piece in pieces[first:latest])

    def badness(end: tuple[int, int]) -> float:
        last, width = end
        ends_clause = pieces[last - 1].text.rstrip()[-1:] in _CLAUSE_ENDS
        return abs(width - target) - _CLAUSE_BONUS * ends_clause

    return min(enumerate(widths, start=first + 1), key=badness)[0]


def _end_of_line(pieces: Sequence[_Piece], first: int) -> int:
    """Return the latest end of a line that begins at `first`."""
    width = 0
    for position in range(first, len(pieces)):
        if position > first and width + pieces[position].bare_width > MAX_LINE_WIDTH:
            return position
        width += pieces[position].width
    return len(pieces)


def _lines(pieces: Sequence[_Piece]) -> list[str]:
    """Return the lines of a cue: as few as possible, of similar length."""

    def is_too_long(cut: int) -> bool:
        return any(_end_of_line(line, 0) < len(line) for line in (pieces[:cut], pieces[cut:]))

    def difference(cut: int) -> int:
        return abs(sum(piece.width for piece in pieces[:cut]) - sum(piece.width for piece in pieces[cut:]))

    cut = min(range(len(pieces)), key=lambda cut: (is_too_long(cut), cut > 0, difference(cut)))
    lines = ("".join(piece.text for piece in line).strip() for line in (pieces[:cut], pieces[cut:]))
    return [line for line in lines if line]


def _width(text: str) -> int:
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
