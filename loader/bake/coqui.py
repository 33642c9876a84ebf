"""The bake for the `coqui` engine: a spectrogram family and its vocoder; XTTS has a module of its own."""

import copy
import json
from pathlib import Path
from typing import Any

import torch

from loader.artifacts.artifact import VoiceFacts
from loader.bake.checkpoint import load_weights, one_line, read_checkpoint, read_config, read_statistics, require_finite
from loader.bake.tokenizer import copy_text_sources, text_facts
from loader.bake.voice import Contents, Stage
from loader.engines.coqui import building, mel
from loader.engines.coqui.building import MEL_FAMILIES
from loader.engines.weights import write_tensors
from loader.errors import BakeError, LoaderError, UnsupportedModelError
from loader.releases.release import VOCODER_CONFIG_FILE, Release

_FILE_NAMES = ("speakers_file", "speaker_file", "language_ids_file", "d_vector_file")


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write a release of any family but VITS into `target`."""
    with stage("reading config.json"):
        config = read_config(release)
    family = config.model.lower()
    if family == "xtts":
        from loader.bake.xtts import bake_xtts

        return bake_xtts(release, config, target, stage)
    if family == "vits":
        raise UnsupportedModelError(f"{release.config_path}: engine 'coqui' speaks every family but VITS; set engine: auto")
    if family not in MEL_FAMILIES:
        raise UnsupportedModelError(
            f"{release.config_path}: model {config.model!r}; this version speaks vits, xtts, {', '.join(MEL_FAMILIES)}"
        )
    return bake_mel_voice(release, config, target, stage)


def bake_mel_voice(release: Release, config: Any, target: Path, stage: Stage) -> Contents:
    """Write the model, its vocoder and its text sources into `target`."""
    with stage("loading the checkpoint"):
        # A copy, because Coqui's constructors remove used entries from a configuration.
        model = _build(copy.deepcopy(config), release)
        checkpoint = read_checkpoint(release.checkpoint_path)
        load_weights(model, _drop_training_weights(checkpoint.get("model") or {}), release.checkpoint_path)
        _store_inverses(model)
    with stage("writing weights"):
        reduction = _reduction(model, checkpoint)
        sample_rate_hz = _write_vocoder(release, target) or model.ap.sample_rate
        _write_statistics(release, config.audio.stats_path, config.audio.signal_norm, target / mel.STATISTICS_FILE)
        write_tensors(target / mel.WEIGHTS_FILE, model.state_dict())
        speakers = _write_speakers(model, release, target)
        (target / mel.CONFIG_FILE).write_text(_format_config(config, model.config, speakers), encoding="utf-8")
        copy_text_sources(target, model)
    return Contents(_voice_facts(model, speakers, sample_rate_hz), text_facts(model), {"mel": {"reduction": reduction}})


def _build(config: Any, release: Release) -> Any:
    try:
        return building.build_family(config)
    except LoaderError:
        raise
    except Exception as error:  # an unknown cleaner, phonemizer or character class, each in its own way
        raise BakeError(f"{release.config_path}: Coqui cannot build it: {one_line(error)}") from error


def _drop_training_weights(weights: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in weights.items() if name.split(".")[0] not in building.TRAINING_ONLY}


def _store_inverses(model: Any) -> None:
    for module in model.modules():
        if hasattr(module, "store_inverse") and hasattr(module, "weight_inv"):
            module.store_inverse()


def _reduction(model: Any, checkpoint: dict[str, Any]) -> int | None:
    """Return the frames of one step of Tacotron's decoder, which changes during training."""
    if not hasattr(model.decoder if hasattr(model, "decoder") else None, "set_r"):
        return None
    return int(checkpoint.get("r") or checkpoint.get("config", {}).get("r") or model.config.r)


