"""Lexicon files: two-column TSV, and PLS 1.0 (W3C Pronunciation Lexicon Specification).

A file is read whole, and an error lists every problem of it by line.
"""

from collections.abc import Callable
from functools import partial
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler, feature_namespaces

from loader.errors import LexiconFileError
from loader.text.lexicon.entries import MAX_ENTRIES, Entry, parse_entry, parse_phonemes

#: 100,000 entries of common length have 3 MB as TSV and 12 MB as PLS.
MAX_FILE_BYTES = 16 * 1024 * 1024
_PLS = "http://www.w3.org/2005/01/pronunciation-lexicon"
_XML_LANG = ("http://www.w3.org/XML/1998/namespace", "lang")
_MAX_COLUMNS = 3
_MAX_PROBLEMS = 1_000


def read_lexicon(path: Path, language: str) -> list[Entry]:
    """Return the entries of a file for one language, named with or without its region.

    Raises:
        LexiconFileError: lists every problem, or why the file cannot be read.
    """
    parse = {".tsv": _parse_tsv, ".txt": _parse_tsv, ".pls": _parse_pls, ".xml": _parse_pls}.get(path.suffix.lower())
    if parse is None:
        raise LexiconFileError(path, [f"the name ends in {path.suffix!r}; name it .tsv or .pls, after its format"])
    collector = _Collector()
    parse(_read_bytes(path), language, collector)
    if collector.excess:
        collector.problems.append(f"{MAX_ENTRIES + collector.excess} entries; at most {MAX_ENTRIES}: split the file")
    if collector.problems:
        raise LexiconFileError(path, collector.problems)
    return list(collector.entries.values())


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise LexiconFileError(path, [f"it cannot be read: {error.strerror}; check the path and its permissions"]) from error
    if len(content) > MAX_FILE_BYTES:
        raise LexiconFileError(path, [f"it has more than {MAX_FILE_BYTES} bytes, the largest size; split it"])
    return content


class _Collector:
    """Entries and problems of one file; a bounded number, since any file may be configured by mistake."""

    def __init__(self) -> None:
        #: Number of entries that were left out after MAX_ENTRIES.
        self.excess = 0
        self.entries: dict[tuple[str, str], Entry] = {}
        self.problems: list[str] = []
        self._lines: dict[tuple[str, str], int] = {}

    @property
    def is_full(self) -> bool:
        """Whether a further problem would be left out."""
        return len(self.problems) >= _MAX_PROBLEMS

    def add(self, line: int, parse: Callable[[], Entry]) -> None:
        """Add the entry that `parse` returns, or the problem that it raises."""
        if len(self.entries) == MAX_ENTRIES:
            self.excess += 1
            return
        try:
            entry = parse()
        except ValueError as error:
            self.add_problem(line, str(error))
            return
        if entry.key in self.entries:
            self.add_problem(line, f"{entry.term!r} stands on line {self._lines[entry.key]} already; remove one")
        self.entries[entry.key] = entry
        self._lines[entry.key] = line

    def add_problem(self, line: int, problem: str) -> None:
        """Add a problem; line 0 is the whole file."""
        if not self.is_full:
            self.problems.append(f"line {line}: {problem}" if line else problem)


