"""Builders of Coqui's classes without weights, shared by the bake and the engine."""

import json
import mmap
from collections.abc import Mapping
from typing import Any

import numpy as np

from loader.errors import UnsupportedModelError
from loader.releases.configuration import family_of

#: Coqui's names of the families that make a spectrogram for a vocoder.
MEL_FAMILIES = (
    "align_tts",
    "fast_pitch",
    "fast_speech",
    "fastspeech2",
    "forward_tts",
    "glow_tts",
    "neuralhmm_tts",
    "overflow",
    "speedy_speech",
    "tacotron",
    "tacotron2",
)
#: The entries of a statistics file that speaking needs, in the audio processor's order.
STATISTICS = ("mel_mean", "mel_std", "linear_mean", "linear_std")
#: Parts of these families for training only.
TRAINING_ONLY = ("aligner", "coarse_decoder", "decoder_backward")


def config_of(content: mmap.mmap | bytes) -> Any:
    """Parse the JSON of a configuration into Coqui's class."""
    return config_from(json.loads(bytes(content)))


def config_from(document: Mapping[str, Any]) -> Any:
    """Return a configuration as an object of Coqui's class.

    Raises:
        ModuleNotFoundError: Coqui has no family of that name.
    """
    from TTS.config import register_config

    family = family_of(document)
    if not family:
        raise ModuleNotFoundError("it names no model")
    config = register_config(family)()
    config.from_dict(document)
    return config


def build_family(config: Any) -> Any:
    """Return Coqui's model of a spectrogram family, without its training parts. Reads no statistics file."""
    from TTS.tts.models import setup_model

    # Copies the speakers' settings into the network's arguments; Coqui's tokenizer does it only sometimes.
    getattr(config, "__post_init__", lambda: None)()
    with_statistics = without_statistics(config)
    model = setup_model(config)
    config.audio.stats_path = with_statistics
    for name in TRAINING_ONLY:
        model._modules.pop(name, None)
    return model


def prepare_for_speaking(model: Any) -> None:
    """Allocate the inverse weights of flows, which Coqui computes when it loads a checkpoint."""
    import torch

    for module in model.modules():
        if hasattr(module, "store_inverse") and hasattr(module, "weight_inv"):
            module.weight_inv = torch.nn.Parameter(torch.empty_like(module.weight), requires_grad=False)


def build_generator(config: Any) -> Any:
    """Return the generator of one of Coqui's adversarial vocoders, with weight normalization.

    Raises:
        UnsupportedModelError: a vocoder of another kind.
    """
    from TTS.vocoder.models import setup_generator

    kind = config.get("generator_model", None) or config.model
    try:
        return setup_generator(config)
    except (AttributeError, ImportError, NotImplementedError) as error:
        raise UnsupportedModelError(
            f"vocoder {kind!r}: this version supports Coqui's adversarial vocoders, such as HiFi-GAN"
        ) from error


def fuse_generator(generator: Any) -> None:
    """Fuse weight normalization, as Coqui does when it loads a vocoder for inference."""
    if hasattr(generator, "remove_weight_norm"):
        generator.remove_weight_norm()


def audio_processor(config: Any) -> Any:
    """Return Coqui's audio processor for a vocoder's configuration. Reads no statistics file."""
    from TTS.utils.audio import AudioProcessor

    with_statistics = without_statistics(config)
    processor = AudioProcessor(config.audio)
    config.audio.stats_path = with_statistics
    return processor


def without_statistics(config: Any) -> Any:
    """Remove the statistics file from a configuration, because Coqui would unpickle it, and return its name."""
    named, config.audio.stats_path = config.audio.stats_path, None
    return named


def apply_statistics(processor: Any, statistics: Mapping[str, Any]) -> None:
    """Set the means and deviations of the audio processor."""
    arrays = [np.asarray(statistics[name]) for name in STATISTICS]
    processor.setup_scaler(*arrays)
    processor.max_norm = processor.clip_norm = processor.symmetric_norm = None
