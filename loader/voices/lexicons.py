"""Configured lexicons: their files, read once, and the lexicons that a voice has of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loader.config.settings import LexiconSettings, Settings
from loader.errors import ConfigError, LexiconFileError
from loader.text.front_end import without_region
from loader.text.lexicon.entries import Entry, find_unknown_symbols
from loader.text.lexicon.lexicon import Lexicon, Table
from loader.voices.voice import Voice


@dataclass(frozen=True)
class LexiconFile:
    """The content of one file, shared by all voices."""

    table: Table
    #: Number of its entries.
    size: int
    #: Symbols of its phonemes.
    symbols: frozenset[str]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "LexiconFile":
        """Return the compact content of the entries of a file."""
        symbols = frozenset().union(*(entry.phonemes for entry in entries)) - {" "}
        return cls(Table(entries), len(entries), symbols)


class Lexicons:
    """The content of every configured lexicon file; immutable. A server reads it before the fork, so that workers share it."""

    def __init__(
        self, common: Sequence[LexiconSettings] = (), files: Mapping[LexiconSettings, LexiconFile] | None = None
    ) -> None:
        """Take the files of all voices, and the content of these and of all further ones."""
        self._common = tuple(common)
        self._files = files or {}

    @property
    def count(self) -> int:
        """Number of files; one that is configured for two languages counts twice."""
        return len(self._files)

    @property
    def entries(self) -> int:
        """Number of entries of all files."""
        return sum(file.size for file in self._files.values())

    def of(self, voice: Voice) -> dict[str, Lexicon]:
        """Return the lexicons of a voice by language, without region: by the name in the configuration, and by the maker's."""
        lexicons = {}
        for named, trained in zip(voice.languages, voice.trained_languages, strict=True):
            tables = [self._files[file].table for file in self._of_language(voice, named)]
            if tables:
                names = {without_region(named), without_region(trained)}
                lexicons.update({name: Lexicon(name, tuple(tables), bool(voice.symbols)) for name in names})
        return lexicons

    def unused(self, voices: Iterable[Voice]) -> list[LexiconSettings]:
        """Return the files of no use: none of the voices that they are for speaks their language."""
        used = {file for voice in voices for language in voice.languages for file in self._of_language(voice, language)}
        return [file for file in self._files if file not in used]

    def unknown_symbols(self, voice: Voice) -> Iterator[tuple[LexiconSettings, dict[str, list[str]]]]:
        """Yield each file that has symbols which a voice does not have, with their terms; none for a voice that reads letters."""
        known = frozenset(voice.symbols)
        files = dict.fromkeys(file for language in voice.languages for file in self._of_language(voice, language))
        for file in files if known else ():
            if self._files[file].symbols - known:
                yield file, find_unknown_symbols(self._files[file].table, known)

    def _of_language(self, voice: Voice, language: str) -> list[LexiconSettings]:
        """Return the files of a voice for one of its languages; the last one takes precedence."""
        wanted = without_region(language)
        return [each for each in (*self._common, *voice.settings.lexicons) if wanted and without_region(each.language) == wanted]


def read_lexicons(settings: Settings) -> Lexicons:
    """Read every configured lexicon file: some 1.4 s for 100,000 entries (2026-11-30).

    Raises:
        ConfigError: lists every problem of every file.
    """
    if not settings.lexicon_files:
        return Lexicons()
    from loader.text.lexicon.files import read_lexicon  # late: 10 ms, for servers with a lexicon only (2026-11-30)

    files, problems = {}, []
    for file in settings.lexicon_files:
        try:
            files[file] = LexiconFile.of(read_lexicon(Path(file.path), without_region(file.language)))
        except LexiconFileError as error:
            problems += [f"{file.path}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(settings.path, problems)
    return Lexicons(settings.speech.lexicons, files)
