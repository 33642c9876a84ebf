"""The three networks of a VITS in torch: Coqui's layers, but for the decoder. Noise is an input."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from loader.artifacts.artifact import Artifact
from loader.engines.base import Array, Samples
from loader.engines.compat import coqui_layers
from loader.engines.pytorch.hifigan import Decoder
from loader.engines.vits import Condition, Encoding, Frames
from loader.engines.weights import assign, mapped_tensors, without_initialisation

WEIGHTS_FILE = "weights.safetensors"


class Encode(nn.Module):
    """(ids, noise, speaker, language) -> (mean, log scale, log durations). The duration flow runs backwards.

    Speaker and language are None if the voice has no such choice. Coqui's forward method
    draws the noise itself, so its sums are written out here.
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


class TorchVits(nn.Module):
    """The three networks of one voice on one device. Arrays in, arrays out."""

    def __init__(self, layers: Mapping[str, Any]) -> None:
        """Build the layers; their weights are assigned later.

        Args:
            layers: the manifest's description, written by `bake.pytorch`.
        """
        super().__init__()
        classes = coqui_layers.import_layers()
        predictor = classes.duration_predictor(layers["is_stochastic"])(**layers["duration_predictor"])
        coqui_layers.drop_training_parts(predictor)
        text_encoder = classes.text_encoder(**layers["text_encoder"])
        self.encoder = Encode(text_encoder, predictor, layers["is_stochastic"], layers["knows_speaker"])
        self.flows = Flow(classes.flow(**layers["flow"]))
        self.decoder = Decoder(**layers["waveform_decoder"])
        _forget_weight_norm(self)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return next(self.parameters()).device

    @torch.inference_mode()
    def encode(self, phoneme_ids: npt.NDArray[np.int64], noise: Array, condition: Condition) -> Encoding:
        """Run the text encoder and the duration predictor."""
        speaker, language = self._to_tensor(condition.speaker), self._to_tensor(condition.language)
        outputs = self.encoder(self._to_tensor(phoneme_ids), self._to_tensor(noise), speaker, language)
        return Encoding(*(_to_array(output) for output in outputs))

    @torch.inference_mode()
    def flow(self, prior: Array, condition: Condition) -> Array:
        """Turn a prior into a latent."""
        return _to_array(self.flows(self._to_tensor(prior), self._to_tensor(condition.speaker)))

    @torch.inference_mode()
    def decode(self, window: Array, condition: Condition, wanted: Frames | None = None) -> Samples:
        """Turn a latent window into the samples of the `wanted` frames; None is all."""
        return _to_array(self.decoder(self._to_tensor(window), self._to_tensor(condition.speaker), wanted))

    def _to_tensor(self, array: npt.NDArray[Any] | None) -> Tensor | None:
        return None if array is None else torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def open_vits(artifact: Artifact) -> TorchVits:
    """Build the networks of a baked voice on the CPU, on their mapped weights.

    Raises:
        ArtifactError: the weights do not fit the manifest's description.
    """
    with without_initialisation():
        model = TorchVits(artifact.manifest.network["layers"])
    assign(model, mapped_tensors(artifact.buffers[WEIGHTS_FILE], f"{artifact.directory}/{WEIGHTS_FILE}"))
    return model


def copied_to(model: TorchVits, device: str) -> TorchVits:
    """Return the networks with their weights on `device`, without an intermediate copy."""
    tensors = [*model.parameters(), *model.buffers()]
    there = {id(each): nn.Parameter(each.to(device), requires_grad=False) for each in tensors}
    return copy.deepcopy(model, there)


def _to_array(tensor: Tensor) -> Array:
    array: Array = tensor.cpu().numpy()
    return array


def _forget_weight_norm(model: nn.Module) -> None:
    """Replace the normalized parameters of Coqui's constructors by plain ones: the baked weights are the products."""
    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
