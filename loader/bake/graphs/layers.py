"""Layers that several networks of a VITS have."""

import math

import numpy as np

from loader.bake.graphs.graph import Graph, Value
from loader.bake.graphs.weights import Array, Weights


def conv(
    graph: Graph,
    x: Value,
    weight: Array,
    bias: Array | None = None,
    *,
    dilation: int = 1,
    groups: int = 1,
    stride: int = 1,
    padding: tuple[int, int] | None = None,
) -> Value:
    """Convolve along the length.

    Args:
        graph: gets the node.
        x: (1, in, 1, length).
        weight: (out, in / groups, kernel).
        bias: (out,).
        dilation: distance of the taps.
        groups: of channels.
        stride: distance of the outputs.
        padding: zeros before and after; None keeps the length.
    """
    reach = (weight.shape[2] - 1) * dilation
    before, after = padding or (reach // 2, reach - reach // 2)
    inputs = [graph.weight(weight[:, :, None, :])] + ([] if bias is None else [graph.weight(bias)])
    return graph.op(
        "Conv", x, *inputs, kernel_shape=[1, weight.shape[2]], dilations=[1, dilation], group=groups,
        strides=[1, stride], pads=[0, before, 0, after],
    )  # fmt: skip


def identity(graph: Graph, x: Value, channels: int) -> Value:
    """Multiply by one, as a convolution: brings a value into the blocked layout once for all its users."""
    return graph.op("Conv", x, graph.ones(channels, 1, 1, 1), kernel_shape=[1, 1], group=channels)


def named_conv(graph: Graph, x: Value, weights: Weights, name: str, dilation: int = 1, groups: int = 1) -> Value:
    """Convolve by the weights and the bias of that layer, keeping the length."""
    return conv(graph, x, weights[f"{name}.weight"], weights[f"{name}.bias"], dilation=dilation, groups=groups)


def condition(graph: Graph, x: Value, vector: Value | None, weights: Weights, name: str) -> Value:
    """Add a layer's output for a vector of shape (1, channels, 1, 1) to `x`; `x` itself for None."""
    return x if vector is None else graph.op("Add", x, named_conv(graph, vector, weights, name))


def norm(graph: Graph, x: Value, weights: Weights, name: str, epsilon: float = 1e-5) -> Value:
    """Normalize over the channels."""
    scale, shift = (graph.weight(weights[f"{name}.{part}"].reshape(-1)) for part in ("gamma", "beta"))
    last = graph.transpose(x, 0, 2, 3, 1)
    normal = graph.op("LayerNormalization", last, scale, shift, axis=-1, epsilon=epsilon)
    return graph.transpose(normal, 0, 3, 1, 2)


def gelu(graph: Graph, x: Value) -> Value:
    """Return the exact Gaussian error linear unit, in the order of nodes that ONNX Runtime fuses into one."""
    error = graph.op("Erf", graph.op("Div", x, graph.number(math.sqrt(2))))
    return graph.op("Mul", graph.op("Mul", x, graph.op("Add", error, graph.number(1))), graph.number(0.5))


def vector_input(graph: Graph, name: str, channels: int) -> Value:
    """Declare a speaker's or a language's vector (1, channels, 1), and return it as (1, channels, 1, 1)."""
    return graph.op("Unsqueeze", graph.input(name, [1, channels, 1]), graph.integers(2))


def reversed_channels(weight: Array, axis: int) -> Array:
    """Return a layer's weight for channels in reverse order."""
    return np.flip(weight, axis)
