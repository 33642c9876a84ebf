"""The table of `chorus say --explain`: a row a written word, in aligned columns."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loader.voices.explanation import ExplainedSentence, ExplainedWord

#: Titles of the columns. The ids are last, since they are the longest.
COLUMNS = ("written", "spoken", "from", "phonemes", "ids")
#: A longer cell moves the rest of its row alone.
_MAX_CELLS = 40


def explanation_lines(sentences: Iterable["ExplainedSentence"]) -> Iterator[str]:
    """Yield the lines: each sentence as written and, if that differs, as normalized, and its rows."""
    for number, sentence in enumerate(sentences):
        if number:
            yield ""
        yield _visible(sentence.written)
        if sentence.normalized != sentence.written:
            yield f"-> {_visible(sentence.normalized)}"
        yield ""
        yield from _aligned([COLUMNS, *map(_cells, sentence.words)])


def _cells(word: "ExplainedWord") -> tuple[str, ...]:
    return _visible(word.written), _visible(word.spoken), word.source, _visible(word.phonemes), " ".join(map(str, word.ids))


def _visible(text: str) -> str:
    r"""Return the text on one line, with invisible characters as `\u200b`: they change what is read, or the line's direction."""
    return "".join(each if each.isprintable() else _escape(each) for each in " ".join(text.split()))


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    from rich.cells import cell_len  # late: for this option only

    widths = [min(_MAX_CELLS, max(map(cell_len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
