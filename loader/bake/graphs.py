"""The text and latent side of a VITS as torch modules made for export. Knows no files.

Noise is an input, so no graph has a random node.
"""

from typing import Any

import torch
from torch import Tensor, nn

from loader.bake.decoder import flat_conv

#: Convolutions of fewer channels than two blocks gain nothing from the blocked layout.
_LEAST_CHANNELS = 32


class Encode(nn.Module):
    """(ids, noise, speaker, language) -> (mean, log scale, log durations). The duration flow runs backwards.

    Speaker and language are None where the voice has no such choice. The sums with a
    condition are Coqui's own, written out: its forward methods draw the noise themselves.
    """

    def __init__(self, vits: Any) -> None:
        super().__init__()
        self.text_encoder = _in_two_dimensions(vits.text_encoder)
        self.predictor = _in_two_dimensions(vits.duration_predictor)
        self.is_stochastic = bool(vits.args.use_sdp)
        self.knows_speaker = bool(vits.args.condition_dp_on_speaker)

    def forward(
        self, ids: Tensor, noise: Tensor, speaker: Tensor | None, language: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        lengths = torch.ones_like(ids).sum(1)
        hidden, mean, log_scale, mask = self.text_encoder(ids, lengths, lang_emb=language)
        speaker = speaker if self.knows_speaker else None
        if not self.is_stochastic:
            return mean, log_scale, self.predictor(hidden, mask, g=speaker, lang_emb=language) + 0 * noise[:, :1]
        return mean, log_scale, self._durations(hidden, mask, noise, speaker, language)

    def _durations(
        self, hidden: Tensor, mask: Tensor, noise: Tensor, speaker: Tensor | None, language: Tensor | None
    ) -> Tensor:
        predictor = self.predictor
        x = predictor.pre(hidden)
        if speaker is not None:
            x = x + predictor.cond(speaker)
        if language is not None:
            x = x + predictor.cond_lang(language)
        condition = predictor.proj(predictor.convs(x, mask)) * mask
        *flows, _unused, first = reversed(predictor.flows)
        z = noise
        for flow in (*flows, first):
            z = flow(torch.flip(z, [1]), mask, g=condition, reverse=True)
        return z[:, :1]


class Flow(nn.Module):
    """(prior, speaker) -> latent."""

    def __init__(self, vits: Any) -> None:
        super().__init__()
        self.flow = _in_two_dimensions(vits.flow)

    def forward(self, prior: Tensor, speaker: Tensor | None) -> Tensor:
        latent: Tensor = self.flow(prior, torch.ones_like(prior[:, :1]), g=speaker, reverse=True)
        return latent


class FlatConv(nn.Module):
    """A 1-D convolution computed as a 2-D one of height 1, which ONNX Runtime does 8 % faster here."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.conv = flat_conv(conv)

    def forward(self, x: Tensor) -> Tensor:
        # Not squeeze: it would be exported as a branch on the height.
        return self.conv(x.unsqueeze(2)).reshape(1, self.conv.out_channels, -1)


def _in_two_dimensions(module: nn.Module) -> nn.Module:
    """Replace every dense, wide 1-D convolution below `module`, in place."""
    for name, child in module.named_children():
        if not isinstance(child, nn.Conv1d):
            _in_two_dimensions(child)
        elif child.groups == 1 and min(child.in_channels, child.out_channels) >= _LEAST_CHANNELS:
            setattr(module, name, FlatConv(child))
    return module
