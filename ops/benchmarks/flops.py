"""How much arithmetic a VITS decoder needs, counted from Coqui's own layers.

What is counted is the network as it was trained: channels times kernel times length, no
activations, no additions, no biases. The graph that is served does slightly more, since
it is written in other layers (see `loader.bake.decoder`); a decoder's GFLOP/s is
therefore what it needs, not what it does, and doing needless work does not flatter it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Of the first and the last convolution; Coqui has no setting for it.
_OUTER_KERNEL = 7


@dataclass(frozen=True)
class Layer:
    """One convolution of Coqui's decoder over a window."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    #: Samples of the input where it is transposed, else of the output: how often the kernel is laid on.
    length: int

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition."""
        return self.in_channels * self.out_channels * self.kernel * self.length


def decoder_layers(model_args: Mapping[str, Any], frames: int) -> Iterator[Layer]:
    """Yield the convolutions of a HiFi-GAN generator over `frames` latent frames, in their order.

    Args:
        model_args: `model_args` of the voice's config.json.
        frames: latent frames in the window, margins included.
    """
    channels, length = int(model_args["upsample_initial_channel_decoder"]), frames
    yield Layer("first", int(model_args["hidden_channels"]), channels, _OUTER_KERNEL, frames)
    upsamplings = zip(model_args["upsample_rates_decoder"], model_args["upsample_kernel_sizes_decoder"], strict=True)
    for stage, (rate, kernel) in enumerate(upsamplings):
        yield Layer(f"stage {stage}, upsampling", channels, channels // 2, kernel, length)
        channels, length = channels // 2, length * rate
        yield from _blocks(model_args, stage, channels, length)
    yield Layer("last", channels, 1, _OUTER_KERNEL, length)


def decoder_multiply_adds(model_args: Mapping[str, Any], frames: int) -> int:
    """Return the multiply-adds of the decoder over `frames` latent frames."""
    return sum(layer.multiply_adds for layer in decoder_layers(model_args, frames))


def _blocks(model_args: Mapping[str, Any], stage: int, channels: int, length: int) -> Iterator[Layer]:
    """Yield the residual blocks of one stage; type 1 follows each dilated convolution by a plain one."""
    per_dilation = 2 if str(model_args["resblock_type_decoder"]) == "1" else 1
    sizes = zip(model_args["resblock_kernel_sizes_decoder"], model_args["resblock_dilation_sizes_decoder"], strict=True)
    for kernel, dilations in sizes:
        for _convolution in range(per_dilation * len(dilations)):
            yield Layer(f"stage {stage}, kernel {kernel}", channels, channels, kernel, length)
