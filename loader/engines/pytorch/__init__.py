"""The `pytorch` engine for CUDA, and an alternative for the CPU: Coqui's VITS in torch on mapped, read-only weights.

Built by the master from the manifest's description: no `TTS` package is imported, no
checkpoint read, nothing initialized at random. A GPU gets a copy of the weights after
the fork; the CPU's network stays in place and takes over if the GPU fails.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from loader.artifacts.artifact import Artifact
from loader.devices.accelerator import Accelerator
from loader.devices.placement import Placement
from loader.engines.base import Array, Capabilities, Samples
from loader.engines.compat import torch_imports
from loader.engines.vits import Condition, Encoding, Frames, VitsEngine, VitsFacts, vits_engine

if TYPE_CHECKING:
    from loader.engines.pytorch.networks import TorchVits

CAPABILITIES = Capabilities(uses_device=True)
#: Core frames of a window at most: the margins of windows are decoded twice, and most sentences are shorter than this.
WINDOW_FRAMES = 512


class TorchNetworks:
    """The networks of one voice (see `vits.Networks`), on the GPU while one works."""

    def __init__(self, placement: Placement["TorchVits"], facts: VitsFacts) -> None:
        self._placement = placement
        self._facts = facts

    def encode(self, phoneme_ids: npt.NDArray[np.int64], noise: Array, condition: Condition) -> Encoding:
        """Run the text encoder and the duration predictor."""
        encoding: Encoding = self._placement.run(lambda model: model.encode(phoneme_ids, noise, condition))
        return encoding

    def flow(self, prior: Array, condition: Condition) -> Array:
        """Turn a prior into a latent."""
        latent: Array = self._placement.run(lambda model: model.flow(prior, condition))
        return latent

    def decode(self, window: Array, condition: Condition, keep: Frames | None = None) -> Samples:
        """Turn a latent window into samples, in halves if the whole does not fit into the GPU's memory."""
        return self._placement.run(
            lambda model: self._decode(model, window, condition, keep),
            lambda model: self._decode_halves(model, window, condition, keep or (0, window.shape[2])),
        )

    def _decode(self, model: "TorchVits", window: Array, condition: Condition, keep: Frames | None) -> Samples:
        decoded = self._facts.add_margin(keep, window.shape[2])
        return self._facts.drop_margin(model.decode(window, condition, decoded), decoded, keep)

    def _decode_halves(self, model: "TorchVits", window: Array, condition: Condition, keep: Frames) -> Samples:
        (first, last), margin = keep, self._facts.margin_frames
        middle = (first + last) // 2
        left = self._decode(model, window[:, :, : middle + margin], condition, (first, middle))
        start = max(0, middle - margin)
        right = self._decode(model, window[:, :, start:], condition, (middle - start, last - start))
        return np.concatenate([left, right])


def import_libraries() -> None:
    """Import torch and Coqui's layers. Runs in the master, starts no thread."""
    torch_imports.import_torch()
    from loader.engines.compat import coqui_layers

    coqui_layers.import_layers()


def open_engine(artifact: Artifact, accelerator: Accelerator | None = None) -> VitsEngine:
    """Return the engine of a baked VITS voice.

    Raises:
        ArtifactError: the artifact's weights do not fit its description.
    """
    import_libraries()
    from loader.engines.pytorch.networks import copied_to, open_vits

    facts = VitsFacts(**artifact.manifest.network["vits"])
    placement = Placement(open_vits(artifact), accelerator, copied_to)
    return vits_engine(TorchNetworks(placement, facts), artifact, WINDOW_FRAMES)
