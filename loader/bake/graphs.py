"""The three networks of a VITS as torch modules made for export. Knows no files.

Noise is an input, so no graph has a random node; convolutions of the decoder are written
so that ONNX Runtime lays them out in blocks.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn


class Encode(nn.Module):
    """(ids, noise) -> (mean, log scale, log durations). The duration flow runs backwards."""

    def __init__(self, vits: Any) -> None:
        super().__init__()
        self.text_encoder = vits.text_encoder
        self.predictor = vits.duration_predictor
        self.is_stochastic = bool(vits.args.use_sdp)

    def forward(self, ids: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lengths = torch.ones_like(ids).sum(1)
        hidden, mean, log_scale, mask = self.text_encoder(ids, lengths)
        if not self.is_stochastic:
            return mean, log_scale, self.predictor(hidden, mask) + 0 * noise[:, :1]
        condition = self.predictor.proj(self.predictor.convs(self.predictor.pre(hidden), mask)) * mask
        *flows, _unused, first = reversed(self.predictor.flows)
        z = noise
        for flow in (*flows, first):
            z = flow(torch.flip(z, [1]), mask, g=condition, reverse=True)
        return mean, log_scale, z[:, :1]


class Flow(nn.Module):
    """prior -> latent."""

    def __init__(self, vits: Any) -> None:
        super().__init__()
        self.flow = vits.flow

    def forward(self, prior: Tensor) -> Tensor:
        latent: Tensor = self.flow(prior, torch.ones_like(prior[:, :1]), reverse=True)
        return latent


class Decode(nn.Module):
    """latent window (1, channels, frames) -> samples (frames * samples_per_frame,)."""

    def __init__(self, vits: Any) -> None:
        super().__init__()
        self.decoder = vits.waveform_decoder
        _write_in_two_dimensions(self.decoder)

    def forward(self, latent: Tensor) -> Tensor:
        samples: Tensor = self.decoder(latent.unsqueeze(2)).reshape(-1)
        return samples


class UpsamplingConv(nn.Module):
    """A transposed convolution as a plain one whose channels are then interleaved.

    Each output sample of a transposed convolution with kernel K and stride S is a sum
    over ceil(K / S) inputs, with weights that repeat every S samples: S plain
    convolutions, computed as one. Exact, and measured 1.03-1.08x faster in ONNX Runtime
    than its transposed kernel, which also keeps a private copy of the weights (2026-11-23).
    """

    def __init__(self, transposed: nn.ConvTranspose1d) -> None:
        super().__init__()
        stride, kernel = transposed.stride[0], transposed.kernel_size[0]
        taps = math.ceil(kernel / stride)
        weight = nn.functional.pad(transposed.weight.detach(), (0, taps * stride - kernel))
        in_channels, out_channels, _ = weight.shape
        # (in, out, taps, stride) -> (stride, out, in, taps), the oldest input first.
        phases = weight.reshape(in_channels, out_channels, taps, stride).permute(3, 1, 0, 2).flip(3)
        self.stride, self.out_channels = stride, out_channels
        padding = int(transposed.padding[0])
        cut = taps * stride - kernel + padding
        self.kept = slice(padding, -cut if cut else None)
        self.conv = nn.Conv2d(in_channels, stride * out_channels, (1, taps), padding=(0, taps - 1))
        self.conv.weight = nn.Parameter(phases.reshape(stride * out_channels, in_channels, 1, taps).contiguous())
        assert transposed.bias is not None
        self.conv.bias = nn.Parameter(transposed.bias.detach().repeat(stride))

    def forward(self, x: Tensor) -> Tensor:
        phases = self.conv(x).reshape(1, self.stride, self.out_channels, -1)
        interleaved = phases.permute(0, 2, 3, 1).reshape(1, self.out_channels, 1, -1)
        return interleaved[:, :, :, self.kept]


def _write_in_two_dimensions(module: nn.Module) -> None:
    """Rewrite 1-D convolutions as 2-D ones of height 1, in place.

    ONNX Runtime's blocked layout exists for four dimensions only: 1.13-1.18x faster
    with the same samples (measured 2026-11-23, and fact F8).
    """
    for name, child in module.named_children():
        if isinstance(child, nn.ConvTranspose1d):
            setattr(module, name, UpsamplingConv(child))
        elif isinstance(child, nn.Conv1d):
            setattr(module, name, _flat_conv(child))
        else:
            _write_in_two_dimensions(child)


def _flat_conv(conv: nn.Conv1d) -> nn.Conv2d:
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
    flat.weight = nn.Parameter(conv.weight.detach().unsqueeze(2))
    if conv.bias is not None:
        flat.bias = conv.bias
    return flat


def decoder_margin_frames(arguments: Any) -> int:
    """Return how many latent frames on either side a decoded sample depends on.

    Adds the reach of every layer of a HiFi-GAN generator, each divided by the rate it runs at.
    """
    reach, rate = 3.0, 1  # conv_pre: kernel 7
    for stride, kernel in zip(arguments.upsample_rates_decoder, arguments.upsample_kernel_sizes_decoder, strict=True):
        reach += (kernel - 1) / 2 / stride / rate + 0.5 / rate
        rate *= stride
        reach += max(
            _block_reach(size, dilations, str(arguments.resblock_type_decoder))
            for size, dilations in zip(
                arguments.resblock_kernel_sizes_decoder, arguments.resblock_dilation_sizes_decoder, strict=True
            )
        ) / rate  # fmt: skip
    return math.ceil(reach + 3 / rate)  # conv_post: kernel 7


def _block_reach(kernel: int, dilations: list[int], block_type: str) -> float:
    """Samples to one side: type 1 follows every dilated convolution by a plain one."""
    plain = len(dilations) if block_type == "1" else 0
    return (kernel - 1) / 2 * (sum(dilations) + plain)
