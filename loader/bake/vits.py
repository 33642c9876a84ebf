"""VITS releases of every variant to Coqui's network, ready for export."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.artifacts.artifact import VoiceFacts
from loader.bake.checkpoint import require_finite, require_shapes
from loader.bake.configuration import read_config
from loader.bake.coqui_vits import build_vits
from loader.bake.fairseq import load_fairseq
from loader.bake.names import read_names
from loader.bake.transformers_vits import load_transformers, read_weights
from loader.bake.weights_file import read_weights_file, weights_of
from loader.bake.wording import note, one_line, some
from loader.engines.compat import coqui_package
from loader.engines.vits import LANGUAGES_FILE, SPEAKERS_FILE
from loader.errors import BakeError, UnsupportedModelError
from loader.releases.configuration import is_fairseq, is_transformers, read_document
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
    model = _load_any(release, read_document(release.config_path))
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


def _load_any(release: Release, document: Mapping[str, Any]) -> Any:
    if is_fairseq(document):
        return load_fairseq(release)
    if is_transformers(document):
        model = load_transformers(release)
        _load_weights(model, read_weights(release, model), release)
        return model
    return _load_coqui(release)


def _load_coqui(release: Release) -> Any:
    coqui_package.replace_names_reader(read_names)
    config = read_config(release)
    _require_supported(release, config)
    config.model_args.init_discriminator = False
    # The speaker encoder is for training only.
    config.model_args.use_speaker_encoder_as_loss = False
    model = build_vits(config, release)
    if model.embedded_speaker_dim and not _speakers(model):
        raise BakeError(f"{release.config_path}: a voice of several speakers, and no file of the release names them")
    weights = weights_of(read_weights_file(release.checkpoint_path), release.checkpoint_path)
    _fit_speakers(model, weights, release)
    _load_weights(model, weights, release)
    return model


def _fit_speakers(model: Any, weights: dict[str, Any], release: Release) -> None:
    """Leave out speakers without a row in the checkpoint, whom Coqui gives a random row, and so a random voice.

    Raises:
        BakeError: the checkpoint has rows that no file names, or none for any name.
    """
    import torch

    if not hasattr(model, "emb_g") or "emb_g.weight" not in weights:
        return
    rows, manager = len(weights["emb_g.weight"]), model.speaker_manager
    names = manager.name_to_id
    lacking = [name for name, row in names.items() if not 0 <= row < rows]
    if len(names) < rows or len(lacking) == len(names):
        raise BakeError(
            f"{release.checkpoint_path}: emb_g.weight has {rows} rows, and {_source_of_names(model)} names {len(names)} speakers "
            f"(rows {min(names.values())} to {max(names.values())}); take the file of the same training, or name every row"
        )
    if lacking:
        note(f"emb_g.weight has {rows} rows for {len(names)} names in {_source_of_names(model)}; left out: {some(lacking)}")
    manager.name_to_id = {name: row for name, row in names.items() if name not in lacking}
    model.emb_g = torch.nn.Embedding(rows, model.embedded_speaker_dim)


def _source_of_names(model: Any) -> str:
    if model.config.speakers:
        return "`speakers` of config.json"
    holders = (model.args, model.config)
    keys = (key for holder in holders for key in ("speaker_file", "speakers_file") if holder.get(key, None))
    key = next(keys, "speakers_file")
    named = next(filter(None, (holder.get(key, None) for holder in holders)), "")
    return f"{key} ({Path(named).name})"


def _require_supported(release: Release, config: Any) -> None:
    if config.model_args.get("encoder_sample_rate"):
        raise UnsupportedModelError(
            f"{release.config_path}: model_args.encoder_sample_rate is set; this version speaks VITS voices of one sample rate"
        )


def _load_weights(model: Any, weights: Any, release: Release) -> None:
    path = release.checkpoint_path
    require_shapes(model, weights, path)
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
