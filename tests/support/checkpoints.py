"""Random Coqui checkpoints: `python -m tests.support.checkpoints NAME DIRECTORY` writes a sealed release.

Run as a program, so that the test process does not import torch and TTS.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.benchmarks.voices import fill, import_libraries, phoneme_config

#: The architecture of LJSpeech with thin layers: bakes in seconds.
TINY_SIZE = "tiny"
#: A directory of fairseq's MMS, not in Coqui's own format, in the only size that Coqui reads.
MMS = "mms"

#: Names and rows of the embedding, neither sorted nor in row order.
SPEAKERS = {"walter": 2, "Ada": 0, "p225": 1}
LANGUAGES = {"pt-br": 2, "en": 0, "fr-fr": 1}
#: The folder of the training machine: the paths in the configuration do not exist here.
_ELSEWHERE = "/home/trainer/run-1"


def write_random_release(name: str, directory: Path) -> None:
    """Write checkpoint, `config.json`, the variant's other files, `version.txt` and `hash.sha256`."""
    import_libraries()
    from loader.releases.sealing import seal_release

    directory.mkdir(parents=True, exist_ok=True)
    files = _write_mms(directory) if name == MMS else _write_coqui(name, directory)
    seal_release(directory, f"random-{name}", files)


def _write_coqui(name: str, directory: Path) -> list[str]:
    import torch
    from TTS.tts.models.vits import Vits

    config = phoneme_config(name)
    _make_thin(config.model_args)
    files = VARIANTS[name](config, directory) if name in VARIANTS else {}
    for key, file in files.items():
        config.model_args[key] = str(directory / file)
    model = fill(Vits(config))
    weights = model.state_dict()
    if name == "yourtts":
        # Its makers left the d-vector encoder in the checkpoint; a voice does not use it.
        weights["speaker_encoder.conv1.weight"] = torch.zeros(4, 1, 3, 3)
    if name in _OTHER_WEIGHTS:
        _OTHER_WEIGHTS[name](weights)
    torch.save({"model": weights}, directory / "model_file.pth")
    for key, file in files.items():
        model.config.model_args[key] = f"{_ELSEWHERE}/{file}"
    model.config.save_json(str(directory / "config.json"))
    return ["config.json", "model_file.pth", *files.values()]


def _make_thin(arguments: Any) -> None:
    arguments.update({
        "hidden_channels": 32, "hidden_channels_ffn_text_encoder": 64, "num_layers_text_encoder": 2,
        "upsample_initial_channel_decoder": 64, "num_layers_posterior_encoder": 2, "num_layers_flow": 2,
        "init_discriminator": False,
    })  # fmt: skip


def _speakers(config: Any, directory: Path) -> dict[str, str]:
    """An embedding of speakers with names in a `.pth` file, as Coqui's trainer writes it."""
    import torch

    torch.save(SPEAKERS, directory / "speakers.pth")
    config.model_args.update({"use_speaker_embedding": True, "speaker_embedding_channels": 24, "num_speakers": len(SPEAKERS)})
    return {"speakers_file": "speakers.pth"}


def _dvectors(config: Any, directory: Path) -> dict[str, str]:
    """Vectors of several recordings for each speaker; the duration predictor does not use the speaker."""
    config.model_args.update({"use_d_vector_file": True, "d_vector_dim": 16, "condition_dp_on_speaker": False})
    _write_json(directory / "d_vectors.json", _recordings(16))
    return {"d_vector_file": "d_vectors.json"}


def _yourtts(config: Any, directory: Path) -> dict[str, str]:
    """Like YourTTS: d-vectors, an embedding of languages, characters, and weights of a speaker encoder to be ignored."""
    _use_characters(config, "multilingual_cleaners")
    config.model_args.update({"use_d_vector_file": True, "d_vector_dim": 20})
    _write_json(directory / "speakers.json", _recordings(20))
    return {"d_vector_file": "speakers.json", **_languages(config, directory)}


def _speakers_and_languages(config: Any, directory: Path) -> dict[str, str]:
    """Embeddings of both, with names in JSON files."""
    _use_characters(config, "basic_cleaners")
    config.model_args.update({"use_speaker_embedding": True, "speaker_embedding_channels": 12})
    _write_json(directory / "speaker_ids.json", SPEAKERS)
    return {"speakers_file": "speaker_ids.json", **_languages(config, directory)}


def _languages(config: Any, directory: Path) -> dict[str, str]:
    config.model_args.update({"use_language_embedding": True, "embedded_language_dim": 4})
    _write_json(directory / "language_ids.json", LANGUAGES)
    return {"language_ids_file": "language_ids.json"}


