"""Piper's voices: the network inside the graph that Piper's exporter writes.

The exporter keeps the names of the original VITS code for most weights. It folds the products of
the flow's normalization and gives them numbers, so that they are found by the bias beside them.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from loader.bake.graphs.durations import LAST_SCALE
from loader.bake.graphs.weights import EMBEDDING, Array, Network, Weights
from loader.bake.wording import one_line
from loader.errors import BakeError

_Arrays = dict[str, npt.NDArray[Any]]

_NETWORK = re.compile(r"(enc_p|dec|dp|flow)\.")
_SPEAKERS = "emb_g.weight"
#: Weights with equal values are one, under the name of the first; the others are its identities.
_FOLDED: dict[str, Callable[[Any], Any]] = {"Identity": np.asarray, "Neg": np.negative, "Exp": np.exp}


def read_piper_graph(path: Path) -> tuple[Network, Array | None]:
    """Return the network in a graph of Piper's exporter, and its speakers' vectors (speakers, channels), if it has any.

    Raises:
        BakeError: it is another kind of file or network, or not complete.
        IntegrityError: a weight is not finite.
    """
    graph = _read(path)
    arrays = _arrays(graph)
    _name_products(graph, arrays)
    _name_embedding(graph, arrays)
    _name_last_scale(graph, arrays)
    weights = Weights({name: each for name, each in arrays.items() if _NETWORK.match(name)}, path)
    return _network(graph, weights, path), arrays.get(_SPEAKERS)


def _read(path: Path) -> Any:
    import onnx

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except Exception as error:  # protobuf's errors share no base class
        raise BakeError(f"{path}: not an ONNX file: {one_line(error)}; fetch or export the voice again") from error
    constants = [attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t")]
    # The reader of a tensor opens any file that it names.
    if any(each.data_location == onnx.TensorProto.EXTERNAL for each in (*graph.initializer, *constants)):
        raise BakeError(f"{path}: its weights are in another file; export the voice as one file, as Piper's exporter does")
    return graph


def _arrays(graph: Any) -> _Arrays:
    """Return the graph's constants by name, and what the exporter left to be computed of them alone."""
    from onnx import numpy_helper

    arrays: _Arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type in _FOLDED and node.input[0] in arrays:
            arrays[node.output[0]] = _FOLDED[node.op_type](arrays[node.input[0]])
    return arrays


def _convolutions(graph: Any) -> Iterator[tuple[str, Any]]:
    """Yield the convolutions with their layers' names."""
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose"):
            named = next((name for name in node.input[1:] if _NETWORK.match(name)), "")
            if named:
                yield named.rpartition(".")[0], node


def _name_products(graph: Any, arrays: _Arrays) -> None:
    for layer, node in _convolutions(graph):
        if node.input[1] in arrays:
            arrays[f"{layer}.weight"] = arrays[node.input[1]]


def _name_embedding(graph: Any, arrays: _Arrays) -> None:
    """Name the table of the ids. With one speaker the exporter gives it the name of the missing input for speakers."""
    for node in graph.node:
        if node.op_type == "Gather" and node.input[1] == graph.input[0].name and node.input[0] in arrays:
            arrays[EMBEDDING] = arrays[node.input[0]]


def _name_last_scale(graph: Any, arrays: _Arrays) -> None:
    """Name the factor of the last of the duration flows, which is found behind the translation beside it."""
    arrays.pop("dp.flows.0.logs", None)
    moved = {node.output[0] for node in graph.node if "dp.flows.0.m" in node.input}
    for node in graph.node:
        if node.op_type == "Mul" and moved & set(node.input):
            factors = [arrays[name] for name in node.input if name in arrays]
            if factors:
                arrays[LAST_SCALE] = factors[0]


def _network(graph: Any, weights: Weights, path: Path) -> Network:
    layers = dict(_convolutions(graph))

    def attribute(layer: str, name: str) -> int:
        weights[f"{layer}.weight"]
        if layer not in layers:
            raise BakeError(f"{path}: not a VITS of Piper's exporter: {layer} is no convolution; export the voice again")
        return next((int(each.ints[0]) for each in layers[layer].attribute if each.name == name), 1)

    stages = weights.count("dec.ups.") or 1
    blocks = weights.count("dec.resblocks.") // stages
    return Network(
        weights,
        strides=[attribute(f"dec.ups.{number}", "strides") for number in range(stages)],
        dilations=[_dilations(weights, f"dec.resblocks.{number}", attribute) for number in range(blocks or 1)],
        flow_dilation_rate=attribute("flow.flows.0.enc.in_layers.1", "dilations"),
    )


def _dilations(weights: Weights, block: str, attribute: Callable[[str, str], int]) -> list[int]:
    convs = f"{block}.convs1" if weights.has_layer(f"{block}.convs1") else f"{block}.convs"
    return [attribute(f"{convs}.{number}", "dilations") for number in range(weights.count(f"{convs}.") or 1)]
