"""From a network to the three graphs of an artifact, optimized for this CPU, with the weights beside them."""

import os
import tempfile
from pathlib import Path

import numpy as np

from loader.bake.graphs.decoder import decode
from loader.bake.graphs.durations import knows_speaker, log_durations
from loader.bake.graphs.flow import flow
from loader.bake.graphs.graph import Graph, Value
from loader.bake.graphs.layers import vector_input
from loader.bake.graphs.text_encoder import language_channels, text_encoder
from loader.bake.graphs.weights import Network
from loader.bake.wording import one_line
from loader.engines import onnx
from loader.errors import BakeError

#: Smaller constants stay in the graph file: they are shapes and scalars.
_MIN_WEIGHT_BYTES = 1024


def write_graphs(network: Network, directory: Path) -> None:
    """Write `encode`, `flow` and `decode` into `directory`, each as `.onnx` and `.bin`.

    The graphs are optimized for this CPU, so that opening them needs no optimization, and
    have no random node: noise is an input.

    Raises:
        BakeError: a weight is missing or not known, or a graph cannot be written.
        OSError: the disk is full.
    """
    try:
        graphs = {"encode": encode_graph(network), "flow": flow_graph(network), "decode": decode_graph(network)}
    except (IndexError, ValueError) as error:  # numpy's, of a shape that no VITS has
        raise BakeError(f"{network.weights.path}: the shapes of its weights do not fit: {one_line(error)}") from error
    network.weights.require_all_used()
    for name, graph in graphs.items():
        _optimize(graph.serialized(), directory / f"{name}.onnx")


def encode_graph(network: Network) -> Graph:
    """Return the graph of (ids, noise, speaker, language) -> (mean, log scale, log durations)."""
    graph, weights = Graph("encode"), network.weights
    ids = graph.input("ids", [1, "ids"], np.int64)
    noise = _lying(graph, graph.input("noise", [1, 2, "ids"]))
    speaker = _speaker(graph, network, "dp.cond") if knows_speaker(weights) else None
    channels = language_channels(weights)
    language = vector_input(graph, "language", channels) if channels else None
    hidden, mean, log_scale = text_encoder(graph, weights, ids, language)
    durations = log_durations(graph, network, hidden, noise, speaker, language)
    for name, value in (("mean", mean), ("log_scale", log_scale), ("log_durations", durations)):
        graph.output(name, _standing(graph, value), [1, "channels", "ids"])
    return graph


def flow_graph(network: Network) -> Graph:
    """Return the graph of (prior, speaker) -> latent."""
    graph = Graph("flow")
    prior = _lying(graph, graph.input("prior", [1, _latent_channels(network), "frames"]))
    latent = flow(graph, network, prior, _speaker(graph, network, "flow.flows.0.enc.cond_layer"))
    graph.output("latent", _standing(graph, latent), [1, _latent_channels(network), "frames"])
    return graph


def decode_graph(network: Network) -> Graph:
    """Return the graph of (latent window, speaker, wanted frames) -> samples."""
    graph = Graph("decode")
    latent = _lying(graph, graph.input("latent", [1, _latent_channels(network), "frames"]))
    speaker = _speaker(graph, network, "dec.cond")
    wanted = graph.input("wanted", [2], np.int64)
    graph.output("samples", decode(graph, network, latent, speaker, wanted), ["samples"])
    return graph


def _latent_channels(network: Network) -> int:
    return int(network.weights["dec.conv_pre.weight"].shape[1])


def _speaker(graph: Graph, network: Network, layer: str) -> Value | None:
    """Declare the speaker's vector if the layer that takes it is there."""
    if f"{layer}.weight" not in network.weights:
        return None
    return vector_input(graph, "speaker", network.weights[f"{layer}.weight"].shape[1])


def _lying(graph: Graph, x: Value) -> Value:
    return graph.op("Unsqueeze", x, graph.integers(2))


def _standing(graph: Graph, x: Value) -> Value:
    return graph.op("Squeeze", x, graph.integers(2))


def _optimize(plain: bytes, path: Path) -> None:
    """Write the graph as ONNX Runtime optimizes it for this CPU, with the weights in a file of their own."""
    runtime = onnx.import_onnxruntime()
    options = onnx.session_options(runtime)
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{path.stem}.bin")
    options.add_session_config_entry(
        "session.optimized_model_external_initializers_min_size_in_bytes", str(_MIN_WEIGHT_BYTES)
    )
    try:
        runtime.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors share no base class
        _require_room(path.parent, len(plain))
        raise BakeError(f"{path}: ONNX Runtime cannot write it: {one_line(error)}") from error


def _require_room(directory: Path, size_bytes: int) -> None:
    """Raise the error that ONNX Runtime does not report.

    Raises:
        OSError: the disk has no room for that size.
    """
    with tempfile.TemporaryFile(dir=directory) as file:
        os.posix_fallocate(file.fileno(), 0, max(1, size_bytes))
