"""Sentences to cues: what is shown at once, short enough to be read, at times that do not overlap."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from loader.timing.timings import Timing

#: Most characters of a line, of which a cue has two at most; one of Chinese or Japanese is as wide as two.
LINE_WIDTH = 42
_CLAUSE_ENDS = ",;:.!?…—，、；：。！？"
#: How much nearer to the middle, in characters, a cut after a clause may as well be.
_CLAUSE_WORTH = 16


@dataclass(frozen=True)
class Cue:
    """What is shown at once, and when: milliseconds from the first sample."""

    #: Lines with a line feed between them.
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class _Piece:
    """What stands on one line, with the space after it, and the sample it is shown from."""

    text: str
    start_samples: int
    #: Of the text with the space, and without.
    width: int
    bare_width: int


def sentence_cues(parts: Sequence[Timing], sample_rate_hz: int) -> Iterator[Cue]:
    """Yield the cues of one sentence: one, or as many as it takes; none if it has no text.

    A sentence is cut between words, rather after a clause and into cues of like length; what is
    too long for a line, such as a sentence of Chinese, also within. A cue stays until the next
    one of its sentence comes.

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


def joined(texts: Sequence[str]) -> str:
    """Return the parts of a sentence as one text."""
    return "".join(_spaced([stripped for text in texts if (stripped := text.strip())]))


def _spaced(texts: Sequence[str]) -> Iterator[str]:
    """Yield the texts with a space between them, but where Chinese or Japanese goes on."""
    for text, following in pairwise([*texts, ""]):
        is_one_run = _width(text[-1:]) > 1 and _width(following[:1]) > 1
        yield f"{text} " if following and not is_one_run else text


def _written(parts: Sequence[Timing]) -> list[Timing]:
    """Return the parts that have a text; the time of each other one goes to the part before it, else to the one after.

    A part has no text if it goes on with a word of the part before it, such as a number of 84 digits.
    """
    written: list[Timing] = []
    for part in parts:
        if part.text.strip():
            written.append(part if written else replace(part, start_samples=parts[0].start_samples))
        elif written:
            written[-1] = replace(written[-1], end_samples=part.end_samples)
    return written


def _pieces(timings: Sequence[Timing]) -> list[_Piece]:
    parts = _written(timings)
    texts = list(_spaced([" ".join(part.text.split()) for part in parts]))
    return [piece for part, text in zip(parts, texts, strict=True) for piece in _of_part(part, text)]


def _of_part(part: Timing, text: str) -> Iterator[_Piece]:
    """Yield the pieces of a part: its words, or its runs where words are not known, those too long for a line cut."""
    cuts = _word_cuts(part, text) or _even_cuts(part, text)
    for (first, start), (last, end) in pairwise([*cuts, (len(text), part.end_samples)]):
        a_character = (end - start) / (last - first)
        for begin, stop in pairwise([*_line_starts(text, first, last), last]):
            piece = text[begin:stop]
            yield _Piece(piece, start + round((begin - first) * a_character), _width(piece), _width(piece.rstrip()))


def _word_cuts(part: Timing, text: str) -> list[tuple[int, int]]:
    """Return where each word with what stands before it begins, in `text` and in samples."""
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
    """Return where each run begins, as if every character took the same time."""
    a_character = (part.end_samples - part.start_samples) / max(1, len(text))
    starts = [0, *(space.end() for space in re.finditer(" (?=.)", text))]
    return [(start, part.start_samples + round(start * a_character)) for start in starts]


def _line_starts(text: str, first: int, last: int) -> Iterator[int]:
    """Yield `first`, and wherever else between it and `last` a line would be too long."""
    yield first
    width = 0
    for position in range(first, last):
        width += _width(text[position])
        if width > LINE_WIDTH and text[position] != " ":
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
    """Return where the cue that begins at `first` best ends, for a sentence that is as wide as `left` from there."""
    most = _end_of_line(pieces, _end_of_line(pieces, first))
    if most == len(pieces):
        return most
    wanted = left / -(-left // (2 * LINE_WIDTH))
    widths = accumulate(piece.width for piece in pieces[first:most])

    def badness(end: tuple[int, int]) -> float:
        last, width = end
        ends_clause = pieces[last - 1].text.rstrip()[-1:] in _CLAUSE_ENDS
        return abs(width - wanted) - _CLAUSE_WORTH * ends_clause

    return min(enumerate(widths, start=first + 1), key=badness)[0]


def _end_of_line(pieces: Sequence[_Piece], first: int) -> int:
    """Return where a line that begins at `first` ends at the latest."""
    width = 0
    for position in range(first, len(pieces)):
        if position > first and width + pieces[position].bare_width > LINE_WIDTH:
            return position
        width += pieces[position].width
    return len(pieces)


def _lines(pieces: Sequence[_Piece]) -> list[str]:
    """Return the pieces of a cue on as few lines as hold them, of like length."""

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
