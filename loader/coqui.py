"""Coqui's own package, made importable beside a CPU build of torch. For the bake and the `coqui` engine."""

import importlib.util
import sys
import warnings
from typing import Any

from loader.text.espeak import Espeak


def import_coqui() -> None:
    """Make Coqui importable beside a CPU build of torch, with its telemetry-free parts only.

    PyPI's torchaudio is linked to CUDA and fails to load here; inference never touches it,
    so it is registered to be loaded at first use. Coqui's espeak
    wrapper wants an executable on the PATH; ours speaks to the packaged library.
    """
    warnings.filterwarnings("ignore")
    import TTS  # noqa: F401  the package looks for torchaudio's metadata, which is there

    _load_at_first_use("torchaudio")
    _use_packaged_espeak()


def _load_at_first_use(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None or name in sys.modules:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _use_packaged_espeak() -> None:
    from TTS.tts.utils.text import phonemizers
    from TTS.tts.utils.text.phonemizers.base import BasePhonemizer

    espeak = Espeak()

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
            return "espeak"

        @classmethod
        def is_available(cls) -> bool:
            return True

        def version(self) -> str:
            return "packaged"

        @staticmethod
        def supported_languages() -> dict[str, Any]:
            return {}

    # Coqui fills both tables at first use, and only while they are empty.
    phonemizers.PHONEMIZERS["espeak"] = PackagedEspeak
    phonemizers.DEF_LANG_TO_PHONEMIZER.update({"en-us": "espeak", "en": "espeak"})
