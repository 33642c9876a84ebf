"""espeak-ng for this process: text of one language in, IPA phonemes out, whatever the text is.

The library and its data come with the `espeakng-loader` package; nothing of the system is needed.
A text can end the process that reads it (see `espeak_library`), so another one does that for
this process (`espeak_process`). A text that ends it is read again in smaller parts, and is an
error only if one of them ends it too: then it cannot be read at all.
"""

import functools
import logging
import os
import re
import threading
from collections.abc import Callable

from loader.errors import SynthesisError, UnreadableTextError
from loader.text.espeak_library import EspeakError, EspeakLibrary
from loader.text.espeak_process import EspeakProcess, ReaderEndedError
from loader.text.long_words import split_long_words
from loader.text.sentences import split_at_breaks

__all__ = ["Espeak", "EspeakError"]

log = logging.getLogger("chorus.loader")

_LANGUAGE_FLAG = re.compile(r"\(.+?\)")
#: Start commands inside a text, such as another voice. A client's text gives no commands.
_COMMAND_MARKS = {0x01: " ", 0x02: " "}
#: Runs of letters and digits with the marks that belong to them, and every other character by itself.
_PARTS = re.compile(r"[^\W_]+|\S")
#: Of one clause. espeak-ng 1.52 has room for 1000 phonemes, of one to three characters each with their marks, and drops
#: what comes after them: the shortest traces that were cut have 728 characters (2026-11-30).
MAX_CLAUSE_PHONEMES = 600
#: It has 800 bytes for a clause, and writes each of these in nine.
MAX_HANGUL_SYLLABLES = 80
_HANGUL = re.compile("[\uac00-\ud7a3]")


class Espeak:
    """The espeak-ng of this process. All instances share one library, one reading process and one lock."""

    def __init__(self) -> None:
        """Open the library, if no other instance has.

        Raises:
            EspeakError: it or its data is not there.
        """
        self._shared = _shared()

    def select(self, language: str) -> None:
        """Check that `language` exists.

        Raises:
            EspeakError: espeak-ng has no voice of that name.
        """
        with self._shared.lock:
            self._shared.library.select(language)

    def languages(self) -> list[str]:
        """Return the first language of every voice, which is the name it goes by."""
        with self._shared.lock:
            return self._shared.library.languages()

    def start(self, when_ended: Callable[[], None]) -> None:
        """Start the reading process now, if there is none, and not with the first text. Best called while there is one thread.

        Args:
            when_ended: called whenever a text has ended the process, in the thread that reads.

        Raises:
            OSError: the system has no process or descriptor for it.
        """
        with self._shared.lock:
            self._shared.when_ended = when_ended
            self._shared.process()

    def stop(self) -> None:
        """End the reading process; the next text starts another."""
        with self._shared.lock:
            self._shared.stop()

    def phonemize(self, text: str, language: str) -> str:
        """Return the phonemes of `text`, clause by clause, as Coqui's ESpeak phonemizer joins them.

        Raises:
            EspeakError: espeak-ng has no such language.
            UnreadableTextError: a part of the text ends espeak-ng, even if it is read alone.
            SynthesisError: the system has no process to read with.
        """
        plain = split_long_words(text.translate(_COMMAND_MARKS))
        with self._shared.lock:
            return self._phonemize(plain, language)

    def _phonemize(self, text: str, language: str) -> str:
        try:
            trace = self._shared.trace(text, language)
        except ReaderEndedError as error:
            log.warning("espeak-ng ended over a text of %d characters in %s (%s); read in parts", len(text), language, error)
            self._shared.when_ended()
            return self._phonemize_parts(text, language)
        if _may_be_cut(text, trace) and len(halves := list(split_at_breaks(text, -(-len(text) // 2)))) > 1:
            return " ".join(self._phonemize(half, language) for half in halves)
        return _joined(trace)

    def _phonemize_parts(self, text: str, language: str) -> str:
        """Return the phonemes of each word of `text`, with a space between them: what they do to each other is lost."""
        phonemes = []
        for part in _PARTS.findall(text):
            try:
                phonemes.append(_joined(self._shared.trace(part, language)))
            except ReaderEndedError as error:
                raise UnreadableTextError(part, language) from error
        return " ".join(filter(None, phonemes))


def _may_be_cut(text: str, trace: str) -> bool:
    """Whether espeak-ng may have dropped the end of a clause, as it does without a word."""
    return max(map(len, trace.split("\n"))) > MAX_CLAUSE_PHONEMES or len(_HANGUL.findall(text)) > MAX_HANGUL_SYLLABLES


def _joined(trace: str) -> str:
    # Language switches such as "(en)" are espeak-ng's remarks, not phonemes.
    clauses = trace.strip().split("\n")
    return "".join(_LANGUAGE_FLAG.sub("", clause.strip()).strip() for clause in clauses).replace("_", "")


class _Shared:
    """What all instances of a process share. A forked child has the library, and starts a process of its own."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.library = EspeakLibrary()
        self.when_ended: Callable[[], None] = lambda: None
        self._process: EspeakProcess | None = None

    def process(self) -> EspeakProcess:
        """Return the reading process, started if this process has none. The lock is held."""
        if self._process is not None and self._process.owner_pid != os.getpid():
            self.stop()  # it is the parent's
        if self._process is None:
            self._process = EspeakProcess(self.library)
        return self._process

    def trace(self, text: str, language: str) -> str:
        """Return what the library writes of `text`. If the process was ended from outside, another is started once.

        Raises:
            ReaderEndedError, EspeakError: see `EspeakProcess.trace`.
            SynthesisError: the system has no process to read with.
        """
        encoded = text.encode("utf-8", "ignore")
        try:
            try:
                return self.process().trace(encoded, language)
            except (ConnectionError, TimeoutError):
                log.warning("the processes that read with espeak-ng were ended from outside; they are started again")
                self.stop()
                return self.process().trace(encoded, language)
        except OSError as error:
            self.stop()
            raise SynthesisError(f"no process can be had to read the text: {error}") from error

    def stop(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.close()


@functools.cache
def _shared() -> _Shared:
    return _Shared()
