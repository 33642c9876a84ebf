"""The text encoder: a transformer whose attention knows the distance of two ids, up to four."""

import math
from dataclasses import dataclass

from loader.bake.graphs.graph import Graph, Value
from loader.bake.graphs.layers import named_conv, norm
from loader.bake.graphs.weights import EMBEDDING, Weights

_ENCODER = "enc_p.encoder"
_PROJECTION = "enc_p.proj"


@dataclass(frozen=True)
class _Bands:
    """Shapes and paddings between attention by position and attention by distance, as vectors of int64.

    A matrix (n, n) and the band of its nine middle diagonals (n, 9) have the same order in memory if the rows of the
    band are one longer than those of the matrix: only padding lies between them.
    """

    #: Zeros that make a row of the band n + 8 long, and zeros that make a row of the matrix n + 7 long.
    widen_band: Value
    widen_matrix: Value
    #: The offset between the two in memory, in either direction.
    from_band: Value
    to_band: Value
    #: (heads, n, -1)
    rows: Value
    #: (n,)
    length: Value


def language_channels(weights: Weights) -> int:
    """Return the size of a language's vector; 0 if the network knows no languages."""
    return int(weights[f"{_PROJECTION}.weight"].shape[1] - weights[EMBEDDING].shape[1])


def text_encoder(graph: Graph, weights: Weights, ids: Value, language: Value | None) -> tuple[Value, Value, Value]:
    """Return the hidden text, the mean and the natural logarithm of the deviation of the prior, a column for each id."""
    table = weights[EMBEDDING]
    length = graph.op("Shape", ids, start=1, end=2)
    found = graph.op("Mul", graph.op("Gather", graph.weight(table), ids), graph.number(math.sqrt(table.shape[1])))
    x = graph.op("Unsqueeze", graph.transpose(found, 0, 2, 1), graph.integers(2))
    if language is not None:
        repeated = graph.op("Expand", language, graph.vector(1, language_channels(weights), 1, length))
        x = graph.op("Concat", x, repeated, axis=1)
    bands = _bands(graph, weights, length)
    for number in range(weights.count(f"{_ENCODER}.attn_layers.")):
        attended = _attention(graph, weights, f"{_ENCODER}.attn_layers.{number}", x, bands)
        x = norm(graph, graph.op("Add", x, attended), weights, f"{_ENCODER}.norm_layers_1.{number}")
        fed = _feed_forward(graph, weights, f"{_ENCODER}.ffn_layers.{number}", x)
        x = norm(graph, graph.op("Add", x, fed), weights, f"{_ENCODER}.norm_layers_2.{number}")
    prior = named_conv(graph, x, weights, _PROJECTION)
    half = weights[f"{_PROJECTION}.weight"].shape[0] // 2
    mean, log_scale = graph.split(prior, [half, half], axis=1)
    return x, mean, log_scale


def _feed_forward(graph: Graph, weights: Weights, name: str, x: Value) -> Value:
    inner = graph.op("Relu", named_conv(graph, x, weights, f"{name}.conv_1"))
    return named_conv(graph, inner, weights, f"{name}.conv_2")


def _heads(weights: Weights, name: str) -> int:
    channels: int = weights[f"{name}.conv_q.weight"].shape[0]
    return channels // int(weights[f"{name}.emb_rel_k"].shape[2])


def _bands(graph: Graph, weights: Weights, length: Value) -> _Bands:
    first = f"{_ENCODER}.attn_layers.0"
    reach = weights[f"{first}.emb_rel_k"].shape[1] // 2
    less = graph.op("Sub", length, graph.integers(reach))
    return _Bands(
        widen_band=graph.vector(0, 0, 0, 0, 0, graph.op("Sub", length, graph.integers(1))),
        widen_matrix=graph.integers(0, 0, 0, 0, 0, 2 * reach - 1),
        from_band=graph.vector(0, -reach, 0, graph.op("Neg", less)),
        to_band=graph.vector(0, reach, 0, less),
        rows=graph.vector(_heads(weights, first), length, -1),
        length=length,
    )


def _attention(graph: Graph, weights: Weights, name: str, x: Value, bands: _Bands) -> Value:
    near_keys, near_values = (weights[f"{name}.emb_rel_{kind}"][0] for kind in "kv")
    heads, channels = _heads(weights, name), near_keys.shape[1]
    # (heads, channels of a head, n)
    query, key, value = (
        graph.reshape(named_conv(graph, x, weights, f"{name}.conv_{kind}"), heads, channels, -1) for kind in "qkv"
    )
    query = graph.op("Mul", graph.transpose(query, 0, 2, 1), graph.number(1 / math.sqrt(channels)))
    near = graph.op("MatMul", query, graph.weight(near_keys.T))
    scores = graph.op("Add", graph.op("MatMul", query, key), _matrix_of(graph, near, bands))
    shares = graph.op("Softmax", scores, axis=-1)
    everywhere = graph.op("MatMul", shares, graph.transpose(value, 0, 2, 1))
    nearby = graph.op("MatMul", _band_of(graph, shares, near_values.shape[0], bands), graph.weight(near_values))
    attended = graph.transpose(graph.op("Add", everywhere, nearby), 0, 2, 1)
    return named_conv(graph, graph.reshape(attended, 1, heads * channels, 1, -1), weights, f"{name}.conv_o")


def _matrix_of(graph: Graph, band: Value, bands: _Bands) -> Value:
    """Return the matrix (heads, n, n) whose middle diagonals are the columns of the band; zero elsewhere."""
    flat = graph.op("Flatten", graph.op("Pad", band, bands.widen_band))
    rows = graph.op("Reshape", graph.op("Pad", flat, bands.from_band), bands.rows)
    return graph.cut(rows, graph.integers(0), bands.length, axis=2)


def _band_of(graph: Graph, matrix: Value, columns: int, bands: _Bands) -> Value:
    """Return the middle diagonals of the matrix as columns (heads, n, columns); zero outside of the matrix."""
    flat = graph.op("Flatten", graph.op("Pad", matrix, bands.widen_matrix))
    rows = graph.op("Reshape", graph.op("Pad", flat, bands.to_band), bands.rows)
    return graph.cut(rows, graph.integers(0), graph.integers(columns), axis=2)
