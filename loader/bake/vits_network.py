"""Coqui's VITS as the network that the graphs are built from: its weights under the names of the original VITS code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loader.bake.graphs.durations import LAST_SCALE
from loader.bake.graphs.weights import Network, Weights

#: Coqui's names to those of the original code; the inverse of Coqui's own renaming of fairseq's voices.
_RENAMED = (
    (re.compile(r"^text_encoder\."), "enc_p."),
    (re.compile(r"^waveform_decoder\.cond_layer\."), "dec.cond."),
    (re.compile(r"^waveform_decoder\."), "dec."),
    (re.compile(r"^duration_predictor\.flows\.0\.translation$"), "dp.flows.0.m"),
    (re.compile(r"^duration_predictor\.flows\.0\.log_scale$"), LAST_SCALE),
    (re.compile(r"^duration_predictor\."), "dp."),
)
#: Both codes alternate flows with flips; Coqui does not number the flips.
_FLOW = re.compile(r"^flow\.flows\.(\d+)\.")
_DURATION_FLOW = re.compile(r"^dp\.flows\.([1-9]\d*)\.")
#: The first flow with a spline does not change the durations.
_TRAINING_ONLY = ("dp.post_", "dp.flows.1.")
#: Of Coqui's plain duration predictor.
_EPSILON = 1e-4


def network_of(vits: Any, path: Path) -> Network:
    """Return the network of a `TTS.tts.models.vits.Vits` whose weight normalization is fused.

    Args:
        vits: the model.
        path: its checkpoint, for errors.
    """
    generator = vits.waveform_decoder
    blocks = generator.resblocks[: generator.num_kernels]
    return Network(
        Weights(dict(_weights(vits)), path),
        strides=[up.stride[0] for up in generator.ups],
        dilations=[[conv.dilation[0] for conv in (getattr(block, "convs1", None) or block.convs)] for block in blocks],
        flow_dilation_rate=int(vits.args.dilation_rate_flow),
        epsilon=_EPSILON,
    )


def original_name(name: str) -> str:
    """Return the original code's name of one of Coqui's weights."""
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    name = _FLOW.sub(lambda match: f"flow.flows.{2 * int(match[1])}.", name)
    return _DURATION_FLOW.sub(lambda match: f"dp.flows.{2 * int(match[1]) - 1}.", name)


def _weights(vits: Any) -> Iterator[tuple[str, Any]]:
    for part in ("text_encoder", "duration_predictor", "flow", "waveform_decoder"):
        for key, tensor in getattr(vits, part).state_dict().items():
            name = original_name(f"{part}.{key}")
            if name.startswith("dp.cond.") and not vits.args.condition_dp_on_speaker:
                continue
            if not name.startswith(_TRAINING_ONLY):
                yield name, ((-tensor).exp() if name == LAST_SCALE else tensor).detach().numpy()
