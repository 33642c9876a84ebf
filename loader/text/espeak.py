"""espeak-ng for this process: any text of one language in, IPA phonemes out.

The library and its data come with the `espeakng-loader` package, not from the system.
A text can crash the process that reads it (see `espeak_library`), so a separate process reads
(`espeak_process`). A text that crashes it is read again in smaller parts, and is an error only if
one of the parts crashes the process too.
"""

import functools
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from loader.errors import SynthesisError, UnreadableTextError
from loader.text.clauses import Clause, parse_clauses
from loader.text.espeak_library import EspeakError, EspeakLibrary
from loader.text.espeak_process import EspeakProcess, ReaderEndedError
from loader.text.long_words import split_long_words
from loader.text.sentences import split_at_breaks

__all__ = ["Espeak", "EspeakError"]

log = logging.getLogger("chorus.loader")

_LANGUAGE_FLAG = re.compile(r"\(.+?\)")
#: Start control sequences inside a text, such as another voice, which a client's text must not contain.
_COMMAND_MARKS = {0x01: " ", 0x02: " "}
#: Ends the text where the library reads it.
_ZERO = {0x00: " "}
#: Runs of letters and digits with the marks that belong to them, and every other character by itself.
_PARTS = re.compile(r"[^\W_]+|\S")
#: Of one clause. espeak-ng 1.52 has room for 1000 phonemes, of one to three characters each with their marks, and drops
#: the rest: the shortest traces that were cut have 728 characters (2026-11-30).
MAX_CLAUSE_PHONEMES = 600
#: Its buffer for a clause has 800 bytes, nine for each syllable.
MAX_HANGUL_SYLLABLES = 80
_HANGUL = re.compile("[\uac00-\ud7a3]")


