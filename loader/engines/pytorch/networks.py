"""The three networks of one VITS in torch: Coqui's own layers but for the decoder, arrays in and arrays out."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from loader.artifacts.artifact import Artifact
from loader.engines.base import Samples
from loader.engines.compat import coqui_layers
from loader.engines.pytorch.decoder import Decoder
from loader.engines.pytorch.layers import Encode, Flow
from loader.engines.vits.inference import Array, Condition, Encoding, Frames
from loader.engines.weights import assign, mapped_tensors, without_initialisation

WEIGHTS_FILE = "weights.safetensors"


class TorchVits(nn.Module):
    """The three networks of one voice on one device. Arrays in, arrays out."""

    def __init__(self, layers: Mapping[str, Any]) -> None:
        """Put the layers together, their weights still to be assigned.

        Args:
            layers: a manifest's description, as `bake.pytorch` wrote it.
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
        """Where the weights lie."""
        return next(self.parameters()).device

    @torch.inference_mode()
    def encode(self, phoneme_ids: npt.NDArray[np.int64], noise: Array, condition: Condition) -> Encoding:
        """Run the text encoder and the duration predictor."""
        speaker, language = self._taken(condition.speaker), self._taken(condition.language)
        outputs = self.encoder(self._taken(phoneme_ids), self._taken(noise), speaker, language)
        return Encoding(*(_given(output) for output in outputs))

    @torch.inference_mode()
    def flow(self, prior: Array, condition: Condition) -> Array:
        """Turn a prior into a latent."""
        return _given(self.flows(self._taken(prior), self._taken(condition.speaker)))

    @torch.inference_mode()
    def decode(self, window: Array, condition: Condition, wanted: Frames | None = None) -> Samples:
        """Turn a latent window into the samples of the frames that are wanted; None is for all."""
        return _given(self.decoder(self._taken(window), self._taken(condition.speaker), wanted))

    def _taken(self, array: npt.NDArray[Any] | None) -> Tensor | None:
        return None if array is None else torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def open_vits(artifact: Artifact) -> TorchVits:
    """Build the networks of a baked voice on the CPU, their weights where they are mapped.

    Raises:
        ArtifactError: the weights do not fit the manifest's description.
    """
    with without_initialisation():
        model = TorchVits(artifact.manifest.network["layers"])
    assign(model, mapped_tensors(artifact.buffers[WEIGHTS_FILE], f"{artifact.directory}/{WEIGHTS_FILE}"))
    return model


def copied_to(model: TorchVits, device: str) -> TorchVits:
    """Return the same networks with their weights on `device`; no copy of them is made on the way."""
    tensors = [*model.parameters(), *model.buffers()]
    there = {id(each): nn.Parameter(each.to(device), requires_grad=False) for each in tensors}
    return copy.deepcopy(model, there)


def _given(tensor: Tensor) -> Array:
    array: Array = tensor.cpu().numpy()
    return array


def _forget_weight_norm(model: nn.Module) -> None:
    """Make plain parameters of those that Coqui's constructors normalise: the baked weights are the products."""
    for module in model.modules():
        if parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight")