def _parse_tsv(content: bytes, _language: str, collector: _Collector) -> None:
    """Parse `term<TAB>respelling` or `term<TAB>/ipa/`, and the case, `any` or `exact`, in a third column if wanted.

    Blank lines and lines that begin with `#` are comments.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        collector.add_problem(number, f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8")
        return
    for number, line in enumerate(StringIO(text, newline="\n"), 1):
        if collector.is_full:
            break
        columns = [column.strip() for column in line.rstrip().split("\t")]
        if not line.strip() or columns[0].startswith("#"):
            continue
        if 1 < len(columns) <= _MAX_COLUMNS:
            collector.add(number, partial(parse_entry, *columns))
        else:
            count = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
            collector.add_problem(number, f"{line.strip()[:80]!r} has {count}; write term<TAB>respelling or term<TAB>/ipa/")


def _parse_pls(content: bytes, language: str, collector: _Collector) -> None:
    from defusedxml import DefusedXmlException  # late: for PLS files only
    from defusedxml.expatreader import DefusedExpatParser

    parser = DefusedExpatParser(forbid_dtd=True)
    handler = _PlsHandler(language, collector)
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(handler)
    try:
        parser.parse(BytesIO(content))
    except DefusedXmlException:
        collector.add_problem(parser.getLineNumber(), "a document type, an entity or an external reference; remove it")
    except SAXParseException as error:
        collector.add_problem(error.getLineNumber() or 0, f"not well-formed XML: {error.getMessage()}; mend it there")
    except (SAXException, LookupError, ValueError) as error:  # an encoding that Python does not know
        collector.add_problem(0, f"not readable as XML: {error}; save the file as UTF-8")


class _Way(NamedTuple):
    """A way to say a lexeme: what makes the entry of a term and this text."""

    is_preferred: bool
    parse: Callable[[str, str], Entry]
    text: str


class _PlsHandler(ContentHandler):
    """Collects the lexemes of a PLS document. Other elements, such as `metadata` and `example`, are left out."""

    def __init__(self, language: str, collector: _Collector) -> None:
        super().__init__()
        self._language = language
        self._collector = collector
        self._is_root = True
        self._alphabet = ""
        self._text: list[str] | None = None
        self._line = 0
        self._graphemes: list[str] = []
        #: Ways to say the lexeme, and alphabets that are left out.
        self._ways: list[_Way] = []
        self._others: list[str] = []
        self._attributes: Any = None

    def startElementNS(self, name: tuple[str | None, str], _qualified: str | None, attributes: Any) -> None:
        if self._is_root:
            self._is_root = False
            self._begin_root(name, attributes)
        if name == (_PLS, "lexeme"):
            self._line, self._graphemes, self._ways, self._others = self._number, [], [], []
        elif name in ((_PLS, "grapheme"), (_PLS, "phoneme"), (_PLS, "alias")):
            self._text, self._attributes = [], attributes

    def characters(self, content: str) -> None:
        if self._text is not None:
            self._text.append(content)

    def endElementNS(self, name: tuple[str | None, str], _qualified: str | None) -> None:
        if name == (_PLS, "lexeme"):
            self._end_lexeme()
        elif self._text is not None and name[0] == _PLS:
            text, self._text = "".join(self._text), None
            self._end_part(name[1], text)

    def _end_part(self, name: str, text: str) -> None:
        is_preferred = self._attributes.get((None, "prefer")) == "true"
        alphabet = self._attributes.get((None, "alphabet"), self._alphabet)
        if name == "grapheme":
            self._graphemes.append(text)
        elif name == "alias":
            self._ways.append(_Way(is_preferred, parse_entry, text))
        elif alphabet == "ipa":
            self._ways.append(_Way(is_preferred, parse_phonemes, text))
        else:
            self._others.append(alphabet)

    @property
    def _number(self) -> int:
        return int(self._locator.getLineNumber() or 0)  # type: ignore[attr-defined]  # set by the parser

    def _begin_root(self, name: tuple[str | None, str], attributes: Any) -> None:
        if name != (_PLS, "lexicon"):
            self._collector.add_problem(self._number, f"the root is {name[1]!r}; begin with <lexicon xmlns=\"{_PLS}\">")
        self._alphabet = attributes.get((None, "alphabet"), "")
        language = attributes.get(_XML_LANG, "")
        if _bare(language) != _bare(self._language):
            problem = f"xml:lang is {language!r}, and the file is configured for {self._language!r}; change one of them"
            self._collector.add_problem(self._number, problem)

    def _end_lexeme(self) -> None:
        if not self._graphemes:
            self._collector.add_problem(self._line, "a lexeme without <grapheme>; add one, or remove the lexeme")
        elif not self._ways:
            found = f" (alphabets: {', '.join(map(repr, self._others))})" if self._others else ""
            problem = f"{self._graphemes[0][:80]!r} has no <alias> and no <phoneme> in IPA{found}; add one with alphabet=\"ipa\""
            self._collector.add_problem(self._line, problem)
        else:
            way = next((each for each in self._ways if each.is_preferred), self._ways[0])
            for grapheme in self._graphemes:
                self._collector.add(self._line, partial(way.parse, grapheme, way.text))


def _bare(language: str) -> str:
    return language.split("-")[0].lower()