def _write_vocoder(release: Release, target: Path) -> int | None:
    """Write the release's vocoder, and return its sample rate in hertz; None if the release has none."""
    from TTS.config import load_config

    path = release.vocoder_path
    if path is None:
        return None
    config_path = release.directory / VOCODER_CONFIG_FILE
    try:
        config = load_config(config_path)
    except Exception as error:  # Coqui's readers share no base class of errors
        raise BakeError(f"{config_path}: Coqui cannot read it: {one_line(error)}") from error
    generator = _build_generator(config, config_path)
    load_weights(generator, _generator_weights(read_checkpoint(path)), path)
    building.fuse_generator(generator)
    require_finite(dict(generator.named_parameters()), path)  # a direction of length 0 makes NaN
    write_tensors(target / mel.VOCODER_WEIGHTS_FILE, generator.state_dict())
    named = config.audio.stats_path
    own = f"vocoder_{Path(named).name}" if named else None
    _write_statistics(
        release, own if own in release.hashes else named, config.audio.signal_norm, target / mel.VOCODER_STATISTICS_FILE
    )
    config.audio.stats_path = None
    (target / mel.VOCODER_CONFIG_FILE).write_text(json.dumps(config.to_dict()), encoding="utf-8")
    return int(config.audio.sample_rate)


def _build_generator(config: Any, path: Path) -> Any:
    try:
        return building.build_generator(config)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(f"{path}: {error}") from error
    except Exception as error:  # Coqui's constructors raise anything
        raise BakeError(f"{path}: Coqui cannot build it: {one_line(error)}") from error


def _generator_weights(checkpoint: dict[str, Any]) -> Any:
    """Return the generator's weights, which old checkpoints have in one table with the discriminator's."""
    if "model_disc" in checkpoint:
        return checkpoint["model"]
    prefix = "model_g."
    return {name.removeprefix(prefix): each for name, each in checkpoint["model"].items() if name.startswith(prefix)}


def _write_statistics(release: Release, named: str | None, used: bool, path: Path) -> None:
    if not (named and used):
        return
    name = Path(named).name
    if name not in release.hashes:
        missing = f"stats_path names {name}, which hash.sha256 does not list"
        raise BakeError(f"{release.directory}: {missing}; add it and seal again")
    write_tensors(path, read_statistics(release.directory / name))


def _write_speakers(model: Any, release: Release, target: Path) -> list[str]:
    """Write the vectors of speakers, if the voice has them, and return the speakers' names."""
    manager = model.speaker_manager
    if manager is None:
        return []
    if not manager.embedding_names:
        return sorted(manager.name_to_id, key=manager.name_to_id.__getitem__)
    means = {name: manager.get_mean_embedding(name).tolist() for name in manager.embedding_names}
    require_finite({f"vector of {name}": torch.tensor(mean) for name, mean in means.items()}, release.directory)
    vectors = {name: {"name": name, "embedding": mean} for name, mean in means.items()}
    (target / mel.D_VECTORS_FILE).write_text(json.dumps(vectors), encoding="utf-8")
    return list(manager.embedding_names)


def _format_config(config: Any, used: Any, speakers: list[str]) -> str:
    """Return a configuration as JSON, without files, and without a phonemizer for Coqui to start.

    Args:
        config: the released one.
        used: the model's, with its default symbols and languages.
        speakers: their names, row by row.
    """
    document = config.to_dict()
    for holder in (document, document["model_args"]):
        holder |= {name: None for name in _FILE_NAMES if name in holder}
        holder |= {"num_chars": used.num_chars} if "num_chars" in holder else {}
    document["audio"]["stats_path"] = None
    document |= {"use_phonemes": False, "text_cleaner": None, "datasets": [], "test_sentences": []}
    document |= {"speakers": speakers, "languages": used.languages, "characters": used.characters.to_dict()}
    return json.dumps(document)


def _voice_facts(model: Any, speakers: list[str], sample_rate_hz: int) -> VoiceFacts:
    rows = model.language_manager.name_to_id
    return VoiceFacts(
        sample_rate_hz=sample_rate_hz,
        speakers=speakers,
        languages=sorted(rows, key=rows.__getitem__) or [""],
        length_scale=float(getattr(model, "length_scale", 1.0)),
        noise_scale=float(getattr(model, "inference_noise_scale", getattr(model, "sampling_temp", 0.0))),
        noise_scale_duration=0.0,
    )
