"""espeak-ng in this process: text of one language in, IPA phonemes out.

The library and its data come with the `espeakng-loader` package; nothing of the
system is needed. Opened in the master before the fork (it starts no thread).

Phonemes are taken from the trace of speech that nobody hears, as the command line
takes them and with it Coqui. `espeak_TextToPhonemes` would be the obvious way, but it
leaves out the last step, in which a clause of weak words gets its stress and a tone
language its tone sandhi, and it begins with whatever state the last text left behind.
"""

import ctypes
import functools
import itertools
import re
import threading
from pathlib import Path

import espeakng_loader

from loader.errors import LoaderError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
# As the command line: phonemes are read between [[ and ]], and a text ends with a pause.
_SYNTHESIS_FLAGS = _CHARS_UTF8 | 0x100 | 0x1000
# Bit 1 asks for IPA; bits 8 and up name a separator, as the command line's --ipa=1 does.
_PHONEMES_IPA_UNDERSCORED = 0x02 | ord("_") << 8
_LANGUAGE_FLAG = re.compile(r"\(.+?\)")
# Starts a command inside a text, such as another voice. A client's text gives no commands.
_COMMAND_MARK = "\x01"
# "]-A" ends the process in Vietnamese, and the espeak-ng command likewise (2026-11-23).
_CRASHING_LANGUAGES = ("vi",)


class _Voice(ctypes.Structure):
    """espeak_VOICE of the library's speak_lib.h."""

    _fields_ = [
        ("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    ]  # fmt: skip


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class EspeakError(LoaderError):
    """espeak-ng could not be opened, or has no such language."""

    exit_status = 69


class Espeak:
    """The espeak-ng of this process. The library has one state, so all of these share it and one lock."""

    def __init__(self) -> None:
        """Open the library, if no other has.

        Raises:
            EspeakError: it or its data is not there.
        """
        with _lock:
            self._library = _open_library()

    def select(self, language: str) -> None:
        """Check that `language` exists.

        Raises:
            EspeakError: espeak-ng has no voice of that name.
        """
        with _lock:
            self._library.select(language)

    def languages(self) -> list[str]:
        """Return the first language of every voice, which is the name it goes by."""
        with _lock:
            return self._library.languages()

    def phonemize(self, text: str, language: str) -> str:
        """Return the phonemes of `text`, clause by clause, as Coqui's ESpeak phonemizer joins them."""
        encoded = text.replace(_COMMAND_MARK, " ").encode("utf-8", "ignore")
        with _lock:
            self._library.select(language)
            clauses = self._library.trace(encoded).strip().split("\n")
        # Language switches such as "(en)" are espeak-ng's remarks, not phonemes.
        return "".join(_LANGUAGE_FLAG.sub("", clause.strip()).strip() for clause in clauses).replace("_", "")


_lock = threading.Lock()


class _Library:
    """The C library and what it was last told. Every call needs the lock."""

    def __init__(self) -> None:
        self._language: str | None = None
        self._stop_at_first_sound = False
        try:
            self._espeak = _declared(ctypes.CDLL(espeakng_loader.get_library_path()))
            self._c = _declared_c(ctypes.CDLL(None))
        except OSError as error:
            raise EspeakError(f"espeak-ng cannot be loaded: {error}; reinstall espeakng-loader") from error
        data = Path(espeakng_loader.get_data_path()).parent
        rate = self._espeak.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, str(data).encode(), _INITIALIZE_DONT_EXIT)
        if rate <= 0:
            raise EspeakError(f"espeak-ng cannot read its data in {data}; reinstall espeakng-loader")
        self._callback: ctypes._FuncPointer | None = None

    def select(self, language: str) -> None:
        if language == self._language:
            return
        # What is selected after a failure is not known.
        self._language = None
        if language.split("-")[0] in _CRASHING_LANGUAGES:
            raise EspeakError(f"espeak-ng 1.52 crashes on some texts in {language!r}, so no voice is served in it")
        # By the name of a voice, else by the language it speaks: "fr-fr" is only the latter.
        name, wanted = language.encode(), _Voice(languages=language.encode())
        if not language or (
            self._espeak.espeak_SetVoiceByName(name) != 0
            and self._espeak.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0
        ):
            raise EspeakError(f"espeak-ng has no language {language!r}; `phoneme_language` in config.json names it")
        self._language = language

    def languages(self) -> list[str]:
        voices = self._espeak.espeak_ListVoices(None)
        # The list ends with a null pointer; a language begins with a byte of priority.
        every = itertools.takewhile(bool, (voices[index] for index in itertools.count()))
        return [voice.contents.languages[1:].decode() for voice in every]

    def trace(self, text: bytes) -> str:
        """Return one line of phonemes for every clause of `text`."""
        self._listen()
        # Sound is a hundred times the work of phonemes, but what makes it also reads the next
        # clause. So it is cut short where no further clause comes, which is nearly always.
        self._stop_at_first_sound = self._is_one_clause(text)
        content, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream = self._c.open_memstream(ctypes.byref(content), ctypes.byref(size))
        if not stream:
            raise MemoryError
        try:
            self._espeak.espeak_SetPhonemeTrace(_PHONEMES_IPA_UNDERSCORED, stream)
            self._speak(text)
        finally:
            self._espeak.espeak_SetPhonemeTrace(0, None)
            self._c.fclose(stream)
        try:
            return ctypes.string_at(content.value or 0, size.value).decode("utf-8", "replace")
        finally:
            self._c.free(content)

    def _listen(self) -> None:
        """Register the callback, at first use and so after the fork.

        On hardened kernels the memory of ctypes' callbacks is a shared file, and a child that
        inherits one is killed. The library keeps the pointer, so this object keeps the callback.
        """
        if self._callback is None:
            self._callback = _SynthCallback(lambda *_: int(self._stop_at_first_sound))
            self._espeak.espeak_SetSynthCallback(self._callback)

    def _is_one_clause(self, text: bytes) -> bool:
        self._speak(b"")  # forgets the last text: its settings, and a character read ahead
        position = ctypes.c_char_p(text)
        self._espeak.espeak_TextToPhonemes(ctypes.byref(position), _CHARS_UTF8, _PHONEMES_IPA_UNDERSCORED)
        return position.value is None

    def _speak(self, text: bytes) -> None:
        self._espeak.espeak_Synth(text, len(text) + 1, 0, _POSITION_CHARACTER, 0, _SYNTHESIS_FLAGS, None, None)


@functools.cache
def _open_library() -> _Library:
    return _Library()


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    library.espeak_SetPhonemeTrace.argtypes = [ctypes.c_int, ctypes.c_void_p]
    library.espeak_SetPhonemeTrace.restype = None
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
        ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    return library


def _declared_c(library: ctypes.CDLL) -> ctypes.CDLL:
    library.open_memstream.restype = ctypes.c_void_p
    library.open_memstream.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t)]
    library.fclose.argtypes = [ctypes.c_void_p]
    library.free.argtypes = [ctypes.c_void_p]
    library.free.restype = None
    return library
