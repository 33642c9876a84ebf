"""Coqui's own package, made importable beside a CPU build of torch. For the bake and the `coqui` engine."""

import functools
import importlib
import importlib.util
import sys
import warnings
from typing import Any

from loader.config.home import provide_cache_folder
from loader.text.espeak import Espeak
from loader.text.phonemizers import CARRIED, ESPEAK, UNSUPPORTED, require_phonemizer


def import_coqui() -> None:
    """Make Coqui importable beside a CPU build of torch, with its telemetry-free parts only.

    PyPI's torchaudio is linked to CUDA and fails to load here; inference never touches it,
    so it is registered to be loaded at first use. Coqui's espeak
    wrapper wants an executable on the PATH; ours speaks to the packaged library.

    Raises:
        StoreError: there is no folder that its libraries could keep caches in.
    """
    provide_cache_folder()
    warnings.filterwarnings("ignore")
    import TTS  # noqa: F401  the package looks for torchaudio's metadata, which is there

    _load_at_first_use("torchaudio")
    _use_our_phonemizers()


def _load_at_first_use(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None or name in sys.modules:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _use_our_phonemizers() -> None:
    """Fill Coqui's two tables of phonemizers, which it would fill at first use and only while they are empty.

    It would look for an espeak-ng command, and for packages by names of its own: for Korean
    it looks for a module `mecab-ko`, which no module can be called.
    """
    from TTS.tts.utils.text import phonemizers
    from TTS.utils import import_utils

    espeak = Espeak()
    # What is missing is said by us, with the extra of ours that brings it.
    import_utils.PHONEMIZER_DEPS.clear()
    for name in (*CARRIED, *UNSUPPORTED):
        phonemizers.PHONEMIZERS[name] = functools.partial(_opened, name)
    phonemizers.PHONEMIZERS[ESPEAK] = _packaged_espeak(espeak)
    defaults = phonemizers.DEF_LANG_TO_PHONEMIZER
    defaults.update({language: ESPEAK for language in (*espeak.languages(), "en")})
    defaults.update({carried.language: name for name, carried in CARRIED.items()}, be="be_phonemizer")


def _opened(name: str, **arguments: Any) -> Any:
    require_phonemizer(name)
    carried = CARRIED[name]
    return getattr(importlib.import_module(carried.module), carried.class_name)(**arguments)


def _packaged_espeak(espeak: Espeak) -> Any:
    from TTS.tts.utils.text.phonemizers.base import BasePhonemizer

    class PackagedEspeak(BasePhonemizer):  # type: ignore[misc]
        """Coqui's phonemizer interface over the packaged library."""

        def __init__(self, language: str, **kwargs: Any) -> None:
            super().__init__({"en": "en-us", "zh-cn": "cmn"}.get(language, language), keep_puncs=True)

        def _phonemize(self, text: str, separator: str) -> str:
            return espeak.phonemize(text, self.language)

        def is_supported_language(self, language: str) -> bool:
            espeak.select(language)
            return True

        @staticmethod
        def name() -> str:
            return ESPEAK

        @classmethod
        def is_available(cls) -> bool:
            return True

        def version(self) -> str:
            return "packaged"

        @staticmethod
        def supported_languages() -> dict[str, Any]:
            return {}

    return PackagedEspeak
