"""The bake for the `onnx` engine: optimised graphs with their weights beside them."""

import os
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from loader.artifacts.release import Release
from loader.bake.checkpoint import one_line
from loader.bake.contents import Contents
from loader.bake.decoder import Decode
from loader.bake.graphs import encode_of, flow_of
from loader.bake.stages import Stage
from loader.bake.tokenizer import copy_text_sources, text_facts
from loader.bake.vits import load_vits, vits_facts, voice_facts, write_conditions
from loader.engines import onnx
from loader.errors import BakeError

_OPSET = 17
#: Smaller constants stay in the graph file: they are shapes and scalars.
_LEAST_WEIGHT_BYTES = 1024


def bake(release: Release, target: Path, stage: Stage) -> Contents:
    """Write a VITS release's graphs, conditions and text sources into `target`.

    Raises:
        LoaderError: any of its children.
    """
    with stage("loading the checkpoint"):
        vits = load_vits(release)
    with stage("exporting and optimising three graphs"):
        contents = Contents(voice_facts(vits), text_facts(vits), {"vits": asdict(vits_facts(vits))})
        copy_text_sources(target, vits)
        write_conditions(vits, target)
        export_graphs(vits, target)
    return contents


def export_graphs(vits: Any, directory: Path) -> None:
    """Write `encode`, `flow` and `decode` into `directory`, each as `.onnx` and `.bin`.

    The graphs are optimised for the processor this runs on, so that opening them needs
    no optimisation, and hold no random node.

    Raises:
        BakeError: a graph still draws random numbers, or cannot be written.
        OSError: there is no room for one.
    """
    channels = vits.args.hidden_channels
    speaker = _example(vits.embedded_speaker_dim)
    language = _example(vits.embedded_language_dim)
    ids, noise = torch.ones(1, 12, dtype=torch.int64), torch.zeros(1, 2, 12)
    latent = torch.zeros(1, channels, 24)
    _export(
        encode_of(vits), {"ids": ids, "noise": noise, "speaker": speaker, "language": language},
        ["mean", "log_scale", "log_durations"],
        {"ids": 1, "noise": 2, "mean": 2, "log_scale": 2, "log_durations": 2}, directory / "encode.onnx",
    )  # fmt: skip
    _export(
        flow_of(vits), {"prior": latent, "speaker": speaker}, ["latent"], {"prior": 2, "latent": 2}, directory / "flow.onnx"
    )
    _export(
        Decode(vits), {"latent": latent, "speaker": speaker, "wanted": torch.tensor([2, 20])}, ["samples"],
        {"latent": 2, "samples": 0},
        directory / "decode.onnx",
    )  # fmt: skip


def _example(channels: int) -> torch.Tensor | None:
    """Return a condition of that many channels, which is not traced away as ones or zeros might be."""
    return torch.linspace(-1, 1, channels).reshape(1, -1, 1) if channels else None


def _export(
    module: nn.Module, inputs: dict[str, torch.Tensor | None], outputs: list[str], lengths: dict[str, int], path: Path
) -> None:
    plain = path.with_suffix(".plain")
    with warnings.catch_warnings():
        # The tracing exporter is marked as old, but the new one cannot trace the duration flow's splines.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(plain),
            # An absent condition leaves no input in the graph, nor does one that the network ignores.
            input_names=[name for name, example in inputs.items() if example is not None],
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
        _require_room(path.parent, plain.stat().st_size)
        raise BakeError(f"{path}: ONNX Runtime cannot write it: {one_line(error)}") from error


def _require_room(directory: Path, size_bytes: int) -> None:
    """Find the reason that ONNX Runtime does not give.

    Raises:
        OSError: nothing of that size can be written there.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size_bytes))
