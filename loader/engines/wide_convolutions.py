"""Weights of a HiFi-GAN's layers as plain, wide convolutions. Exact but for the order of sums."""

import math

import numpy as np
import numpy.typing as npt

#: Slope of every leaky rectifier of the generator but the last, which has torch's own default.
SLOPE, LAST_SLOPE = 0.1, 0.01

Weight = npt.NDArray[np.floating]


def cropped_stage(stages: int) -> int:
    """Return the stage after whose upsampling the margin is cropped.

    Most of a window's margin is for the first stage; the later ones, with most of the
    arithmetic, need two or three frames.
    """
    return min(1, stages - 1)


def phases_of(weight: Weight, stride: int) -> Weight:
    """Return the weight of the plain convolution whose interleaved channels are a transposed one's samples.

    Each output sample of a transposed convolution with kernel K and stride S is a sum over
    ceil(K / S) inputs, with weights that repeat every S samples: S plain convolutions, in one.

    Args:
        weight: (in, out, K).
        stride: S.

    Returns:
        (S * out, in, ceil(K / S)), the oldest input first; the padding is its length less one.
    """
    inside, outside, kernel = weight.shape
    taps = taps_of(kernel, stride)
    whole = np.pad(weight, ((0, 0), (0, 0), (0, taps * stride - kernel)))
    phases = np.flip(whole.reshape(inside, outside, taps, stride).transpose(3, 1, 0, 2), 3)
    return np.ascontiguousarray(phases.reshape(stride * outside, inside, taps))


def taps_of(kernel: int, stride: int) -> int:
    """Return how many inputs each sample of a transposed convolution depends on."""
    return math.ceil(kernel / stride)


def kept_of(kernel: int, stride: int, padding: int) -> slice:
    """Return the range of the interleaved samples that the transposed convolution returns."""
    cut = taps_of(kernel, stride) * stride - kernel + padding
    return slice(padding, -cut if cut else None)


def blocks_of(weight: Weight, block: int) -> Weight:
    """Return the weight of the convolution that makes `block` samples of one channel in one step of that stride.

    CPUs compute channels by the vector, 16 of them with AVX-512: with one channel, 15 are wasted.

    Args:
        weight: (1, in, kernel).
        block: number of samples.

    Returns:
        (block, in, kernel + block - 1); the padding does not change.
    """
    return np.concatenate([np.pad(weight, ((0, 0), (0, 0), (shift, block - 1 - shift))) for shift in range(block)])


def block_of(samples_per_frame: int) -> int:
    """Return the largest block size that divides the samples of any number of frames."""
    return math.gcd(samples_per_frame, 16)
