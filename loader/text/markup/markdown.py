"""Markdown: CommonMark with tables and strikethrough to a script, read as a person reads it aloud.

Headings, list items, lines of code and rows of tables are sentences; table cells and hard line breaks end clauses. Of links and
images their text is read, of HTML what stands between the tags.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, wraps

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_inline import StateInline, autolink, backtick, entity, escape, html_inline, image, link
from markdown_it.token import Token

from loader.text.markup.script import Range, Script, ScriptBuilder, in_place, split_lines, without_surrogates

_Rule = Callable[[StateInline, bool], bool]
_RULES: dict[str, _Rule] = {
    "escape": escape, "backticks": backtick, "link": link, "image": image, "autolink": autolink, "html_inline": html_inline,
    "entity": entity,
}  # fmt: skip
#: Blocks nested deeper are dropped by the parser; its time for `[[[[` grows with this: 0.7 s for 20,000 characters (2026-11-30).
_MAX_NESTING = 20
#: The parser fills each row up to the header's cells: 20,000 characters took 10 s (2026-11-30). Here a text has at most two cells
#: a mark between cells, and this number more, 0.2 s; what follows is text.
_MIN_CELLS = 1_000
_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9]{0,20})")
_CELL = re.compile(r"[^|\s](?:[^|]*[^|\s])?")
_CLAUSE_TAGS = frozenset(["br", "td", "th"])
_SENTENCE_TAGS = frozenset(
    "address article aside blockquote center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    "header hr li main nav ol option p section summary table tbody tfoot thead title tr ul".split()
)  # fmt: skip
#: What begins HTML without text for a reader, and what ends it.
_SILENT_HTML = {"<!--": "-->", "<script": "</script", "<style": "</style", "<?": "?>"}


def parse_markdown(source: str) -> Script:
    """Return the script of Markdown. Any text is Markdown: there are no errors."""
    # The parser replaces NUL so too.
    source = without_surrogates(source).replace("\0", "\ufffd")
    reader = _Reader(source)
    for token in _parser().parse(source, {"cells": _MIN_CELLS + 2 * source.count("|")}):
        reader.read(token)
    return reader.builder.build()


@cache
def _parser() -> MarkdownIt:
    """Return the parser; immutable after this, for many threads."""
    # Joined texts would lose their positions.
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable(["table", "strikethrough"]).disable(["text_join"])
    for name, rule in _RULES.items():
        parser.inline.ruler.at(name, _placed(rule))
    parser.block.ruler.at("table", _bounded_table, {"alt": ["paragraph", "reference"]})
    return parser


def _bounded_table(state: StateBlock, start: int, stop: int, silent: bool) -> bool:
    """Parse a table of no more rows than there are cells left for this text."""
    if start + 2 > stop:
        return False
    columns = state.src.count("|", state.bMarks[start + 1], state.eMarks[start + 1]) + 1
    rows = state.env["cells"] // columns
    if rows < 1 or not table(state, start, min(stop, start + 2 + rows), silent):
        return False
    if not silent:
        state.env["cells"] -= columns * (state.line - start)
    return True


def _placed(rule: _Rule) -> _Rule:
    """Wrap a rule of the parser: the last token that it makes knows its range in the block."""

    @wraps(rule)
    def wrapper(state: StateInline, silent: bool) -> bool:
        start, made = state.pos, len(state.tokens)
        matched = rule(state, silent)
        if matched and not silent and len(state.tokens) > made:
            state.tokens[-1].meta["range"] = (start, state.pos)
            if state.tokens[-1].markup == "autolink":
                state.tokens[-2].meta["range"] = (start + 1, state.pos - 1)
        return matched

    return wrapper


class _Reader:
    """Appends to a builder what each block has for the ear."""

    def __init__(self, source: str) -> None:
        self.builder = ScriptBuilder(source)
        self._source = source
        self._lines: Sequence[Range] = [*split_lines(source)]
        #: Where the next cell or number is looked for.
        self._done = 0
        self._map: Range = (0, 0)
        #: Whether the next block continues a sentence: after the number of a list's item, and within a row of a table.
        self._continues = self._in_row = False

    def read(self, token: Token) -> None:
        """Append a token of a block."""
        if token.map:
            self._map = (token.map[0], token.map[1])
        if token.type == "inline":
            self._inline(token)
        elif token.type == "list_item_open":
            self._number(f"{token.info}{token.markup}" if token.info else "")
        elif token.type == "list_item_close":
            self._continues = False
        elif token.type == "tr_open":
            self._begin()
            self._in_row = True
        elif token.type == "tr_close":
            self._excess()
            self._in_row = False
        elif token.type in ("td_close", "th_close"):
            self.builder.end_clause()
        elif token.type in ("fence", "code_block"):
            self._code(token)
        elif token.type == "html_block":
            self._html(token)

    def _begin(self) -> None:
        """Begin a sentence, unless the item's number has begun it."""
        if not self._continues:
            self.builder.begin_sentence()
        self._continues = False

    def _number(self, number: str) -> None:
        """Append the number of a list's item as written, such as `1.`"""
        start, stop = self._find(self._map[0], number)
        if start < stop:
            self.builder.begin_sentence()
            self.builder.text(f"{number} ", [*in_place(start, stop), (stop, stop)])
            self._continues = True

    def _inline(self, token: Token) -> None:
        """Append text of a block: a sentence, or a cell of a row."""
        content, first = token.content, self._map[0]
        if self._in_row:
            places = self._places_of_cell(content, first)
        else:
            self._begin()
            places = self._places(content, self._first_line(content, first))
        _Inline(self.builder, content, places).read(token.children or [])

    def _excess(self) -> None:
        """Append the cells of a row that the header has no column for, which the parser drops."""
        start, stop = self._lines[self._map[0]]
        for cell in _CELL.finditer(self._source, max(start, self._done), stop):
            self.builder.end_clause()
            self.builder.text(cell[0], in_place(*cell.span()))
        self._done = max(self._done, stop)

    def _code(self, token: Token) -> None:
        """Append code as written, a sentence a line."""
        first = self._map[0] + (token.type == "fence")
        places = self._places(token.content, first)
        for start, stop in split_lines(token.content):
            self._begin()
            self.builder.text(token.content[start:stop], _ranges(places[start:stop]))

    def _html(self, token: Token) -> None:
        """Append the text between the tags of a block of HTML."""
        self._begin()
        places = self._places(token.content, self._map[0])
        for start, stop, is_tag in _html_parts(token.content):
            if is_tag:
                _read_tag(self.builder, token.content[start:stop])
            else:
                self.builder.text(token.content[start:stop], _ranges(places[start:stop]))

    def _places(self, content: str, first: int) -> list[int]:
        """Return the position in the source of each character of a block, whose lines are the ends of lines from `first` on."""
        places: list[int] = []
        for number, line in enumerate(content.split("\n"), first):
            start, stop = self._lines[min(number, len(self._lines) - 1)]
            written = self._source[start:stop].rstrip(" \t" if line == line.rstrip(" \t") else "")
            # The closing marks of a heading may follow. A line that is not there begins with spaces for a part of a tab.
            found = -1 if written.endswith(line) else written.rfind(line)
            end = start + (len(written) if found < 0 else found + len(line))
            places += [max(start, place) for place in range(end - len(line), end)]
            places.append(stop)
        return places

    def _first_line(self, content: str, first: int) -> int:
        """Return the line where a block's text begins: the parser strips lines of form feeds and the like before it."""
        line, stop = content.split("\n", 1)[0].rstrip(), self._map[1]
        ranges = ((number, self._lines[number]) for number in range(first, min(stop, len(self._lines))))
        return next((number for number, (start, stop) in ranges if self._source[start:stop].rstrip().endswith(line)), first)

    def _places_of_cell(self, content: str, line: int) -> list[int]:
        """Return the position of each character of a table's cell, in which `|` is written with a backslash."""
        start, stop = self._find(line, content.replace("|", "\\|"))
        places = []
        for character in content:
            start += character == "|" and self._source.startswith("\\|", start)
            places.append(min(start, stop))
            start += 1
        return [*places, stop]

    def _find(self, line: int, text: str) -> Range:
        """Return the range of a text on a line after those found before; an empty one if it is not there."""
        start, stop = self._lines[min(line, len(self._lines) - 1)]
        self._done = max(self._done, start)
        found = self._source.find(text, self._done, stop)
        if found < 0:
            return (self._done,) * 2
        self._done = found + len(text)
        return found, self._done


