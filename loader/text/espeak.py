"""espeak-ng in this process: text of one language in, IPA phonemes out.

The library and its data come with the `espeakng-loader` package; nothing of the
system is needed. Opened in the master before the fork (it starts no thread).
"""

import ctypes
import re
import threading
from pathlib import Path

import espeakng_loader

from loader.errors import LoaderError

_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
# Bit 1 asks for IPA; bits 8 and up name a separator, as the command line's --ipa=1 does.
_PHONEMES_IPA_UNDERSCORED = 0x02 | ord("_") << 8
_LANGUAGE_FLAG = re.compile(r"\(.+?\)")


class EspeakError(LoaderError):
    """espeak-ng could not be opened, or has no such language."""

    exit_status = 69


class Espeak:
    """One espeak-ng per process. Not thread-safe by itself, so every call holds a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._language: str | None = None
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise EspeakError(f"espeak-ng cannot be loaded: {error}; reinstall espeakng-loader") from error
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = Path(espeakng_loader.get_data_path()).parent
        rate = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_SYNCHRONOUS, 0, str(data).encode(), _INITIALIZE_DONT_EXIT
        )
        if rate <= 0:
            raise EspeakError(f"espeak-ng cannot read its data in {data}; reinstall espeakng-loader")

    def select(self, language: str) -> None:
        """Check that `language` exists.

        Raises:
            EspeakError: espeak-ng has no voice of that name.
        """
        with self._lock:
            self._select(language)

    def phonemize(self, text: str, language: str) -> str:
        """Return the phonemes of `text`, clause by clause, as Coqui's ESpeak phonemizer joins them."""
        with self._lock:
            self._select(language)
            clauses = self._clauses(text)
        # Language switches such as "(en)" are espeak-ng's remarks, not phonemes.
        return "".join(_LANGUAGE_FLAG.sub("", clause.strip()).strip() for clause in clauses).replace("_", "")

    def _select(self, language: str) -> None:
        if language == self._language:
            return
        if self._library.espeak_SetVoiceByName(language.encode()) != 0:
            raise EspeakError(f"espeak-ng has no language {language!r}; `phoneme_language` in config.json names it")
        self._language = language

    def _clauses(self, text: str) -> list[str]:
        position = ctypes.c_char_p(text.encode("utf-8", "ignore"))
        clauses = []
        while position.value is not None:
            phonemes = self._library.espeak_TextToPhonemes(
                ctypes.byref(position), _CHARS_UTF8, _PHONEMES_IPA_UNDERSCORED
            )
            clauses.append((phonemes or b"").decode("utf-8", "replace"))
        return clauses
