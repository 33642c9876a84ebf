"""The flow: residual couplings, run backwards from the prior to the latent."""

from loader.bake.graphs.graph import Graph, Value
from loader.bake.graphs.layers import conv, named_conv, reversed_channels
from loader.bake.graphs.weights import Array, Network


def flow(graph: Graph, network: Network, prior: Value, speaker: Value | None) -> Value:
    """Return the latent for a prior (1, channels, 1, frames).

    Each coupling begins with a flip of all channels. Here the halves only change their names, and
    every other coupling has weights for channels in reverse order.
    """
    weights = network.weights
    half = weights["flow.flows.0.pre.weight"].shape[1]
    first, second = graph.split(prior, [half, half], axis=1)
    is_reversed = False
    for number in reversed(range(weights.count("flow.flows."))):
        name = f"flow.flows.{number}"
        if not weights.has_layer(name):
            continue
        first, second, is_reversed = second, first, not is_reversed
        second = graph.op("Add", second, _negated_shift(graph, network, name, first, speaker, is_reversed))
    latent = graph.op("Concat", first, second, axis=1)
    if not is_reversed:
        return latent
    return graph.op("Concat", *(_flipped(graph, each, half) for each in (first, second)), axis=1)


def _flipped(graph: Graph, x: Value, channels: int) -> Value:
    return graph.op("Gather", x, graph.integers(*reversed(range(channels))), axis=1)


def _negated_shift(graph: Graph, network: Network, name: str, x: Value, speaker: Value | None, is_reversed: bool) -> Value:
    """Return what is added to the other half."""
    weights = network.weights
    before, after, bias = (weights[f"{name}.{part}"] for part in ("pre.weight", "post.weight", "post.bias"))
    if is_reversed:
        before, after, bias = reversed_channels(before, 1), reversed_channels(after, 0), reversed_channels(bias, 0)
    hidden = conv(graph, x, before, weights[f"{name}.pre.bias"])
    return conv(graph, _gated(graph, network, f"{name}.enc", hidden, speaker), -after, -bias)


def _gated(graph: Graph, network: Network, name: str, x: Value, speaker: Value | None) -> Value:
    """Run gated convolutions and return the sum of what each contributes.

    The halves of each layer's channels are convolutions of their own, so that ONNX Runtime
    computes the activations in its blocked layout.
    """
    weights = network.weights
    layers = weights.count(f"{name}.in_layers.")
    conditions = _conditions(graph, network, name, speaker, layers)
    total: Value | None = None
    for number in range(layers):
        inner = f"{name}.in_layers.{number}"
        halves = _halves(weights[f"{inner}.weight"], weights[f"{inner}.bias"])
        raw = [conv(graph, x, *half, dilation=network.flow_dilation_rate**number) for half in halves]
        if conditions:
            raw = [graph.op("Add", each, own) for each, own in zip(raw, conditions[number], strict=True)]
        acts = graph.op("Mul", graph.op("Tanh", raw[0]), graph.op("Sigmoid", raw[1]))
        outer = f"{name}.res_skip_layers.{number}"
        if number == layers - 1:
            contribution = named_conv(graph, acts, weights, outer)
        else:
            residual, skip = _halves(weights[f"{outer}.weight"], weights[f"{outer}.bias"])
            x = graph.op("Add", x, conv(graph, acts, *residual))
            contribution = conv(graph, acts, *skip)
        total = contribution if total is None else graph.op("Add", total, contribution)
    assert total is not None
    return total


def _conditions(graph: Graph, network: Network, name: str, speaker: Value | None, layers: int) -> list[list[Value]]:
    """Return the speaker's part of both halves of each layer's channels."""
    if speaker is None:
        return []
    whole = named_conv(graph, speaker, network.weights, f"{name}.cond_layer")
    size = network.weights[f"{name}.cond_layer.bias"].size // (2 * layers)
    parts = graph.split(whole, [size] * (2 * layers), axis=1)
    return [parts[2 * number : 2 * number + 2] for number in range(layers)]


def _halves(weight: Array, bias: Array) -> list[tuple[Array, Array]]:
    middle = weight.shape[0] // 2
    return [(weight[:middle], bias[:middle]), (weight[middle:], bias[middle:])]
