"""The duration predictors: the stochastic one, run backwards from noise, and the plain one."""

from loader.bake.graphs.graph import Graph, Value
from loader.bake.graphs.layers import condition, gelu, named_conv, norm
from loader.bake.graphs.spline import PARAMETERS, inverse_spline
from loader.bake.graphs.weights import Network, Weights

_LAST_FLOW = "dp.flows.0"
#: exp(-logs) of the original code, as its exporter folds it.
LAST_SCALE = f"{_LAST_FLOW}.scale"


def is_stochastic(weights: Weights) -> bool:
    """Whether the predictor makes durations from noise."""
    return "dp.conv_1.weight" not in weights


def knows_speaker(weights: Weights) -> bool:
    """Whether durations depend on the speaker."""
    return "dp.cond.weight" in weights


def log_durations(
    graph: Graph, network: Network, hidden: Value, noise: Value, speaker: Value | None, language: Value | None
) -> Value:
    """Return the natural logarithm of the frames of each id, (1, 1, 1, n).

    Args:
        graph: gets the nodes.
        network: the voice.
        hidden: the text encoder's output.
        noise: (1, 2, 1, n); only the stochastic predictor depends on it.
        speaker: its vector (1, channels, 1, 1), if the predictor knows speakers.
        language: the same for languages.
    """
    weights = network.weights
    if is_stochastic(weights):
        x = condition(graph, named_conv(graph, hidden, weights, "dp.pre"), speaker, weights, "dp.cond")
        x = condition(graph, x, language, weights, "dp.cond_lang")
        text = named_conv(graph, _separable(graph, weights, "dp.convs", x), weights, "dp.proj")
        return _from_noise(graph, weights, noise, text)
    x = condition(graph, hidden, speaker, weights, "dp.cond")
    x = condition(graph, x, language, weights, "dp.cond_lang")
    for number in (1, 2):
        x = graph.op("Relu", named_conv(graph, x, weights, f"dp.conv_{number}"))
        x = norm(graph, x, weights, f"dp.norm_{number}", network.epsilon)
    return named_conv(graph, x, weights, "dp.proj")


def _from_noise(graph: Graph, weights: Weights, noise: Value, text: Value) -> Value:
    """Run the flows backwards. Each begins with a flip of the two channels: here they only change their names.

    The first of the numbered flows turns them into the result; the second does not change it, and does not run.
    """
    first, second = graph.split(noise, [1, 1], axis=1)
    for number in range(weights.count("dp.flows.") - 1, 1, -1):
        if weights.has_layer(f"dp.flows.{number}"):
            first, second = second, first
            second = _coupled(graph, weights, f"dp.flows.{number}", first, second, text)
    mean, scale = (weights[name].reshape(-1)[0] for name in (f"{_LAST_FLOW}.m", LAST_SCALE))
    return graph.op("Mul", graph.op("Sub", second, graph.number(mean)), graph.number(scale))


def _coupled(graph: Graph, weights: Weights, name: str, first: Value, second: Value, text: Value) -> Value:
    """Return the second channel after the spline that the first one and the text make."""
    hidden = graph.op("Add", named_conv(graph, first, weights, f"{name}.pre"), text)
    hidden = _separable(graph, weights, f"{name}.convs", hidden)
    projected = graph.reshape(named_conv(graph, hidden, weights, f"{name}.proj"), PARAMETERS, -1)
    channels = weights[f"{name}.proj.weight"].shape[1]
    found = inverse_spline(graph, graph.reshape(second, -1, 1), graph.transpose(projected, 1, 0), channels)
    return graph.reshape(found, 1, 1, 1, -1)


def _separable(graph: Graph, weights: Weights, name: str, x: Value) -> Value:
    """Run residual layers, each a convolution of every channel by itself and one across channels."""
    for number in range(weights.count(f"{name}.convs_sep.")):
        alone = weights[f"{name}.convs_sep.{number}.weight"]
        y = named_conv(
            graph, x, weights, f"{name}.convs_sep.{number}", dilation=alone.shape[2] ** number, groups=alone.shape[0]
        )
        y = gelu(graph, norm(graph, y, weights, f"{name}.norms_1.{number}"))
        y = named_conv(graph, y, weights, f"{name}.convs_1x1.{number}")
        y = gelu(graph, norm(graph, y, weights, f"{name}.norms_2.{number}"))
        x = graph.op("Add", x, y)
    return x
