"""Layout: lines to blocks that are sentences of their own. Headings and list items are; hard-wrapped lines are joined."""

import re
from collections.abc import Iterator

_LINE_END = re.compile(r"\r\n?|[\n\f\v\x1c-\x1e\x85\u2028\u2029]")
#: Line ends that end a block too.
_BLOCK_END = frozenset("\f\v\x1c\x1d\x1e\u2028\u2029")
_ITEM = re.compile(r"\s*(?:[-*+•◦‣▪▫●○–—·]\s+|\(?\d{1,3}[.)]\s+(?=\S)|[a-zA-Z]\)\s+)")
_BULLET = re.compile(r"\s*[-*+•◦‣▪▫●○–—·]\s+")
#: A line of at least this length may have been cut at the edge of a page; a shorter one before a capital is a heading.
_WRAPPED_CHARACTERS = 50


def split_blocks(text: str) -> Iterator[str]:
    """Yield the blocks of `text` as written, stripped, without bullets, none empty."""
    start = line_start = 0
    before = ""
    for line_end, next_start in _lines(text):
        line = text[line_start:line_end]
        if _begins_block(before, line):
            yield from _block(text[start:line_start])
            start = line_start
        before, line_start = line, next_start
        if text[line_end:next_start] in _BLOCK_END:
            yield from _block(text[start:line_end])
            start, before = next_start, ""
    yield from _block(text[start:])


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each line ends, and where the next one begins."""
    for match in _LINE_END.finditer(text):
        yield match.span()
    yield len(text), len(text)


def _begins_block(before: str, line: str) -> bool:
    """Whether `line` does not continue the line before it."""
    done, begun = before.rstrip(), line.lstrip()
    if not done or not begun or _ITEM.match(line):
        return True
    is_short = len(done) < _WRAPPED_CHARACTERS and done[-1] not in ",;-–—"
    return is_short and begun[0].isalnum() and not begun[0].islower()


def _block(text: str) -> Iterator[str]:
    bullet = _BULLET.match(text)
    if stripped := text[bullet.end() if bullet else 0 :].strip():
        yield stripped
