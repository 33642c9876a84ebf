"""The bake of XTTS, with the latents of every speaker that the release registers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from loader.artifacts.artifact import VoiceFacts
from loader.bake.checkpoint import load_weights, require_finite
from loader.bake.names import stripped
from loader.bake.voice import Contents, Stage
from loader.bake.weights_file import read_weights_file, weights_of
from loader.bake.wording import note, one_line
from loader.engines.compat import coqui_package
from loader.engines.coqui import xtts
from loader.engines.weights import write_tensors
from loader.errors import ArtifactError, BakeError
from loader.releases.configuration import file_name
from loader.releases.release import Release

#: Latents that Coqui computed for its own speakers.
_SPEAKERS_FILE = "speakers_xtts.pth"
#: A recording of this name registers the speaker NAME.
_RECORDING_PREFIX, _RECORDING_SUFFIX = "speaker_", ".wav"
_LATENTS = ("gpt_cond_latent", "speaker_embedding")
#: Alternative names of parts in old checkpoints.
_ALIASES = ("gpt.gpt_inference.", "gpt.gpt.wte.")

Latents = tuple[torch.Tensor, torch.Tensor]


def bake_xtts(release: Release, config: Any, target: Path, stage: Stage) -> Contents:
    """Write networks, vocabulary and speakers into `target`."""
    vocabulary = _read_vocabulary(release, config)
    with stage("loading the checkpoint"):
        tokenizer = _count_symbols(vocabulary, config, release)
        model = _load(release, config)
    with stage("encoding reference speakers"):
        speakers = dict(sorted(_speakers(release, model)))
        if not speakers:
            raise BakeError(f"{release.directory}: registers no speaker; add {_SPEAKERS_FILE} or speaker_NAME.wav and seal again")
    with stage("writing weights"):
        _write(model, config, speakers, target)
        (target / xtts.VOCABULARY_FILE).write_bytes(vocabulary)
    facts = VoiceFacts(
        sample_rate_hz=model.args.output_sample_rate,
        speakers=list(speakers),
        languages=_languages(tokenizer, config),
        length_scale=1.0,
        noise_scale=float(config.temperature),
        noise_scale_duration=0.0,
    )
    # Coqui asserts that there are fewer than its maximum. The key is part of the artifact's format.
    return Contents(facts, None, {"xtts": {"most_ids": model.args.gpt_max_text_tokens - 1}})


def _read_vocabulary(release: Release, config: Any) -> bytes:
    # As Coqui, which reads the named file only if there is none of the usual name.
    names = [xtts.VOCABULARY_FILE, file_name(config.model_args.tokenizer_file or "")]
    name = next((each for each in names if each in release.hashes), None)
    if name is None:
        wanted = " or ".join(filter(None, names))
        raise BakeError(f"{release.directory}: an XTTS voice without {wanted} in hash.sha256; add it and seal again")
    return (release.directory / name).read_bytes()


def _count_symbols(vocabulary: bytes, config: Any, release: Release) -> Any:
    """Set the vocabulary's numbers in the configuration, which Coqui does when it loads a checkpoint."""
    try:
        tokenizer = xtts.coqui_tokenizer(vocabulary)
    except ArtifactError as error:
        raise BakeError(f"{release.directory}: {error}") from error
    arguments = config.model_args
    arguments.gpt_number_text_tokens = tokenizer.get_number_tokens()
    arguments.gpt_start_text_token = tokenizer.tokenizer.token_to_id("[START]")
    arguments.gpt_stop_text_token = tokenizer.tokenizer.token_to_id("[STOP]")
    return tokenizer


def _load(release: Release, config: Any) -> Any:
    try:
        model = xtts.build_xtts(config)
    except Exception as error:  # Coqui's constructors raise anything
        raise BakeError(f"{release.config_path}: Coqui cannot build it: {one_line(error)}") from error
    path = release.checkpoint_path
    weights = weights_of(read_weights_file(path), path)
    _load_plain_weights(model, coqui_package.compatible_weights(model, path, weights), path)
    return model


def _load_plain_weights(model: Any, weights: dict[str, Any], path: Path) -> None:
    """Load XTTS's weights, without the aliases that some checkpoints contain and XTTS makes itself."""
    plain = {name: each for name, each in weights.items() if not name.startswith(_ALIASES)}
    for name in xtts.NETWORKS:
        load_weights(getattr(model, name), xtts.within(plain, name), path)
    if "mel_stats" in plain:
        model.mel_stats.copy_(plain["mel_stats"])


