"""The bake for the `coqui` engine: a spectrogram family and its vocoder; XTTS has a module of its own."""

import copy
import json
from pathlib import Path
from typing import Any

import torch

from loader.artifacts.artifact import VoiceFacts
from loader.bake.checkpoint import load_weights, read_statistics, require_finite
from loader.bake.configuration import listed_file, load_config, read_config
from loader.bake.names import read_names
from loader.bake.tokenizer import copy_text_sources, text_facts
from loader.bake.voice import Contents, Stage
from loader.bake.weights_file import read_weights_file, weights_of
from loader.bake.wording import one_line
from loader.engines.compat import coqui_package
from loader.engines.coqui import building, mel
from loader.engines.coqui.building import MEL_FAMILIES
from loader.engines.weights import write_tensors
from loader.errors import BakeError, LoaderError, UnsupportedModelError
from loader.releases.configuration import file_name
from loader.releases.release import CONFIG_FILE, VOCODER_CONFIG_FILE, Release

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
    path = release.checkpoint_path
    with stage("loading the checkpoint"):
        coqui_package.replace_names_reader(read_names)
        # A copy, because Coqui's constructors remove used entries from a configuration.
        model = _build(copy.deepcopy(config), release)
        checkpoint = read_weights_file(path)
        load_weights(model, _drop_training_weights(weights_of(checkpoint, path)), path)
        _store_inverses(model)
    with stage("writing weights"):
        reduction = _reduction(model, checkpoint)
        statistics = _model_statistics(release, config.audio)
        sample_rate_hz = _write_vocoder(release, target, statistics) or model.ap.sample_rate
        if statistics:
            write_tensors(target / mel.STATISTICS_FILE, read_statistics(release.directory / statistics))
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
    trained = checkpoint.get("config")
    return int(checkpoint.get("r") or (trained.get("r") if isinstance(trained, dict) else None) or model.config.r)


def _write_vocoder(release: Release, target: Path, of_model: str | None) -> int | None:
    """Write the release's vocoder, and return its sample rate in hertz; None if the release has none.

    Args:
        release: with or without a vocoder.
        target: the artifact's folder.
        of_model: the name of the model's statistics file, if it has one.
    """
    path = release.vocoder_path
    if path is None:
        return None
    config_path = release.directory / VOCODER_CONFIG_FILE
    config = load_config(config_path)
    generator = _build_generator(config, config_path)
    load_weights(generator, _generator_weights(read_weights_file(path), path), path)
    building.fuse_generator(generator)
    require_finite(dict(generator.named_parameters()), path)  # a direction of length 0 makes NaN
    write_tensors(target / mel.VOCODER_WEIGHTS_FILE, generator.state_dict())
    statistics = _vocoder_statistics(release, config.audio.stats_path, config.audio.signal_norm, of_model)
    if statistics:
        write_tensors(target / mel.VOCODER_STATISTICS_FILE, read_statistics(release.directory / statistics))
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


def _generator_weights(checkpoint: dict[str, Any], path: Path) -> Any:
    """Return the generator's weights, which newer checkpoints have in one table with the discriminator's."""
    weights, prefix = weights_of(checkpoint, path), "model_g."
    inside = {name.removeprefix(prefix): each for name, each in weights.items() if name.startswith(prefix)}
    return weights if "model_disc" in checkpoint else inside or weights


def _model_statistics(release: Release, audio: Any) -> str | None:
    return _listed_statistics(release, CONFIG_FILE, audio.stats_path) if audio.stats_path and audio.signal_norm else None


def _vocoder_statistics(release: Release, named: str | None, used: bool, of_model: str | None) -> str | None:
    """Return the name of the vocoder's statistics: its own, never those of the model.

    Raises:
        BakeError: the model's configuration names the same file, and there is no other.
    """
    if not (named and used):
        return None
    name = file_name(named)
    own = f"vocoder_{name}"
    if own in release.hashes:
        return own
    if name == of_model:
        raise BakeError(
            f"{release.directory / VOCODER_CONFIG_FILE}: stats_path names {name}, which is the model's by config.json; "
            f"put the vocoder's own statistics beside it as {own} (a copy, if both are the same) and seal again"
        )
    return _listed_statistics(release, VOCODER_CONFIG_FILE, named)


def _listed_statistics(release: Release, configuration: str, named: str) -> str:
    name = listed_file(release, "stats_path", named)
    if name is None:
        missing = f"stats_path names {file_name(named)}, which hash.sha256 does not list"
        raise BakeError(f"{release.directory / configuration}: {missing}; add it and seal again")
    return name


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
