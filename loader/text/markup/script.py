"""Script: what marked-up text asks for, in order: runs of text with a style, pauses, marks, substitutions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from loader.errors import MarkupError

#: A half-open range of the source, in characters.
Range = tuple[int, int]

#: Ignored names in one result: a client may invent thousands of them.
MAX_IGNORED_NAMES = 20
MAX_NAME_CHARACTERS = 80
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n?|\n")
_SPACE_OR_WORD = re.compile(r"[ \t\r\n]+|[^ \t\r\n]+")
#: After these a clause has no mark of its own yet, as after letters and digits.
_BEFORE_COMMA = frozenset(")]}\"'”’»%°")
_PAUSE = re.compile(r"\[pause: ?([0-9]{1,6}(?:\.[0-9]{1,6})?) ?(ms|s)\]", re.IGNORECASE)


@dataclass(frozen=True)
class SayAs:
    """How a text is read: SSML's `interpret-as`, and its `format` such as `mdy`, "" without one."""

    interpret_as: str
    format: str = ""


@dataclass(frozen=True)
class Style:
    """Style of a text. None is the request's own."""

    #: Factors of the request's own: 2 is twice as fast, twice the amplitude (0 is silent), an octave higher.
    rate: float = 1.0
    volume: float = 1.0
    pitch: float = 1.0
    voice: str | None = None
    #: As written, such as `en-US`.
    language: str | None = None
    say_as: SayAs | None = None


@dataclass(frozen=True)
class TextRun:
    """Text of one style. Runs without a sentence's beginning between them are one sentence, whatever stands between."""

    text: str
    #: For each character of `text`, the range of the source that it stands for, as in `AlignedText`: neither starts nor ends
    #: ever fall. An inserted character has an empty range.
    origins: Sequence[Range]
    style: Style
    #: Whether a sentence begins with it that text before it cannot continue into it.
    begins_sentence: bool


@dataclass(frozen=True)
class Pause:
    """A silence."""

    duration_s: float
    #: Position of its tag in the source.
    position: int


@dataclass(frozen=True)
class Mark:
    """A name for a moment: that of the next sound."""

    name: str
    #: Position of its tag in the source.
    position: int


@dataclass(frozen=True)
class Substitution:
    """A written word that is spoken as another text, or with the given sounds: one of `alias` and `ipa` is empty."""

    #: The word as written, never empty.
    written: str
    #: Range of the word in the source.
    origin: Range
    style: Style
    begins_sentence: bool
    alias: str = ""
    #: Not checked against a voice's symbols.
    ipa: str = ""


Item = TextRun | Pause | Mark | Substitution


@dataclass(frozen=True)
class Script:
    """The result of parsing."""

    items: Sequence[Item]
    #: Names of tags (`audio`) and attributes (`prosody contour`) without effect, each once, at most `MAX_IGNORED_NAMES`.
    ignored: Sequence[str] = ()
    #: Whether entities such as `&amp;` have been decoded; if not, they are a part of the text, as in plain text.
    is_decoded: bool = False


