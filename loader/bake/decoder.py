"""The HiFi-GAN decoder of a VITS as a torch module made for export: Coqui's samples, said in other operators.

ONNX Runtime convolves fastest in a blocked layout that exists for four dimensions only
and that few other operators know; wherever one of those stands between two convolutions,
the whole tensor is reordered twice. So everything here is said in convolutions and
additions: 103 to 94 ms for 200 frames of the embedded voice, on one core (2026-11-23,
`docs/measurements.md`).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from loader.engines.vits import hifigan
from loader.engines.vits.hifigan import LAST_SLOPE, SLOPE


class Decode(nn.Module):
    """(latent window (1, channels, frames), speaker, wanted (2,)) -> samples ((to - from) * samples_per_frame,).

    `wanted` holds the frames [from, to) to be made audible; the others are dropped on the way.
    """

    def __init__(self, vits: Any) -> None:
        super().__init__()
        generator = vits.waveform_decoder
        per_stage = generator.num_kernels
        rates = [up.stride[0] for up in generator.ups]
        cropped = hifigan.cropped_stage(len(rates))
        self.first = flat_conv(generator.conv_pre)
        self.condition = flat_conv(generator.cond_layer) if hasattr(generator, "cond_layer") else None
        self.stages = nn.ModuleList(
            Stage(
                upsampling, generator.resblocks[index * per_stage : (index + 1) * per_stage], index == 0,
                math.prod(rates[: index + 1]) if index == cropped else None,
            )  # fmt: skip
            for index, upsampling in enumerate(generator.ups)
        )
        self.last = LastConv(generator.conv_post, 1 / per_stage, math.prod(rates))

    def forward(self, latent: Tensor, speaker: Tensor | None, wanted: Tensor) -> Tensor:
        x = self.first(latent.unsqueeze(2))
        if self.condition is not None and speaker is not None:
            x = x + self.condition(speaker.unsqueeze(2))
        for stage in self.stages:
            x = stage(x, wanted)
        samples: Tensor = torch.tanh(self.last(functional.leaky_relu(x, LAST_SLOPE)))
        return samples


class Stage(nn.Module):
    """Upsampling, then the sum of its residual blocks.

    Coqui divides the sum by the number of blocks. The next convolution's weights are
    divided instead: a leaky rectifier, which lies between, does not mind.
    """

    def __init__(self, upsampling: nn.ConvTranspose1d, blocks: Any, is_first: bool, cropped_to: int | None) -> None:
        super().__init__()
        self.rectifier = LeakyRelu(upsampling.in_channels)
        self.upsampling = UpsamplingConv(upsampling, 1.0 if is_first else 1 / len(blocks), cropped_to)
        self.blocked = Identity(upsampling.out_channels)
        self.blocks = nn.ModuleList(ResidualBlock(block) for block in blocks)

    def forward(self, x: Tensor, wanted: Tensor) -> Tensor:
        x = self.blocked(self.upsampling(self.rectifier(x), wanted))
        first, *others = (block(x) for block in self.blocks)
        return sum(others, start=first)


class ResidualBlock(nn.Module):
    """Either of HiFi-GAN's blocks: type 1 follows each dilated convolution by a plain one, type 2 does not."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        pairs = zip(block.convs1, block.convs2, strict=True) if hasattr(block, "convs1") else ((conv,) for conv in block.convs)
        self.branches = nn.ModuleList(nn.ModuleList(flat_conv(conv) for conv in pair) for pair in pairs)
        self.rectifiers = nn.ModuleList(LeakyRelu(branch[0].in_channels) for branch in self.branches)

    def forward(self, x: Tensor) -> Tensor:
        for rectifier, branch in zip(self.rectifiers, self.branches, strict=True):
            inner = branch[0](rectifier(x))
            for conv in branch[1:]:
                inner = conv(functional.leaky_relu(inner, SLOPE))
            x = inner + x
        return x


