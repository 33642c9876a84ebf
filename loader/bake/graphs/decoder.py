"""HiFi-GAN decoder: the generator's samples by operators that ONNX Runtime runs fast.

ONNX Runtime convolves fastest in a blocked layout that few other operators support; each
unsupported operator between two convolutions reorders the whole tensor twice. So this graph
consists of convolutions and additions: 103 to 94 ms for 200 frames of the embedded voice, on
one core (2026-11-23, `docs/measurements.md`).
"""

import sys
from collections.abc import Sequence
from itertools import accumulate
from operator import mul

import numpy as np

from loader.bake.graphs.graph import Graph, Value
from loader.bake.graphs.layers import condition, conv, identity, named_conv
from loader.bake.graphs.weights import Network, Weights
from loader.engines.wide_convolutions import (
    LAST_SLOPE,
    SLOPE,
    block_of,
    blocks_of,
    cropped_stage,
    kept_of,
    phases_of,
)

_END = sys.maxsize


def decode(graph: Graph, network: Network, latent: Value, speaker: Value | None, wanted: Value) -> Value:
    """Return the samples ((to - from) * samples a frame,) of a latent window (1, channels, 1, frames).

    `wanted` holds the frames [from, to) of the output; the others are cropped on the way.
    """
    weights = network.weights
    x = condition(graph, named_conv(graph, latent, weights, "dec.conv_pre"), speaker, weights, "dec.cond")
    rates = list(accumulate(network.strides, mul))
    cropped = cropped_stage(len(rates))
    for number, rate in enumerate(rates):
        bounds = _bounds(graph, network, number, wanted, rate) if number == cropped else None
        x = _stage(graph, network, number, x, bounds)
    x = graph.op("LeakyRelu", x, alpha=LAST_SLOPE)
    return graph.op("Tanh", _last_conv(graph, weights, x, _share(network), rates[-1]))


def _share(network: Network) -> float:
    """Return the factor of a mean over a stage's blocks.

    The next convolution's weights are multiplied by it instead of the sum: the leaky rectifier
    between them commutes with a positive factor.
    """
    return 1 / len(network.dilations)


def _kept(network: Network, number: int) -> slice:
    kernel, stride = network.weights[f"dec.ups.{number}.weight"].shape[2], network.strides[number]
    return kept_of(kernel, stride, (kernel - stride) // 2)


def _bounds(graph: Graph, network: Network, number: int, wanted: Value, rate: int) -> tuple[Value, Value]:
    """Return the first of the wanted samples after that stage's upsampling, and their end."""
    start = graph.integers(_kept(network, number).start)
    samples = graph.op("Add", graph.op("Mul", wanted, graph.integers(rate)), start)
    first, end = graph.split(samples, [1, 1], axis=0)
    return first, end


def _stage(graph: Graph, network: Network, number: int, x: Value, bounds: tuple[Value, Value] | None) -> Value:
    """Return the upsampled `x`, cropped to the bounds, after the sum of the stage's residual blocks."""
    kept = _kept(network, number)
    x = _upsampled(graph, network, number, _rectified(graph, x, network.weights[f"dec.ups.{number}.weight"].shape[0]))
    first, end = bounds or (graph.integers(kept.start), graph.integers(_END if kept.stop is None else kept.stop))
    x = graph.cut(x, first, end, axis=3)
    x = identity(graph, x, network.weights[f"dec.ups.{number}.bias"].size)
    count = len(network.dilations)
    blocks = [_residual(graph, network, number * count + index, x, network.dilations[index]) for index in range(count)]
    total = blocks[0]
    for block in blocks[1:]:
        total = graph.op("Add", total, block)
    return total


def _upsampled(graph: Graph, network: Network, number: int, x: Value) -> Value:
    """Return the transposed convolution's samples, with those that it cuts off.

    ONNX Runtime's transposed kernel is slower, does not support the blocked layout, and copies the weights.
    """
    weight, bias = (network.weights[f"dec.ups.{number}.{part}"] for part in ("weight", "bias"))
    stride = network.strides[number]
    phases = phases_of(weight * np.float32(1.0 if number == 0 else _share(network)), stride)
    padding = phases.shape[2] - 1
    rows = conv(graph, x, phases, np.tile(bias, stride), padding=(padding, padding))
    interleaved = graph.transpose(graph.reshape(rows, 1, stride, bias.size, -1), 0, 2, 3, 1)
    return graph.reshape(interleaved, 1, bias.size, 1, -1)


def _residual(graph: Graph, network: Network, number: int, x: Value, dilations: Sequence[int]) -> Value:
    """Run either of HiFi-GAN's blocks: type 1 follows each dilated convolution by a plain one, type 2 does not."""
    weights, block = network.weights, f"dec.resblocks.{number}"
    has_plain = f"{block}.convs1.0.weight" in weights
    for index, dilation in enumerate(dilations):
        name = f"{block}.{'convs1' if has_plain else 'convs'}.{index}"
        inner = _rectified(graph, x, weights[f"{name}.weight"].shape[1])
        inner = named_conv(graph, inner, weights, name, dilation)
        if has_plain:
            inner = graph.op("LeakyRelu", inner, alpha=SLOPE)
            inner = named_conv(graph, inner, weights, f"{block}.convs2.{index}")
        x = graph.op("Add", inner, x)
    return x


def _rectified(graph: Graph, x: Value, channels: int) -> Value:
    """Run a leaky rectifier that ONNX Runtime keeps in the blocked layout.

    By itself the operator does not support the layout; as the activation of a convolution it does.
    """
    return graph.op("LeakyRelu", identity(graph, x, channels), alpha=SLOPE)


def _last_conv(graph: Graph, weights: Weights, x: Value, share: float, samples_per_frame: int) -> Value:
    """Convolve to one channel, with many samples as the channels of one step."""
    weight = weights["dec.conv_post.weight"]
    block, padding = block_of(samples_per_frame), weight.shape[2] // 2
    bias = np.tile(weights["dec.conv_post.bias"], block) if "dec.conv_post.bias" in weights else None
    steps = conv(graph, x, blocks_of(weight * np.float32(share), block), bias, stride=block, padding=(padding, padding))
    return graph.reshape(graph.transpose(graph.reshape(steps, 1, block, -1), 0, 2, 1), -1)
