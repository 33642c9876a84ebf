"""The inverse of the duration flow's rational-quadratic spline, as in the original VITS code."""

import math
from typing import NamedTuple

from loader.bake.graphs.graph import Graph, Value

#: The spline maps [-BOUND, BOUND] to itself; numbers outside stay as they are.
_BOUND = 5.0
_BINS = 10
_MIN_SIZE = 1e-3
_MIN_DERIVATIVE = 1e-3
#: Outputs of the network for one spline: widths, heights, and derivatives at the inner edges.
PARAMETERS = 3 * _BINS - 1


class _Bin(NamedTuple):
    """The bin of each number, each of shape (n, 1)."""

    left: Value
    width: Value
    bottom: Value
    height: Value
    slope: Value
    derivative: Value
    next_derivative: Value


def inverse_spline(graph: Graph, x: Value, parameters: Value, channels: int) -> Value:
    """Return the numbers that the spline maps to `x`.

    Args:
        graph: gets the nodes.
        x: (n, 1).
        parameters: (n, PARAMETERS).
        channels: of the network that made the parameters; they are scaled by its root.
    """
    inside = graph.op("Clip", x, graph.number(-_BOUND), graph.number(_BOUND))
    found = _inverse(graph, inside, _bin_of(graph, inside, parameters, channels))
    return graph.op("Where", graph.op("Equal", x, inside), found, x)


def _bin_of(graph: Graph, x: Value, parameters: Value, channels: int) -> _Bin:
    sizes = [_BINS, _BINS, _BINS - 1]
    raw_widths, raw_heights, raw_derivatives = graph.split(parameters, sizes, axis=1)
    x_edges, y_edges = (_edges(graph, raw, channels) for raw in (raw_widths, raw_heights))
    widths, heights = (_sizes(graph, edges) for edges in (x_edges, y_edges))
    derivatives = _derivatives(graph, raw_derivatives)
    # The first edge is never above a number, and the last one never below.
    inner = graph.cut(y_edges, graph.integers(1), graph.integers(_BINS), axis=1)
    above = graph.op("Cast", graph.op("GreaterOrEqual", x, inner), to=7)
    number = graph.op("ReduceSum", above, graph.integers(1), keepdims=1)

    def pick(table: Value) -> Value:
        return graph.op("GatherElements", table, number, axis=1)

    following = graph.op("GatherElements", derivatives, graph.op("Add", number, graph.integers(1)), axis=1)
    return _Bin(
        pick(x_edges), pick(widths), pick(y_edges), pick(heights), pick(graph.op("Div", heights, widths)), pick(derivatives),
        following,
    )  # fmt: skip


def _edges(graph: Graph, raw: Value, channels: int) -> Value:
    """Return the edges (n, _BINS + 1) of bins whose sizes are a softmax."""
    shares = graph.op("Softmax", graph.op("Div", raw, graph.number(math.sqrt(channels))), axis=1)
    bounded = graph.op("Add", graph.op("Mul", shares, graph.number(1 - _MIN_SIZE * _BINS)), graph.number(_MIN_SIZE))
    sums = graph.op("CumSum", bounded, graph.integers(1))
    inner = graph.cut(sums, graph.integers(0), graph.integers(_BINS - 1), axis=1)
    scaled = graph.op("Add", graph.op("Mul", inner, graph.number(2 * _BOUND)), graph.number(-_BOUND))
    started = graph.op("Pad", scaled, graph.integers(0, 1, 0, 0), graph.number(-_BOUND))
    return graph.op("Pad", started, graph.integers(0, 0, 0, 1), graph.number(_BOUND))


def _sizes(graph: Graph, edges: Value) -> Value:
    upper = graph.cut(edges, graph.integers(1), graph.integers(_BINS + 1), axis=1)
    return graph.op("Sub", upper, graph.cut(edges, graph.integers(0), graph.integers(_BINS), axis=1))


def _derivatives(graph: Graph, raw: Value) -> Value:
    """Return the derivatives (n, _BINS + 1) at the edges; at the outer ones 1, as outside."""
    outer = graph.number(math.log(math.exp(1 - _MIN_DERIVATIVE) - 1))
    padded = graph.op("Pad", raw, graph.integers(0, 1, 0, 1), outer)
    return graph.op("Add", graph.op("Softplus", padded), graph.number(_MIN_DERIVATIVE))


def _inverse(graph: Graph, x: Value, at: _Bin) -> Value:
    """Solve the quadratic equation of each number's bin."""

    def op(kind: str, *inputs: Value) -> Value:
        return graph.op(kind, *inputs)

    above = op("Sub", x, at.bottom)
    bend = op("Sub", op("Add", at.derivative, at.next_derivative), op("Mul", graph.number(2), at.slope))
    a = op("Add", op("Mul", above, bend), op("Mul", at.height, op("Sub", at.slope, at.derivative)))
    b = op("Sub", op("Mul", at.height, at.derivative), op("Mul", above, bend))
    c = op("Mul", op("Neg", at.slope), above)
    discriminant = op("Sub", op("Mul", b, b), op("Mul", op("Mul", graph.number(4), a), c))
    root = op("Div", op("Mul", graph.number(2), c), op("Sub", op("Neg", b), op("Sqrt", discriminant)))
    return op("Add", op("Mul", root, at.width), at.left)
