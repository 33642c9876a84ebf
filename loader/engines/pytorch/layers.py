"""Coqui's VITS layers, put together to speak and nothing else. The `pytorch` engine runs them, the `onnx` bake exports them.

Noise is an input, so nothing here draws any.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Encode(nn.Module):
    """(ids, noise, speaker, language) -> (mean, log scale, log durations). The duration flow runs backwards.

    Speaker and language are None where the voice has no such choice. The sums with them
    are Coqui's own, written out: its forward method draws the noise itself.
    """

    def __init__(self, text_encoder: nn.Module, predictor: Any, is_stochastic: bool, knows_speaker: bool) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.predictor = predictor
        self.is_stochastic = is_stochastic
        self.knows_speaker = knows_speaker

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

    def __init__(self, flow: nn.Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, prior: Tensor, speaker: Tensor | None) -> Tensor:
        latent: Tensor = self.flow(prior, torch.ones_like(prior[:, :1]), g=speaker, reverse=True)
        return latent