class _Inline:
    """Appends to a builder the tokens of one block, in order; `done` is the position in the block's text after the last one."""

    def __init__(self, builder: ScriptBuilder, content: str, places: Sequence[int], done: int = 0) -> None:
        self._builder, self._content, self._places, self._done = builder, content, places, done

    def read(self, tokens: Sequence[Token]) -> None:
        """Append tokens."""
        for token in tokens:
            start, stop = token.meta.get("range", (self._done, self._done))
            if token.type == "text":
                self._text(token.content, start, stop)
            elif token.type == "text_special":
                self._builder.text(token.content, [self._origin(start, stop)] * len(token.content))
            elif token.type == "code_inline":
                self._code(token, start, stop)
            elif token.type == "image":
                _Inline(self._builder, self._content[: stop - 1], self._places, start + 2).read(_moved(token.children, start + 2))
            elif token.type == "html_inline":
                _read_tag(self._builder, token.content)
            elif token.type == "softbreak":
                self._text("\n", start, stop)
            elif token.type == "hardbreak":
                self._builder.end_clause()
            self._done = max(self._done + len(token.markup) * (token.type in _DELIMITERS), stop)

    def _text(self, text: str, start: int, stop: int) -> None:
        """Append text as it stands next in the block, or else for all of a range: the parser decodes addresses."""
        found = self._content.find(text, max(start, self._done))
        if found < 0:
            self._builder.text(text, [self._origin(start, stop)] * len(text))
            return
        self._done = found + len(text)
        self._builder.text(text, _ranges(self._places[found : self._done]))

    def _code(self, token: Token, start: int, stop: int) -> None:
        """Append a span of code, whose outer spaces the parser may have removed."""
        size = len(token.markup)
        start += size + (stop - start - 2 * size - len(token.content)) // 2
        self._builder.text(token.content, _ranges(self._places[start : start + len(token.content)]))

    def _origin(self, start: int, stop: int) -> Range:
        last = len(self._places) - 1
        return self._places[min(start, last)], self._places[min(stop, last)]


