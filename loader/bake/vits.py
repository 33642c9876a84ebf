"""VITS releases of every variant to Coqui's network, ready for export."""

import math
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import VoiceFacts
from loader.artifacts.resolve import is_fairseq, read_json
from loader.bake.checkpoint import one_line, read_checkpoint, read_config, require_finite, some
from loader.bake.decoder import decoder_margin_frames, inner_margin_frames
from loader.engines.vits import LANGUAGES_FILE, SPEAKERS_FILE, VitsFacts
from loader.errors import BakeError, LoaderError, UnsupportedModelError
from loader.releases.release import Release

#: Weights for training only.
_TRAINING_ONLY = ("disc.", "posterior_encoder.", "duration_predictor.post_", "duration_predictor.flows.1.")


def load_vits(release: Release) -> Any:
    """Return a `TTS.tts.models.vits.Vits` in evaluation mode, with weight normalization fused.

    Raises:
        UnsupportedModelError: a variant that this version does not support.
        BakeError: the checkpoint lacks a weight, or has one that no module takes.
        IntegrityError: a weight that speaking uses is not finite.
    """
    model = _load_fairseq(release) if is_fairseq(read_json(release.config_path)) else _load_coqui(release)
    # Before fusing, by the checkpoint's names; and after it, because a direction of length 0 makes NaN.
    _require_finite(model, release)
    _fuse_weight_norm(model)
    _require_finite(model, release)
    return model.eval()


def voice_facts(model: Any) -> VoiceFacts:
    """Return the facts of a VITS voice for every engine."""
    return VoiceFacts(
        sample_rate_hz=model.config.audio.sample_rate,
        speakers=_speakers(model),
        languages=languages(model),
        length_scale=float(model.length_scale),
        noise_scale=float(model.inference_noise_scale),
        noise_scale_duration=float(model.inference_noise_scale_dp),
    )


def vits_facts(model: Any) -> VitsFacts:
    """Return the shape of a VITS voice's networks."""
    return VitsFacts(
        samples_per_frame=math.prod(model.args.upsample_rates_decoder),
        latent_channels=model.args.hidden_channels,
        margin_frames=decoder_margin_frames(model.args),
        inner_margin_frames=inner_margin_frames(model.args),
        flow_margin_frames=flow_margin_frames(model.flow),
    )


def flow_margin_frames(flow: Any) -> int:
    """Return the frames on either side that a frame of the latent depends on: the sum of every layer's reach."""
    return sum(
        conv.dilation[0] * (conv.kernel_size[0] - 1) // 2 for coupling in flow.flows for conv in coupling.enc.in_layers
    )


def languages(model: Any) -> list[str]:
    """Return the voice's languages in the order of their embeddings; "" if its maker named none."""
    rows = model.language_manager.name_to_id
    return sorted(rows, key=rows.__getitem__) or [""]


def write_conditions(model: Any, directory: Path) -> None:
    """Write the vectors of speakers and languages, if the voice has any."""
    if model.embedded_speaker_dim:
        _speaker_vectors(model).astype("<f4").tofile(directory / SPEAKERS_FILE)
    if model.embedded_language_dim:
        rows = [model.language_manager.name_to_id[name] for name in languages(model)]
        model.emb_l.weight.detach().numpy()[rows].astype("<f4").tofile(directory / LANGUAGES_FILE)


def _speakers(model: Any) -> list[str]:
    if not model.embedded_speaker_dim:
        return []
    manager = model.speaker_manager
    return list(manager.name_to_id) if hasattr(model, "emb_g") else list(manager.embedding_names)


def _speaker_vectors(model: Any) -> Any:
    import numpy as np
    import torch
    from torch.nn import functional

    if hasattr(model, "emb_g"):
        rows = torch.tensor(list(model.speaker_manager.name_to_id.values()))
        return model.emb_g.weight.detach()[rows].numpy()
    means = [model.speaker_manager.get_mean_embedding(name) for name in _speakers(model)]
    vectors = torch.tensor(np.stack(means), dtype=torch.float)
    return functional.normalize(vectors).numpy()


def _load_coqui(release: Release) -> Any:
    from TTS.tts.models.vits import Vits

    config = read_config(release)
    _require_supported(release, config)
    config.model_args.init_discriminator = False
    # The speaker encoder is for training only.
    config.model_args.use_speaker_encoder_as_loss = False
    model = _build(Vits, config, release)
    if model.embedded_speaker_dim and not _speakers(model):
        raise BakeError(f"{release.config_path}: a voice of several speakers, and no file of the release names them")
    checkpoint = read_checkpoint(release.checkpoint_path)
    if "model" not in checkpoint:
        raise BakeError(f"{release.checkpoint_path}: torch cannot read it as a checkpoint of Coqui: it has no entry 'model'")
    _load_weights(model, checkpoint["model"], release)
    return model


def _load_fairseq(release: Release) -> Any:
    """Load a fairseq voice through Coqui's own reader."""
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    if "vocab.txt" not in release.hashes:
        raise BakeError(f"{release.directory}: a fairseq voice without vocab.txt in hash.sha256; add it and seal again")
    config = VitsConfig()
    config.model_args.init_discriminator = False
    model = _build(Vits, config, release)
    try:
        model.load_fairseq_checkpoint(config, release.checkpoint_path, eval=True, strict=True)
    except Exception as error:  # Coqui's readers share no base class of errors
        raise BakeError(f"{release.checkpoint_path}: Coqui cannot read it: {one_line(error)}") from error
    # Coqui calls a voice English if its files name no language; the configuration may name it.
    model.language_manager.name_to_id = {}
    return model


def _build(vits: Any, config: Any, release: Release) -> Any:
    try:
        return vits(config)
    except LoaderError:
        raise
    except Exception as error:  # an unknown cleaner, phonemizer or character class, each in its own way
        raise BakeError(f"{release.config_path}: Coqui cannot build it: {one_line(error)}") from error


def _require_supported(release: Release, config: Any) -> None:
    if config.model_args.get("encoder_sample_rate"):
        raise UnsupportedModelError(
            f"{release.config_path}: model_args.encoder_sample_rate is set; this version speaks VITS voices of one sample rate"
        )


def _load_weights(model: Any, weights: Any, release: Release) -> None:
    path = release.checkpoint_path
    try:
        result = model.load_state_dict(weights, strict=False)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise BakeError(f"{path}: its weights do not fit config.json: {one_line(error)}") from error
    missing = [key for key in result.missing_keys if not key.startswith(_TRAINING_ONLY)]
    unexpected = [key for key in result.unexpected_keys if not key.startswith((*_TRAINING_ONLY, "speaker_encoder."))]
    if missing or unexpected:
        raise BakeError(f"{path}: missing weights: {some(missing)}; unexpected weights: {some(unexpected)}")


def _require_finite(model: Any, release: Release) -> None:
    import torch

    spoken = {name: each for name, each in model.state_dict().items() if not name.startswith(_TRAINING_ONLY)}
    require_finite(spoken, release.checkpoint_path)
    if model.embedded_speaker_dim:
        require_finite({"speakers' vectors": torch.from_numpy(_speaker_vectors(model))}, release.directory)


def _fuse_weight_norm(model: Any) -> None:
    """Replace every weight-normalized parameter by its plain product, in place."""
    from torch.nn.utils import parametrize

    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