def _graphemes(config: Any, directory: Path) -> dict[str, str]:
    """Reads characters; one speaker and one language."""
    _use_characters(config, "english_cleaners")
    return {}


def _dp(config: Any, directory: Path) -> dict[str, str]:
    """The deterministic duration predictor, with speaker and language."""
    config.model_args.use_sdp = False
    return _speakers_and_languages(config, directory)


def _wide(config: Any, directory: Path) -> dict[str, str]:
    """The tiny voice with a decoder of four times the work, and else the same weights."""
    config.model_args.upsample_initial_channel_decoder = 160
    return {}


def _scale_output(factor: float) -> Callable[[Any], None]:
    """Return what multiplies the decoder's output before its last function: other audio of the same length."""

    def scale(weights: Any) -> None:
        for key, value in weights.items():
            if key.startswith("waveform_decoder.conv_post") and not key.endswith("original1"):
                value.mul_(factor)

    return scale


def _use_characters(config: Any, cleaner: str) -> None:
    config.update({"use_phonemes": False, "text_cleaner": cleaner, "phonemizer": None})


def _recordings(channels: int) -> dict[str, dict[str, Any]]:
    """Two vectors of each speaker, alternating, as Coqui's `compute_embeddings` writes them."""
    import torch

    return {
        f"wavs/{name}_{take}.wav": {"name": name, "embedding": torch.randn(channels).tolist()}
        for take in range(2)
        for name in SPEAKERS
    }


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


#: Small VITS voices of every kind: a function changes the configuration, writes files, and returns them by configuration key.
VARIANTS: Mapping[str, Callable[[Any, Path], dict[str, str]]] = {
    "speakers": _speakers,
    "dvectors": _dvectors,
    "yourtts": _yourtts,
    "languages": _speakers_and_languages,
    "graphemes": _graphemes,
    "dp": _dp,
    "wide": _wide,
}
#: The tiny voice with other weights: releases that follow each other.
_OTHER_WEIGHTS: Mapping[str, Callable[[Any], None]] = {
    "louder": _scale_output(2.0), "silent": _scale_output(0.0), "nan": _scale_output(float("nan")),
}  # fmt: skip


#: The inverse of the renaming in `TTS.tts.utils.fairseq`.
_ORIGINAL_NAMES: Sequence[tuple[str, Callable[[re.Match[str]], str] | str]] = (
    (r"^text_encoder\.", "enc_p."),
    (r"^waveform_decoder\.", "dec."),
    (r"^posterior_encoder\.", "enc_q."),
    (r"^duration_predictor\.", "dp."),
    (r"^flow\.flows\.(\d)\.", lambda match: f"flow.flows.{2 * int(match[1])}."),
    (r"^dp\.((?:post_)?flows)\.0\.translation$", r"dp.\1.0.m"),
    (r"^dp\.((?:post_)?flows)\.0\.log_scale$", r"dp.\1.0.logs"),
    # Between two flows the original code counts the layer that reverses the channels.
    (r"^dp\.((?:post_)?flows)\.([1-9])\.", lambda match: f"dp.{match[1]}.{2 * int(match[2]) - 1}."),
    (r"\.parametrizations\.weight\.original0$", ".weight_g"),
    (r"\.parametrizations\.weight\.original1$", ".weight_v"),
)

_VOCABULARY = ("_", *" '-abcdefghijklmnopqrstuvwxyz")


def _write_mms(directory: Path) -> list[str]:
    """Write the files that fairseq publishes for one MMS language: the generator under its original names."""
    import torch
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    config = VitsConfig()
    config.model_args.init_discriminator = False
    model = Vits(config)
    model.text_encoder.emb = torch.nn.Embedding(len(_VOCABULARY), config.model_args.hidden_channels)
    weights = {_original_name(key): value for key, value in fill(model).state_dict().items()}
    torch.save({"model": weights, "iteration": 100_000, "optimizer": None}, directory / "G_100000.pth")
    (directory / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in _VOCABULARY), encoding="utf-8")
    _write_json(directory / "config.json", {
        "train": {"segment_size": 8192, "learning_rate": 0.0002},
        "data": {"training_files": "train.ltr", "sampling_rate": 16_000, "hop_length": 256, "add_blank": True, "n_speakers": 0},
        "model": {"inter_channels": 192, "hidden_channels": 192, "resblock": "1", "upsample_rates": [8, 8, 2, 2]},
    })  # fmt: skip
    return ["config.json", "G_100000.pth", "vocab.txt"]


def _original_name(key: str) -> str:
    for pattern, replacement in _ORIGINAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key


if __name__ == "__main__":
    write_random_release(sys.argv[1], Path(sys.argv[2]))
