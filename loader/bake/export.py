"""Torch modules to optimised ONNX graphs with their weights beside them."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from loader.bake.decoder import Decode
from loader.bake.graphs import Encode, Flow
from loader.engines import onnx
from loader.errors import BakeError

_OPSET = 17
#: Smaller constants stay in the graph file: they are shapes and scalars.
_LEAST_WEIGHT_BYTES = 1024


def export_graphs(vits: Any, directory: Path) -> None:
    """Write `encode`, `flow` and `decode` into `directory`, each as `.onnx` and `.bin`.

    The graphs are optimised for the processor this runs on, so that opening them needs
    no optimisation, and hold no random node.

    Raises:
        BakeError: a graph still draws random numbers, or cannot be written.
    """
    channels = vits.args.hidden_channels
    ids = torch.ones(1, 12, dtype=torch.int64)
    latent = torch.zeros(1, channels, 24)
    _export(Encode(vits), (ids, torch.zeros(1, 2, 12)), ["ids", "noise"], ["mean", "log_scale", "log_durations"],
            {"ids": 1, "noise": 2, "mean": 2, "log_scale": 2, "log_durations": 2}, directory / "encode.onnx")  # fmt: skip
    _export(Flow(vits), (latent,), ["prior"], ["latent"], {"prior": 2, "latent": 2}, directory / "flow.onnx")
    _export(Decode(vits), (latent,), ["latent"], ["samples"], {"latent": 2, "samples": 0}, directory / "decode.onnx")


def _export(
    module: nn.Module, example: tuple[Any, ...], inputs: list[str], outputs: list[str], lengths: dict[str, int], path: Path
) -> None:
    plain = path.with_suffix(".plain")
    with warnings.catch_warnings():
        # The tracing exporter is marked as old, but the new one cannot trace the duration flow's splines.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            example,
            str(plain),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {axis: f"{name}_length"} for name, axis in lengths.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
    _refuse_random_nodes(plain)
    _optimise(plain, path)
    plain.unlink()


def _refuse_random_nodes(path: Path) -> None:
    import onnx as onnx_format

    graph = onnx_format.load(str(path)).graph
    random = sorted({node.op_type for node in graph.node if node.op_type.startswith(("Random", "Multinomial"))})
    if random:
        raise BakeError(f"{path.stem}: the graph draws its own noise ({', '.join(random)}); noise must be an input")


def _optimise(plain: Path, path: Path) -> None:
    """Have ONNX Runtime write the graph as it would run it here, weights in a file of their own."""
    runtime = onnx.import_onnxruntime()
    options = onnx.session_options(runtime)
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{path.stem}.bin")
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", str(_LEAST_WEIGHT_BYTES)
    )
    try:
        runtime.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no base class
        raise BakeError(f"{path}: ONNX Runtime cannot write it (is the disk full?): {error}") from error
