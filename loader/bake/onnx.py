"""The bake for the `onnx` engine: optimized graphs with their weights beside them."""

import os
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from loader.bake.checkpoint import one_line
from loader.bake.decoder import Decode, flat_conv
from loader.bake.tokenizer import copy_text_sources, text_facts
from loader.bake.vits import load_vits, vits_facts, voice_facts, write_conditions
from loader.bake.voice import Contents, Stage
from loader.engines import onnx
from loader.engines.pytorch.networks import Encode, Flow
from loader.errors import BakeError
from loader.releases.release import Release

_OPSET = 17
#: Smaller constants stay in the graph file: they are shapes and scalars.
_MIN_WEIGHT_BYTES = 1024
#: Convolutions with fewer channels than two blocks do not benefit from the blocked layout.
_MIN_CHANNELS = 32


class FlatConv(nn.Module):
    """A 1-D convolution computed as a 2-D one of height 1, which ONNX Runtime does 8 % faster."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.conv = flat_conv(conv)

    def forward(self, x: Tensor) -> Tensor:
        # Not squeeze, which is exported as a branch on the height.
        return self.conv(x.unsqueeze(2)).reshape(1, self.conv.out_channels, -1)


def _flatten_convs(module: nn.Module) -> nn.Module:
    """Replace every dense, wide 1-D convolution below `module`, in place."""
    for name, child in module.named_children():
        if not isinstance(child, nn.Conv1d):
            _flatten_convs(child)
        elif child.groups == 1 and min(child.in_channels, child.out_channels) >= _MIN_CHANNELS:
            setattr(module, name, FlatConv(child))
    return module


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write a VITS release's graphs, conditions and text sources into `target`."""
    with stage("loading the checkpoint"):
        vits = load_vits(release)
    with stage("exporting and optimizing three graphs"):
        contents = Contents(voice_facts(vits), text_facts(vits), {"vits": asdict(vits_facts(vits))})
        copy_text_sources(target, vits)
        write_conditions(vits, target)
        export_graphs(vits, target)
    return contents


def export_graphs(vits: Any, directory: Path) -> None:
    """Write `encode`, `flow` and `decode` into `directory`, each as `.onnx` and `.bin`. Changes the layers of `vits`.

    The graphs are optimized for this CPU, so that opening them needs no optimization, and
    have no random node.

    Raises:
        BakeError: a graph draws random numbers, or cannot be written.
        OSError: the disk is full.
    """
    channels = vits.args.hidden_channels
    speaker = _example(vits.embedded_speaker_dim)
    language = _example(vits.embedded_language_dim)
    ids, noise = torch.ones(1, 12, dtype=torch.int64), torch.zeros(1, 2, 12)
    latent = torch.zeros(1, channels, 24)
    encode = Encode(
        _flatten_convs(vits.text_encoder),
        _flatten_convs(vits.duration_predictor),
        is_stochastic=bool(vits.args.use_sdp),
        knows_speaker=bool(vits.args.condition_dp_on_speaker),
    )
    _export(
        encode, {"ids": ids, "noise": noise, "speaker": speaker, "language": language},
        ["mean", "log_scale", "log_durations"],
        {"ids": 1, "noise": 2, "mean": 2, "log_scale": 2, "log_durations": 2}, directory / "encode.onnx",
    )  # fmt: skip
    flow = Flow(_flatten_convs(vits.flow))
    _export(flow, {"prior": latent, "speaker": speaker}, ["latent"], {"prior": 2, "latent": 2}, directory / "flow.onnx")
    _export(
        Decode(vits), {"latent": latent, "speaker": speaker, "wanted": torch.tensor([2, 20])}, ["samples"],
        {"latent": 2, "samples": 0},
        directory / "decode.onnx",
    )  # fmt: skip


def _example(channels: int) -> torch.Tensor | None:
    """Return a condition of that many channels; ones or zeros might be folded by the tracer."""
    return torch.linspace(-1, 1, channels).reshape(1, -1, 1) if channels else None


def _export(
    module: nn.Module, inputs: dict[str, torch.Tensor | None], outputs: list[str], lengths: dict[str, int], path: Path
) -> None:
    plain = path.with_suffix(".plain")
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but the new one cannot trace the duration flow's splines.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(plain),
            # The graph has no input for a missing condition, nor for one that the network ignores.
            input_names=[name for name, example in inputs.items() if example is not None],
            output_names=outputs,
            dynamic_axes={name: {axis: f"{name}_length"} for name, axis in lengths.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
    _refuse_random_nodes(plain)
    _optimize(plain, path)
    plain.unlink()


def _refuse_random_nodes(path: Path) -> None:
    import onnx as onnx_format

    graph = onnx_format.load(str(path)).graph
    random = sorted({node.op_type for node in graph.node if node.op_type.startswith(("Random", "Multinomial"))})
    if random:
        raise BakeError(f"{path.stem}: the graph draws its own noise ({', '.join(random)}); noise must be an input")


def _optimize(plain: Path, path: Path) -> None:
    """Write the graph as ONNX Runtime optimizes it for this CPU, with the weights in a file of their own."""
    runtime = onnx.import_onnxruntime()
    options = onnx.session_options(runtime)
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{path.stem}.bin")
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", str(_MIN_WEIGHT_BYTES)
    )
    try:
        runtime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no base class
        _require_room(path.parent, plain.stat().st_size)
        raise BakeError(f"{path}: ONNX Runtime cannot write it: {one_line(error)}") from error


def _require_room(directory: Path, size_bytes: int) -> None:
    """Raise the error that ONNX Runtime does not report.

    Raises:
        OSError: the disk has no room for that size.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size_bytes))