_DELIMITERS = frozenset(["em_open", "em_close", "strong_open", "strong_close", "s_open", "s_close"])


def _moved(tokens: Sequence[Token] | None, by: int) -> Sequence[Token]:
    """Return the tokens of an image's text, with ranges in the block instead of the text."""
    for token in tokens or ():
        if "range" in token.meta:
            start, stop = token.meta["range"]
            token.meta["range"] = (start + by, stop + by)
    return tokens or ()


def _ranges(places: Sequence[int]) -> list[Range]:
    return [(place, place + 1) for place in places]


def _read_tag(builder: ScriptBuilder, tag: str) -> None:
    """Do what an HTML tag does to the text around it."""
    found = _TAG_NAME.match(tag)
    name = found[1].lower() if found else ""
    if name in _SENTENCE_TAGS:
        builder.begin_sentence()
    elif name in _CLAUSE_TAGS:
        builder.end_clause()


def _html_parts(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield ranges of text and of tags, without comments and scripts; an unfinished tag ends the text."""
    done = 0
    while (start := text.find("<", done)) >= 0:
        yield done, start, False
        opening = next((each for each in _SILENT_HTML if text[start : start + 8].lower().startswith(each)), None)
        end = text.find(_SILENT_HTML[opening] if opening else ">", start + 1)
        if end < 0:
            return
        done = end if opening in ("<script", "<style") else text.find(">", end) + 1
        if not opening:
            yield start, done, True
    yield done, len(text), False
