"""The C library espeak-ng by ctypes: select a language, trace the phonemes of a text.

The library has one state and is not safe against the text it reads: version 1.52 overflows
fixed buffers and follows null pointers (2026-11-30: `'s` 68 times in English, a circled letter
in Bengali, a hyphen between a symbol and a foreign letter in most languages). So a serving
process uses it to select languages only, and `loader.text.espeak_process` reads texts.

Phonemes come from the trace of silent synthesis, as in the command line that Coqui uses.
`espeak_TextToPhonemes` omits the last step, in which a clause of weak words gets its stress
and a tone language its tone sandhi, and it starts from the state that the last text left.
Piper uses it, clause by clause, and so does `EspeakLibrary.clauses`.
"""

import ctypes
import itertools
import os
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
_PHONEMES_IPA = 0x02
_PHONEMES_IPA_UNDERSCORED = _PHONEMES_IPA | ord("_") << 8
# UTF-8, and bytes that are none as the language's own encoding: Piper's choice.
_CHARS_AUTO = 0


_DATA_FOLDER = "espeak-ng-data"
#: The library's buffer has 160 bytes with the final zero, and it cuts longer paths without a word (1.52).
MAX_DATA_PATH_BYTES = 159


class _Voice(ctypes.Structure):
    """espeak_VOICE of the library's speak_lib.h."""

    _fields_ = [
        ("name", ctypes.c_char_p), ("languages", ctypes.c_char_p), ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte), ("age", ctypes.c_ubyte), ("variant", ctypes.c_ubyte), ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int), ("spare", ctypes.c_void_p),
    ]  # fmt: skip


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class EspeakError(LoaderError):
    """espeak-ng cannot be opened, or has no such language."""

    exit_status = 69


class EspeakLibrary:
    """The library and its selected language. One a process, used by one thread at a time.

    Opened before the fork to be shared: it starts no thread, and a child process has its own state.
    """

    def __init__(self) -> None:
        """Load the library and its data.

        Raises:
            EspeakError: one of them is missing.
        """
        self._language: str | None = None
        self._stop_at_first_sound = False
        try:
            self._espeak = _declared(ctypes.CDLL(espeakng_loader.get_library_path()))
            self._c = _declared_c(ctypes.CDLL(None))
        except OSError as error:
            raise EspeakError(f"espeak-ng cannot be loaded: {error}; reinstall espeakng-loader") from error
        data = Path(espeakng_loader.get_data_path()).parent
        #: A descriptor through which the library reads its data, to be kept open in forked children; None if it needs none.
        self.data_descriptor, short = _shortened(data)
        rate = self._espeak.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, os.fsencode(short), _INITIALIZE_DONT_EXIT)
        if rate <= 0:
            raise EspeakError(f"espeak-ng cannot read its data in {data}; reinstall espeakng-loader")
        self._callback: ctypes._FuncPointer | None = None

    def select(self, language: str) -> None:
        """Read in `language` from now on.

        Raises:
            EspeakError: espeak-ng has no voice of that name.
        """
        if language == self._language:
            return
        # After a failure the library's selection is unknown.
        self._language = None
        # By the name of a voice, else by its language: "fr-fr" is only the latter.
        name, wanted = language.encode(), _Voice(languages=language.encode())
        if not language or (
            self._espeak.espeak_SetVoiceByName(name) != 0
            and self._espeak.espeak_SetVoiceByProperties(ctypes.byref(wanted)) != 0
        ):
            raise EspeakError(f"espeak-ng has no language {language!r}; `phoneme_language` in config.json names it")
        self._language = language

    def languages(self) -> list[str]:
        """Return the name of every voice: its first language."""
        voices = self._espeak.espeak_ListVoices(None)
        # The list ends with a null pointer; a language begins with a byte of priority.
        every = itertools.takewhile(bool, (voices[index] for index in itertools.count()))
        return [voice.contents.languages[1:].decode() for voice in every]

    def trace(self, text: bytes) -> bytes:
        """Return one line of phonemes, in UTF-8, for every clause of `text`. May end this process."""
        self._listen()
        # Sound takes a hundred times as long as phonemes, but its code also reads the next clause.
        # So it is stopped at once if there is no further clause, which is nearly always.
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
            return ctypes.string_at(content.value or 0, size.value)
        finally:
            self._c.free(content)

    def clauses(self, text: bytes) -> bytes:
        """Return one line for every clause of `text`, in UTF-8: where the library stopped reading, a space, and the phonemes.

        It stops after the first character of the next clause, counted in bytes; at the end, one byte after the text. `text`
        has no zero byte. May end this process.
        """
        self._listen()
        self._speak(b"", _CHARS_AUTO)  # resets the last text's settings, phonemes between [[ and ]] among them
        content = ctypes.create_string_buffer(text)
        start = ctypes.addressof(content)
        position, lines = ctypes.c_void_p(start), []
        while position.value is not None:
            phonemes = self._espeak.espeak_TextToPhonemes(ctypes.byref(position), _CHARS_AUTO, _PHONEMES_IPA)
            stop = len(text) + 1 if position.value is None else position.value - start
            lines.append(b"%d %b" % (stop, phonemes))
        return b"\n".join(lines)

    def _listen(self) -> None:
        """Register the callback at first use, which is after the fork.

        On hardened kernels the memory of ctypes' callbacks is a shared file, and a child that
        inherits one is killed. The library keeps the pointer, so this object keeps the callback.
        """
        if self._callback is None:
            self._callback = _SynthCallback(lambda *_: int(self._stop_at_first_sound))
            self._espeak.espeak_SetSynthCallback(self._callback)

    def _is_one_clause(self, text: bytes) -> bool:
        self._speak(b"")  # resets the last text's settings, and a character read ahead
        position = ctypes.c_char_p(text)
        self._espeak.espeak_TextToPhonemes(ctypes.byref(position), _CHARS_UTF8, _PHONEMES_IPA_UNDERSCORED)
        return position.value is None

    def _speak(self, text: bytes, flags: int = _SYNTHESIS_FLAGS) -> None:
        self._espeak.espeak_Synth(text, len(text) + 1, 0, _POSITION_CHARACTER, 0, flags, None, None)


def _shortened(folder: Path) -> tuple[int | None, str]:
    """Return a path of the folder that fits the library's buffer, with the descriptor behind it if it needs one.

    Raises:
        EspeakError: the path is too long, and there is no other.
    """
    if len(os.fsencode(folder / _DATA_FOLDER)) <= MAX_DATA_PATH_BYTES:
        return None, str(folder)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise EspeakError(f"espeak-ng cannot read its data in {folder}: {error.strerror}; reinstall espeakng-loader") from error
    short = f"/proc/self/fd/{descriptor}"
    if os.path.isdir(short):
        return descriptor, short
    os.close(descriptor)
    size = len(os.fsencode(folder / _DATA_FOLDER))
    raise EspeakError(
        f"the path of espeak-ng's data has {size} bytes, and the library takes {MAX_DATA_PATH_BYTES}: {folder}; "
        "install the packages under a shorter path, or mount /proc"
    )


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    library.espeak_SetPhonemeTrace.argtypes = [ctypes.c_int, ctypes.c_void_p]
    library.espeak_SetPhonemeTrace.restype = None
    library.espeak_TextToPhonemes.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
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
