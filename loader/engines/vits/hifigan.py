"""A HiFi-GAN's layers said as plain, wide convolutions: the arithmetic of their weights.

Exact, but for the order in which a sum is taken.
"""

import math

from torch import Tensor, cat
from torch.nn import functional

#: Slope of every leaky rectifier of the generator but the last, which has torch's own default.
SLOPE, LAST_SLOPE = 0.1, 0.01


def cropped_stage(stages: int) -> int:
    """Return the stage after whose upsampling frames that nobody wants are dropped.

    The margin that a window needs is mostly for the first stage; what follows it, most of
    the arithmetic, needs two or three frames.
    """
    return min(1, stages - 1)


def phases_of(weight: Tensor, stride: int) -> Tensor:
    """Return the weight of the plain convolution whose channels, interleaved, are a transposed one's samples.

    Each output sample of a transposed convolution with kernel K and stride S is a sum over
    ceil(K / S) inputs, with weights that repeat every S samples: S plain convolutions, in one.

    Args:
        weight: (in, out, K).
        stride: S.

    Returns:
        (S * out, in, ceil(K / S)), the oldest input first; to be padded by its length less one.
    """
    inside, outside, kernel = weight.shape
    taps = taps_of(kernel, stride)
    whole = functional.pad(weight, (0, taps * stride - kernel))
    return whole.reshape(inside, outside, taps, stride).permute(3, 1, 0, 2).flip(3).reshape(stride * outside, inside, taps)


def taps_of(kernel: int, stride: int) -> int:
    """Return how many inputs each sample of a transposed convolution depends on."""
    return math.ceil(kernel / stride)


def kept_of(kernel: int, stride: int, padding: int) -> slice:
    """Return which of the interleaved samples are the transposed convolution's own."""
    cut = taps_of(kernel, stride) * stride - kernel + padding
    return slice(padding, -cut if cut else None)


def blocks_of(weight: Tensor, block: int) -> Tensor:
    """Return the weight of the convolution that makes `block` samples of one channel in one step of that stride.

    Processors compute channels by the vector, 16 of them with AVX-512: with one channel, 15
    are thrown away.

    Args:
        weight: (1, in, kernel).
        block: how many.

    Returns:
        (block, in, kernel + block - 1), to be padded as before.
    """
    return cat([functional.pad(weight, (shift, block - 1 - shift)) for shift in range(block)])


def block_of(samples_per_frame: int) -> int:
    """Return the largest block that every number of frames fills without rest."""
    return math.gcd(samples_per_frame, 16)
