"""HiFi-GAN decoder of a VITS for torch: Coqui's samples, with weights in torch's fastest memory order.

Tensors are (time, channels) in memory: torch's channels-last format, which exists for four
dimensions only, so the convolutions have a height of 1. The phases of a transposed convolution
are interleaved in memory already, and no layer reorders its input. Tensors that are not needed
again are overwritten: 121 to 103 ms for 200 frames of the embedded voice, on one core
(2026-11-23, `docs/measurements.md`).

The arithmetic of weights is that of `loader.engines.wide_convolutions`.
"""

import math
import operator
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from loader.engines.wide_convolutions import (
    LAST_SLOPE,
    SLOPE,
    block_of,
    blocks_of,
    cropped_stage,
    kept_of,
    phases_of,
    taps_of,
)


class Decoder(nn.Module):
    """(latent (1, channels, frames), speaker (1, channels, 1), wanted) -> samples ((to - from) * samples_per_frame,).

    `wanted` is the frames [from, to) of the output; the others are cropped on the way.

    For inference only. Its parameters have the names of Coqui's generator; `weights_of` makes their values.
    """

    def __init__(
        self,
        in_channels: int,
        condition_channels: int,
        initial_channels: int,
        upsamplings: Sequence[tuple[int, int]],
        blocks: Sequence[tuple[int, Sequence[int]]],
        has_plain_convs: bool,
    ) -> None:
        """Build the layers; their weights are assigned later.

        Args:
            in_channels: of a latent frame.
            condition_channels: of a speaker's vector; 0 for a voice of one speaker.
            initial_channels: before the first upsampling; each one halves them.
            upsamplings: kernel and stride of each.
            blocks: kernel and dilations of each residual block that follows an upsampling.
            has_plain_convs: whether a plain convolution follows every dilated one (HiFi-GAN's blocks of type 1).
        """
        super().__init__()
        rates = accumulate((stride for _, stride in upsamplings), operator.mul)
        widths = [initial_channels >> number for number in range(len(upsamplings) + 1)]
        self.conv_pre = Conv(in_channels, widths[0], 7)
        self.cond_layer = Conv(condition_channels, widths[0], 1) if condition_channels else None
        self.ups = nn.ModuleList(
            Upsampling(width, width // 2, kernel, stride, samples)
            for width, (kernel, stride), samples in zip(widths[:-1], upsamplings, rates, strict=True)
        )
        self.resblocks = nn.ModuleList(
            Block(width, kernel, dilations, has_plain_convs) for width in widths[1:] for kernel, dilations in blocks
        )
        self.conv_post = LastConv(widths[-1], 7, math.prod(stride for _, stride in upsamplings))

    def forward(self, latent: Tensor, speaker: Tensor | None, wanted: tuple[int, int] | None = None) -> Tensor:
        x = self.conv_pre(_channels_last(latent))
        if self.cond_layer is not None and speaker is not None:
            x += self.cond_layer(_channels_last(speaker))
        blocks, per_stage = list(self.resblocks), len(self.resblocks) // len(self.ups)
        for index, upsampling in enumerate(self.ups):
            x = upsampling(functional.leaky_relu_(x, SLOPE), wanted if index == cropped_stage(len(self.ups)) else None)
            x = _sum_of(blocks[index * per_stage : (index + 1) * per_stage], x)
        samples: Tensor = self.conv_post(functional.leaky_relu_(x, LAST_SLOPE))
        return samples.tanh_()


class Conv(nn.Module):
    """A 1-D convolution of odd kernel and equal length, computed as a 2-D one of height 1."""

    def __init__(self, inside: int, outside: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.weight, self.bias = _weight(inside, outside, kernel), nn.Parameter(torch.empty(outside))
        self.padding, self.dilation = (0, (kernel - 1) * dilation // 2), (1, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, _view(self.weight), self.bias, 1, self.padding, self.dilation)


class Upsampling(nn.Module):
    """A transposed convolution as a plain one, whose channels are samples that follow each other ."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, samples_per_frame: int) -> None:
        super().__init__()
        self.samples_per_frame = samples_per_frame
        self.taps, self.outside = taps_of(kernel, stride), outside
        self.kept = kept_of(kernel, stride, (kernel - stride) // 2)
        self.weight = _weight(inside, stride * outside, self.taps)
        self.bias = nn.Parameter(torch.empty(stride * outside))

    def forward(self, x: Tensor, wanted: tuple[int, int] | None = None) -> Tensor:
        """Return the output of the transposed convolution, or its `wanted` frames."""
        phases = functional.conv2d(x, _view(self.weight), self.bias, 1, (0, self.taps - 1))
        interleaved = phases.permute(0, 2, 3, 1).reshape(1, 1, -1, self.outside).permute(0, 3, 1, 2)
        if wanted is None:
            return interleaved[:, :, :, self.kept]
        first, last = (self.kept.start + each * self.samples_per_frame for each in wanted)
        return interleaved[:, :, :, first:last]


class Block(nn.Module):
    """A residual block of either type."""

    def __init__(self, channels: int, kernel: int, dilations: Sequence[int], has_plain_convs: bool) -> None:
        super().__init__()
        dilated = nn.ModuleList(Conv(channels, channels, kernel, dilation) for dilation in dilations)
        self.has_plain_convs = has_plain_convs
        if has_plain_convs:
            self.convs1, self.convs2 = dilated, nn.ModuleList(Conv(channels, channels, kernel) for _ in dilations)
        else:
            self.convs = dilated

    def forward(self, x: Tensor, rectified: Tensor | None) -> Tensor:
        """Do not change `x` and `rectified`, which is `x` after the rectifier: other blocks use them too."""
        for branch in self._branches():
            inner = branch[0](functional.leaky_relu(x, SLOPE) if rectified is None else rectified)
            for conv in branch[1:]:
                inner = conv(functional.leaky_relu_(inner, SLOPE))
            x, rectified = inner.add_(x), None
        return x

    def _branches(self) -> Any:
        return zip(self.convs1, self.convs2, strict=True) if self.has_plain_convs else ((conv,) for conv in self.convs)


class LastConv(nn.Module):
    """The convolution to one channel, a block of samples as the channels of one step ."""

    def __init__(self, inside: int, kernel: int, samples_per_frame: int) -> None:
        super().__init__()
        block = block_of(samples_per_frame)
        self.stride, self.padding = (1, block), (0, (kernel - 1) // 2)
        self.weight = _weight(inside, block, kernel + block - 1)

    def forward(self, x: Tensor) -> Tensor:
        steps = functional.conv2d(x, _view(self.weight), None, self.stride, self.padding)
        return steps.permute(0, 2, 3, 1).reshape(-1)


def layers_of(generator: Any) -> dict[str, Any]:
    """Return the arguments of `Decoder` for Coqui's `HifiganGenerator`. Runs in the bake child."""
    blocks = generator.resblocks[: generator.num_kernels]
    has_plain_convs = hasattr(blocks[0], "convs1")
    dilated = [block.convs1 if has_plain_convs else block.convs for block in blocks]
    return {
        "in_channels": generator.conv_pre.in_channels,
        "condition_channels": generator.cond_layer.in_channels if hasattr(generator, "cond_layer") else 0,
        "initial_channels": generator.conv_pre.out_channels,
        "upsamplings": [[up.kernel_size[0], up.stride[0]] for up in generator.ups],
        "blocks": [[convs[0].kernel_size[0], [conv.dilation[0] for conv in convs]] for convs in dilated],
        "has_plain_convs": has_plain_convs,
    }


def weights_of(generator: Any) -> dict[str, Tensor]:
    """Return the plain weights of Coqui's `HifiganGenerator` for `Decoder`. Runs in the bake child.

    Coqui divides the sum of a stage's blocks by their number. Here the next convolution's
    weights are divided: the leaky rectifier between them commutes with a positive factor.
    """
    share = 1 / generator.num_kernels
    weights = {}
    for name, layer in generator.named_modules():
        if isinstance(layer, nn.ConvTranspose1d):
            stride = layer.stride[0]
            phases = phases_of(_array(layer.weight, 1 if name == "ups.0" else share), stride)
            weights[f"{name}.weight"] = _channels_last_weight(torch.from_numpy(phases))
            weights[f"{name}.bias"] = layer.bias.repeat(stride)
        elif name == "conv_post":
            block = block_of(math.prod(each.stride[0] for each in generator.ups))
            weights[f"{name}.weight"] = _channels_last_weight(torch.from_numpy(blocks_of(_array(layer.weight, share), block)))
        elif isinstance(layer, nn.Conv1d):
            weights |= {f"{name}.weight": _channels_last_weight(layer.weight), f"{name}.bias": layer.bias}
    return {name: weight.detach() for name, weight in weights.items()}


def _sum_of(blocks: Sequence[nn.Module], x: Tensor) -> Tensor:
    rectified = functional.leaky_relu(x, SLOPE)
    total = blocks[0](x, rectified)
    for block in blocks[1:]:
        total += block(x, rectified)
    return total


def _weight(inside: int, outside: int, kernel: int) -> nn.Parameter:
    """Return a parameter in the order of its elements in memory, so that a file holds it as it is."""
    return nn.Parameter(torch.empty(outside, 1, kernel, inside))


def _array(weight: Tensor, factor: float) -> Any:
    return (weight.detach() * factor).numpy()


def _channels_last_weight(weight: Tensor) -> Tensor:
    return weight.permute(0, 2, 1).unsqueeze(1).contiguous()


def _view(weight: Tensor) -> Tensor:
    """Return a view in the shape that torch expects, (out, in, 1, kernel)."""
    return weight.permute(0, 3, 1, 2)


def _channels_last(x: Tensor) -> Tensor:
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