def _speakers(release: Release, model: Any) -> Iterator[tuple[str, Latents]]:
    if _SPEAKERS_FILE in release.hashes:
        path = release.directory / _SPEAKERS_FILE
        registered = read_weights_file(path)
        for name, latents in registered.items():
            for_gpt, for_decoder = _latents_of(latents, name, path)
            require_finite({f"{name} (gpt)": for_gpt, f"{name} (decoder)": for_decoder}, path)
            yield stripped(name, registered), (for_gpt, for_decoder)
    for file in sorted(release.hashes):
        if file.startswith(_RECORDING_PREFIX) and file.endswith(_RECORDING_SUFFIX):
            name = file.removeprefix(_RECORDING_PREFIX).removesuffix(_RECORDING_SUFFIX)
            yield stripped(name, {}), _encode_speaker(model, release.directory / file)


def _latents_of(latents: Any, name: str, path: Path) -> Latents:
    """Return a speaker's pair of latents, whatever precision and kind of array they were saved in."""
    try:
        values = dict(latents)
        # Coqui takes them by their order.
        for_gpt, for_decoder = (values[key] for key in _LATENTS) if set(_LATENTS) <= values.keys() else values.values()
        return torch.as_tensor(for_gpt).float(), torch.as_tensor(for_decoder).float()
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BakeError(f"{path}: the speaker {name!r} has no pair of latents; expected {' and '.join(_LATENTS)}") from error


def _encode_speaker(model: Any, recording: Path) -> Latents:
    """Return the latents of a recording, as Coqui computes them."""
    config = model.config
    coqui_package.replace_audio_reader(_load_audio)
    try:
        for_gpt, for_decoder = model.get_conditioning_latents(
            recording, max_ref_length=config.max_ref_len, gpt_cond_len=config.gpt_cond_len,
            gpt_cond_chunk_len=config.gpt_cond_chunk_len, sound_norm_refs=config.sound_norm_refs,
        )  # fmt: skip
    except Exception as error:  # a foreign recording: decoding fails in many ways
        raise BakeError(f"{recording}: XTTS cannot use this recording: {one_line(error)}") from error
    return for_gpt, for_decoder


def _load_audio(path: Path, rate_hz: int) -> torch.Tensor:
    """Return samples in [-1, 1], shape (1, n), at `rate_hz`; channels are averaged."""
    import soundfile  # type: ignore[import-untyped]
    import torchaudio  # type: ignore[import-untyped]

    samples, found_hz = soundfile.read(path, dtype="float32", always_2d=True)
    audio = torch.from_numpy(samples.T.copy()).mean(dim=0, keepdim=True)
    if found_hz != rate_hz:
        audio = torchaudio.functional.resample(audio, found_hz, rate_hz)
    return audio.clip_(-1, 1)


def _write(model: Any, config: Any, speakers: dict[str, Latents], target: Path) -> None:
    weights: dict[str, torch.Tensor] = {}
    for name in xtts.NETWORKS:
        network = getattr(model, name)
        xtts.drop_reference_parts(name, network)
        weights |= {f"{name}.{key}": each for key, each in network.state_dict().items()}
    write_tensors(target / xtts.WEIGHTS_FILE, weights)
    latents: dict[str, torch.Tensor] = {}
    for row, (for_gpt, for_decoder) in enumerate(speakers.values()):
        latents |= {f"{row}.gpt": for_gpt, f"{row}.decoder": for_decoder}
    write_tensors(target / xtts.SPEAKERS_FILE, latents)
    document = config.to_dict()
    document["model_args"] |= {"tokenizer_file": "", "gpt_checkpoint": None, "decoder_checkpoint": None}
    document |= {"datasets": [], "test_sentences": []}
    (target / xtts.CONFIG_FILE).write_text(json.dumps(document), encoding="utf-8")


def _languages(tokenizer: Any, config: Any) -> list[str]:
    """Return the voice's languages, without those whose text needs a package that is not installed."""
    return [language for language in config.languages if _has_packages(tokenizer, language)]


def _has_packages(tokenizer: Any, language: str) -> bool:
    try:
        tokenizer.encode("1.", lang=language)
    except ImportError as error:
        note(f"without the language {language!r}: {one_line(error)}")
        return False
    except Exception:  # numbers that a language's library cannot read; such sentences are spoken as written
        return True
    return True
