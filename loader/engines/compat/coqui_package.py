"""Coqui's `TTS` package, importable beside a CPU build of torch. For the bake and the `coqui` engine."""

import functools
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from loader.config.home import provide_cache_folder
from loader.text.espeak import Espeak
from loader.text.phonemizers import CARRIED, ESPEAK, UNSUPPORTED, require_phonemizer


def import_coqui() -> None:
    """Import the package and replace its phonemizers by ours.

    PyPI's torchaudio is linked to CUDA and fails to load here; inference does not use it,
    so it is registered to be loaded at first use. Coqui's espeak wrapper needs an executable
    on the PATH; ours uses the packaged library.

    Raises:
        StoreError: there is no folder for the caches of its libraries.
    """
    provide_cache_folder()
    with without_warnings():
        import TTS  # noqa: F401  the package looks for torchaudio's metadata, which is there

        _load_at_first_use("torchaudio")
        _use_our_phonemizers()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Ignore warnings while Coqui's modules are imported and its classes built: they are about its own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def compatible_weights(model: Any, path: Any, weights: dict[str, Any]) -> Any:
    """Return the weights of an XTTS checkpoint, renamed by Coqui for its present classes, without Coqui's own reading."""
    model._load_checkpoint = lambda _path: weights
    return model.get_compatible_checkpoint_state_dict(path)


def replace_audio_reader(read: Callable[[Any, int], Any]) -> None:
    """Have XTTS read recordings through `read`: Coqui's own reader needs torchcodec, and so FFmpeg on the machine."""
    from TTS.tts.models import xtts

    xtts.load_audio = read


def replace_names_reader(read: Callable[[Any], Any]) -> None:
    """Have Coqui's managers read the files of speakers and languages through `read`."""
    from TTS.tts.utils import managers

    managers.load_file = read


def replace_fairseq_reader(read: Callable[[Any], Any]) -> None:
    """Have Coqui rename the weights of fairseq's voices in the file that `read` returns for the path of a checkpoint."""
    from TTS.tts.models import vits
    from TTS.tts.utils.fairseq import rehash_fairseq_vits_checkpoint

    vits.rehash_fairseq_vits_checkpoint = lambda path: rehash_fairseq_vits_checkpoint(read(path))


def _load_at_first_use(name: str) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None or name in sys.modules:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _use_our_phonemizers() -> None:
    """Fill Coqui's two tables of phonemizers. Coqui fills them at first use, if they are empty.

    It looks for an espeak-ng command, and for packages by wrong names: for Korean it looks
    for a module `mecab-ko`, which is no module name.
    """
    from TTS.tts.utils.text import phonemizers
    from TTS.utils import import_utils

    espeak = Espeak()
    # Missing packages are our error, which names the extra to install.
    import_utils.PHONEMIZER_DEPS.clear()
    for name in (*CARRIED, *UNSUPPORTED):
        phonemizers.PHONEMIZERS[name] = functools.partial(_open_phonemizer, name)
    phonemizers.PHONEMIZERS[ESPEAK] = _packaged_espeak(espeak)
    defaults = phonemizers.DEF_LANG_TO_PHONEMIZER
    defaults.update({language: ESPEAK for language in (*espeak.languages(), "en")})
    defaults.update({carried.language: name for name, carried in CARRIED.items()}, be="be_phonemizer")


def _open_phonemizer(name: str, **arguments: Any) -> Any:
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