class ScriptBuilder:
    """Builds one script from its parts in the order of the source."""

    def __init__(self, source: str, *, joins_spaces: bool = True, max_silence_s: float = float("inf")) -> None:
        """Take the bound of all pauses together; `joins_spaces` makes one space of white space, and none at a sentence's ends."""
        self.source = source
        #: Style of what follows.
        self.style = Style()
        self._joins_spaces = joins_spaces
        self._max_silence_s, self._silence_s = max_silence_s, 0.0
        self._items: list[Item] = []
        self._ignored: dict[str, None] = {}
        self._texts: list[str] = []
        self._origins: list[Range] = []
        self._run_style = self.style
        self._begins, self._after_space = True, True
        self._ends_clause = False

    def error(self, position: int, problem: str) -> MarkupError:
        """Return an error about a place in the source."""
        before = self.source[:position]
        ends = [end.end() for end in _LINE_END.finditer(before)]
        return MarkupError(problem, len(ends) + 1, position - (ends[-1] if ends else 0) + 1)

    def text(self, text: str, origins: Sequence[Range]) -> None:
        """Append text, with the range of the source for each character."""
        if self._joins_spaces:
            for piece in _SPACE_OR_WORD.finditer(text):
                start, stop = piece.span()
                if piece[0][0] not in " \t\r\n":
                    self._insert_comma()
                    self._append(piece[0], origins[start:stop])
                elif not self._after_space:
                    self._append(" ", [(origins[start][0], origins[stop - 1][1])])
                    self._after_space = True
        elif text:
            self._append(text, origins)

    def begin_sentence(self) -> None:
        """Let a sentence begin with what follows."""
        self._drop_space()
        self.end_run()
        self._begins, self._after_space = True, True
        self._ends_clause = False

    def end_clause(self) -> None:
        """Let a comma stand before what follows in the sentence, unless there is a mark already."""
        self._ends_clause = bool(self._texts)

    def end_run(self) -> None:
        """Let a run begin with what follows, though its style may be the same."""
        if self._texts:
            self._items.append(TextRun("".join(self._texts), tuple(self._origins), self._run_style, self._begins))
            self._texts, self._origins, self._begins = [], [], False

    def pause(self, duration_s: float, position: int) -> None:
        """Append a pause, none for 0.

        Raises:
            MarkupError: all pauses together exceed the bound.
        """
        self._silence_s += duration_s
        if self._silence_s > self._max_silence_s:
            problem = f"pauses of {self._silence_s:g} s together exceed {self._max_silence_s:g} s; shorten or remove some"
            raise self.error(position, problem)
        if duration_s:
            self.end_run()
            self._items.append(Pause(duration_s, position))

    def mark(self, name: str, position: int) -> None:
        """Append a mark."""
        self.end_run()
        self._items.append(Mark(name, position))

    def substitution(self, written: str, origin: Range, alias: str = "", ipa: str = "") -> None:
        """Append a written word with what is spoken instead."""
        self.end_run()
        self._items.append(Substitution(written, origin, self.style, self._begins, alias, ipa))
        self._begins, self._after_space = False, False

    def ignore(self, name: str) -> None:
        """Name a tag or attribute as one without effect."""
        if len(self._ignored) < MAX_IGNORED_NAMES:
            self._ignored[name[:MAX_NAME_CHARACTERS]] = None

    def build(self, *, is_decoded: bool = True) -> Script:
        """Return the script."""
        self.begin_sentence()
        return Script(tuple(self._items), tuple(self._ignored), is_decoded)

    def _insert_comma(self) -> None:
        if self._ends_clause and self._texts:
            self._drop_space()
            end = self._origins[-1][1]
            last = self._texts[-1][-1]
            inserted = ", " if last.isalnum() or last in _BEFORE_COMMA else " "
            self._append(inserted, [(end, end)] * len(inserted))
        self._ends_clause = False

    def _drop_space(self) -> None:
        if self._joins_spaces and len(self._texts) > 1 and self._texts[-1] == " ":
            del self._texts[-1], self._origins[-1]

    def _append(self, text: str, origins: Sequence[Range]) -> None:
        if self.style != self._run_style:
            self.end_run()
        self._run_style = self.style
        self._texts.append(text)
        self._origins += origins
        self._after_space = False


def in_place(start: int, stop: int) -> Sequence[Range]:
    """Return the origins of text that stands in the source as it is."""
    return [(place, place + 1) for place in range(start, stop)]


def without_surrogates(source: str) -> str:
    """Return the source with U+FFFD for surrogate halves, which JSON can contain and UTF-8 cannot; positions stay."""
    return _SURROGATE.sub("\ufffd", source)


def split_lines(source: str) -> Iterator[Range]:
    """Yield the range of each line without its end, as XML and CommonMark count lines."""
    start = 0
    for end in _LINE_END.finditer(source):
        yield start, end.start()
        start = end.end()
    yield start, len(source)


def parse_plain(source: str, *, pauses: bool = False, max_silence_s: float = float("inf")) -> Script:
    """Return the script of plain text; with `pauses`, `[pause:0.8s]` and `[pause:800ms]` are pauses in it.

    Raises:
        MarkupError: all pauses together exceed the bound.
    """
    builder = ScriptBuilder(source, joins_spaces=False, max_silence_s=max_silence_s)
    start = 0
    for tag in _PAUSE.finditer(source) if pauses else ():
        builder.text(source[start : tag.start()], in_place(start, tag.start()))
        builder.pause(float(tag[1]) / (1000 if tag[2].lower() == "ms" else 1), tag.start())
        start = tag.end()
    builder.text(source[start:], in_place(start, len(source)))
    return builder.build(is_decoded=False)