class Espeak:
    """The espeak-ng of this process. All instances share one library, one reader process and one lock."""

    def __init__(self) -> None:
        """Open the library, if no other instance has.

        Raises:
            EspeakError: it or its data is missing.
        """
        self._shared = _shared()

    def select(self, language: str) -> None:
        """Check that espeak-ng has `language`.

        Raises:
            EspeakError: espeak-ng has no voice of that name.
        """
        with self._shared.lock:
            self._shared.library.select(language)

    def languages(self) -> list[str]:
        """Return the name of every voice: its first language."""
        with self._shared.lock:
            return self._shared.library.languages()

    def start(self, when_ended: Callable[[], None]) -> None:
        """Start the reader process now, and not with the first text, if there is none. Best called with one thread.

        Args:
            when_ended: called each time a text has ended the process, in the calling thread.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        with self._shared.lock:
            self._shared.when_ended = when_ended
            self._shared.process()

    def stop(self) -> None:
        """End the reader process; the next text starts another."""
        with self._shared.lock:
            self._shared.stop()

    def phonemize(self, text: str, language: str) -> str:
        """Return the phonemes of `text`, clause by clause, as Coqui's ESpeak phonemizer joins them.

        Raises:
            EspeakError: espeak-ng has no such language.
            UnreadableTextError: a part of the text crashes espeak-ng even if it is read alone.
            SynthesisError: the system cannot start a reader process.
        """
        plain = split_long_words(text.translate(_COMMAND_MARKS))
        with self._shared.lock:
            return self._phonemize(plain, language)

    def clauses(self, text: str, language: str) -> list[Clause]:
        """Return the clauses of `text` as Piper gets them, with positions in `text`.

        Raises:
            EspeakError, UnreadableTextError, SynthesisError: see `phonemize`.
        """
        plain = text.translate(_COMMAND_MARKS | _ZERO)
        parts = split_long_words(plain)
        with self._shared.lock:
            clauses = self._clauses(parts, language)
        return clauses if parts == plain else list(_in_whole_words(clauses, plain, parts))

    def _phonemize(self, text: str, language: str) -> str:
        try:
            trace = self._shared.trace(text, language)
        except ReaderEndedError as error:
            self._report(text, language, error)
            return self._read_parts(text, language, lambda part: _join_clauses(self._shared.trace(part, language)))
        if _may_be_cut(text, trace.split("\n")) and len(halves := _halves(text)) > 1:
            return " ".join(self._phonemize(half, language) for half in halves)
        return _join_clauses(trace)

    def _clauses(self, text: str, language: str) -> list[Clause]:
        try:
            lines = self._shared.clauses(text, language)
            clauses = list(parse_clauses(text, lines, lambda end: len(self._shared.clauses(end + " Z", language)) > 1))
        except ReaderEndedError as error:
            self._report(text, language, error)
            phonemes = self._read_parts(text, language, lambda part: _joined(self._shared.clauses(part, language)))
            return [Clause(phonemes, "", True, len(text))]
        if _may_be_cut(text, [each.phonemes for each in clauses]) and len(halves := _halves(text)) > 1:
            return self._clauses_of_halves(text, halves, language)
        return clauses

    def _clauses_of_halves(self, text: str, halves: Sequence[str], language: str) -> list[Clause]:
        clauses: list[Clause] = []
        stop = 0
        for half in halves:
            if clauses and not clauses[-1].mark:
                # It ends where the text was cut.
                clauses[-1] = replace(clauses[-1], phonemes=f"{clauses[-1].phonemes} ", ends_sentence=False)
            start = text.index(half, stop)
            stop = start + len(half)
            clauses += (replace(each, stop=start + each.stop) for each in self._clauses(half, language))
        return clauses

    def _report(self, text: str, language: str, error: ReaderEndedError) -> None:
        log.warning("espeak-ng crashed on %d characters in %s (%s); reading them in parts", len(text), language, error)
        self._shared.when_ended()

    def _read_parts(self, text: str, language: str, read: Callable[[str], str]) -> str:
        """Return the phonemes of each word of `text`, read alone, with a space between them."""
        phonemes = []
        for part in _PARTS.findall(text):
            try:
                phonemes.append(read(part))
            except ReaderEndedError as error:
                raise UnreadableTextError(part, language) from error
        return " ".join(filter(None, phonemes))


def _may_be_cut(text: str, clauses: Sequence[str]) -> bool:
    """Whether espeak-ng may have dropped the end of a clause, which it does not report."""
    return max(map(len, clauses)) > MAX_CLAUSE_PHONEMES or len(_HANGUL.findall(text)) > MAX_HANGUL_SYLLABLES


def _halves(text: str) -> list[str]:
    return list(split_at_breaks(text, -(-len(text) // 2)))


def _joined(lines: Sequence[tuple[int, str]]) -> str:
    return "".join(phonemes for _stop, phonemes in lines)


def _in_whole_words(clauses: Sequence[Clause], whole: str, parts: str) -> Iterator[Clause]:
    """Yield the clauses of a text with cut words with their positions in the text with whole words."""
    places = [0]
    for character in parts:
        is_cut = character == " " and whole[places[-1] : places[-1] + 1] != " "
        places.append(places[-1] + (not is_cut))
    for clause in clauses:
        yield replace(clause, stop=places[clause.stop])


def _join_clauses(trace: str) -> str:
    # espeak-ng writes language switches, such as "(en)", between the phonemes.
    clauses = trace.strip().split("\n")
    return "".join(_LANGUAGE_FLAG.sub("", clause.strip()).strip() for clause in clauses).replace("_", "")


class _Shared:
    """Shared state of a process's instances. A forked child inherits the library, and starts a reader of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.library = EspeakLibrary()
        self.when_ended: Callable[[], None] = lambda: None
        self._process: EspeakProcess | None = None

    def process(self) -> EspeakProcess:
        """Return the reader process, started if this process has none. The lock is held."""
        if self._process is not None and self._process.owner_pid != os.getpid():
            self.stop()  # it belongs to the parent process
        if self._process is None:
            self._process = EspeakProcess(self.library)
        return self._process

    def trace(self, text: str, language: str) -> str:
        """Return the library's trace of `text`. If the reader was killed from outside, another is started once.

        Raises:
            ReaderEndedError, EspeakError: see `EspeakProcess.trace`.
            SynthesisError: the system cannot start a reader process.
        """
        encoded = text.encode("utf-8", "ignore")
        return self._ask(lambda process: process.trace(encoded, language))

    def clauses(self, text: str, language: str) -> list[tuple[int, str]]:
        """Return where the library stopped reading in `text`, and the phonemes, for each clause (see `EspeakLibrary.clauses`).

        Raises:
            ReaderEndedError, EspeakError, SynthesisError: see `trace`.
        """
        encoded = text.encode("utf-8", "replace")
        lines = (line.split(" ", 1) for line in self._ask(lambda process: process.clauses(encoded, language)).split("\n"))
        return [(_count_characters(encoded, int(stop)), phonemes) for stop, phonemes in lines]

    def _ask(self, ask: Callable[[EspeakProcess], str]) -> str:
        try:
            try:
                return ask(self.process())
            except (ConnectionError, TimeoutError):
                log.warning("the espeak-ng reader processes were ended from outside; they are started again")
                self.stop()
                return ask(self.process())
        except OSError as error:
            self.stop()
            raise SynthesisError(f"the system cannot start a process to read the text: {error}") from error

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.close()


def _count_characters(text: bytes, stop: int) -> int:
    """Return how many characters the first `stop` bytes of a text in UTF-8 have; the end of the text counts as one."""
    return len(text[:stop].decode()) + (stop > len(text))


@functools.cache
def _shared() -> _Shared:
    return _Shared()