class Identity(nn.Module):
    """A convolution that multiplies by one: brings a tensor into the blocked layout, once for all who use it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("ones", torch.ones(channels, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.ones, groups=self.channels)


class LeakyRelu(Identity):
    """A leaky rectifier that ONNX Runtime keeps in the blocked layout.

    By itself the operator is not one of those that know the layout; as the activation
    of a convolution it is.
    """

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(super().forward(x), SLOPE)


class LastConv(nn.Module):
    """The convolution to one channel, with many samples as the channels of one step (see `hifigan`)."""

    def __init__(self, conv: nn.Conv1d, factor: float, samples_per_frame: int) -> None:
        super().__init__()
        block, kernel = hifigan.block_of(samples_per_frame), conv.kernel_size[0]
        self.conv = nn.Conv2d(
            conv.in_channels, block, (1, kernel + block - 1), stride=(1, block), padding=(0, int(conv.padding[0])),
            bias=conv.bias is not None,
        )  # fmt: skip
        self.conv.weight = nn.Parameter(hifigan.blocks_of(conv.weight.detach() * factor, block).unsqueeze(2))
        if conv.bias is not None:
            self.conv.bias = nn.Parameter(conv.bias.detach().repeat(block))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).reshape(1, self.conv.out_channels, -1).permute(0, 2, 1).reshape(-1)


class UpsamplingConv(nn.Module):
    """A transposed convolution as a plain one whose channels are then interleaved (see `hifigan`).

    ONNX Runtime's transposed kernel is slower, knows no blocked layout, and keeps a private copy of the weights.
    """

    def __init__(self, transposed: nn.ConvTranspose1d, factor: float = 1.0, cropped_to: int | None = None) -> None:
        """Take over the weights.

        Args:
            transposed: what it computes.
            factor: of the weights.
            cropped_to: samples of one frame here, where frames that nobody wants are to be dropped.
        """
        super().__init__()
        self.cropped_to = cropped_to
        stride, kernel = transposed.stride[0], transposed.kernel_size[0]
        phases = hifigan.phases_of(transposed.weight.detach() * factor, stride)
        channels, in_channels, taps = phases.shape
        self.stride, self.out_channels = stride, transposed.out_channels
        self.kept = hifigan.kept_of(kernel, stride, int(transposed.padding[0]))
        self.conv = nn.Conv2d(in_channels, channels, (1, taps), padding=(0, taps - 1))
        self.conv.weight = nn.Parameter(phases.unsqueeze(2).contiguous())
        assert transposed.bias is not None
        self.conv.bias = nn.Parameter(transposed.bias.detach().repeat(stride))

    def forward(self, x: Tensor, wanted: Tensor | None = None) -> Tensor:
        phases = self.conv(x).reshape(1, self.stride, self.out_channels, -1)
        interleaved = phases.permute(0, 2, 3, 1).reshape(1, self.out_channels, 1, -1)
        if self.cropped_to is None or wanted is None:
            return interleaved[:, :, :, self.kept]
        first, last = wanted[0] * self.cropped_to + self.kept.start, wanted[1] * self.cropped_to + self.kept.start
        return interleaved[:, :, :, first:last]


def flat_conv(conv: nn.Conv1d, factor: float = 1.0) -> nn.Conv2d:
    """Return the 1-D convolution as a 2-D one of height 1, its result but for the bias times `factor`."""
    flat = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        (1, conv.kernel_size[0]),
        stride=(1, conv.stride[0]),
        padding=(0, int(conv.padding[0])),
        dilation=(1, conv.dilation[0]),
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    flat.weight = nn.Parameter(conv.weight.detach().unsqueeze(2) * factor)
    if conv.bias is not None:
        flat.bias = conv.bias
    return flat


def decoder_margin_frames(arguments: Any) -> int:
    """Return how many latent frames on either side a decoded sample depends on.

    Adds the reach of every layer of a HiFi-GAN generator, each divided by the rate it runs at.
    """
    return math.ceil(3.0 + sum(map(sum, _reaches(arguments))))  # conv_pre: kernel 7


def inner_margin_frames(arguments: Any) -> int:
    """Return the same of what follows the upsampling where frames are dropped (see `hifigan.cropped_stage`)."""
    reaches = _reaches(arguments)
    cropped = hifigan.cropped_stage(len(reaches) - 1)
    return math.ceil(reaches[cropped][1] + sum(map(sum, reaches[cropped + 1 :])))


def _reaches(arguments: Any) -> list[tuple[float, float]]:
    """Return the reach of each stage's upsampling and blocks, and of the last convolution, in frames."""
    rate, reaches = 1, []
    for stride, kernel in zip(arguments.upsample_rates_decoder, arguments.upsample_kernel_sizes_decoder, strict=True):
        upsampling = (kernel - 1) / 2 / stride / rate + 0.5 / rate
        rate *= stride
        blocks = max(
            _block_reach(size, dilations, str(arguments.resblock_type_decoder))
            for size, dilations in zip(
                arguments.resblock_kernel_sizes_decoder, arguments.resblock_dilation_sizes_decoder, strict=True
            )
        ) / rate  # fmt: skip
        reaches.append((upsampling, blocks))
    return [*reaches, (0.0, 3 / rate)]  # conv_post: kernel 7


def _block_reach(kernel: int, dilations: list[int], block_type: str) -> float:
    """Samples to one side: type 1 follows every dilated convolution by a plain one."""
    plain = len(dilations) if block_type == "1" else 0
    return (kernel - 1) / 2 * (sum(dilations) + plain)
