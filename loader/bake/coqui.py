"""The wall around Coqui: a release in, its network out, ready for export."""

import importlib.util
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from loader.errors import BakeError, LoaderError, UnsupportedModelError
from loader.release import Release
from loader.text.espeak import Espeak

#: Weights that training needs and speaking does not.
_TRAINING_ONLY = ("disc.", "posterior_encoder.", "duration_predictor.post_", "duration_predictor.flows.1.")


@dataclass(frozen=True)
class CoquiVits:
    """A loaded `TTS.tts.models.vits.Vits`, in evaluation mode, and its configuration."""

    model: Any
    config: Any


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


def load_vits(release: Release) -> CoquiVits:
    """Build the network of `release` and load every weight that speaking needs.

    Raises:
        UnsupportedModelError: not a VITS, or a variant this version cannot speak.
        BakeError: the checkpoint lacks a weight, or holds one that no module takes.
    """
    from TTS.config import load_config
    from TTS.tts.models.vits import Vits

    try:
        config = load_config(release.config_path)
    except Exception as error:  # Coqui's readers share no base class of errors
        raise BakeError(f"{release.config_path}: Coqui cannot read it: {_one_line(error)}") from error
    _require_plain_vits(release, config)
    config.model_args.init_discriminator = False
    try:
        model = Vits(config)
    except LoaderError:
        raise
    except Exception as error:  # an unknown cleaner, phonemizer or character class, each in its own way
        raise BakeError(f"{release.config_path}: Coqui cannot build it: {_one_line(error)}") from error
    _load_weights(model, release)
    return CoquiVits(model.eval(), model.config)


def fuse_weight_norm(model: Any) -> None:
    """Replace every weight-normalised parameter by its plain product, in place."""
    from torch.nn.utils import parametrize

    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")


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


def _require_plain_vits(release: Release, config: Any) -> None:
    if config.model != "vits":
        raise UnsupportedModelError(f"{release.config_path}: model is {config.model!r}; this version speaks vits only")
    arguments = config.model_args
    for key in ("use_speaker_embedding", "use_d_vector_file", "use_language_embedding", "encoder_sample_rate"):
        if arguments.get(key):
            raise UnsupportedModelError(
                f"{release.config_path}: model_args.{key} is set; this version speaks VITS voices "
                "of one speaker and one language at one sample rate"
            )


def _load_weights(model: Any, release: Release) -> None:
    import torch

    path = release.checkpoint_path
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)["model"]
    except Exception as error:  # unpickling foreign files fails in many ways
        raise BakeError(f"{path}: torch cannot read it: {_one_line(error)}") from error
    try:
        result = model.load_state_dict(weights, strict=False)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise BakeError(f"{path}: its weights do not fit config.json: {_one_line(error)}") from error
    missing = [key for key in result.missing_keys if not key.startswith(_TRAINING_ONLY)]
    unexpected = [key for key in result.unexpected_keys if not key.startswith((*_TRAINING_ONLY, "speaker_encoder."))]
    if missing or unexpected:
        raise BakeError(f"{path}: missing weights: {_some(missing)}; weights nothing takes: {_some(unexpected)}")


def _one_line(error: Exception) -> str:
    line = " ".join(str(error).split()) or type(error).__name__
    return line if len(line) <= 300 else line[:297] + "..."


def _some(keys: list[str]) -> str:
    shown = ", ".join(keys[:5]) or "none"
    return shown if len(keys) <= 5 else f"{shown} and {len(keys) - 5} more"
