"""The engine for every Coqui family that is not VITS: Coqui's own classes on mapped, read-only weights.

One utterance at a time and as a whole: these networks keep their state in themselves,
and their chance in torch's one generator.
"""

import importlib
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from loader.artifacts.artifact import Artifact
from loader.devices.accelerator import Accelerator
from loader.devices.placement import Placement
from loader.engines.base import Plan, Samples, Utterance
from loader.engines.compat import lean_torch
from loader.engines.vits.inference import finite
from loader.errors import SynthesisError

if TYPE_CHECKING:
    from loader.engines.coqui.bpe import BpeFrontEnd

#: Whether this engine can speak on an accelerator, and whether it makes an utterance in one piece, one at a time in a process.
USES_DEVICE, SPEAKS_WHOLE = True, True

#: Held while anything draws from torch's and numpy's generators. They are the process's, so it is too.
_CHANCE = threading.Lock()


class Model(Protocol):
    """The networks of one voice, on one device. Called by one thread at a time."""

    @property
    def device(self) -> Any:
        """The torch device its weights are on."""
        ...

    def samples(self, utterance: Utterance) -> Samples:
        """Speak, drawing from torch's and numpy's global generators.

        Raises:
            SynthesisError: the network produced something that is not audio.
        """
        ...

    def to(self, device: Any) -> "Model":
        """Return a copy on another torch device; the weights here are left where they are."""
        ...


class CoquiEngine:
    """An `Engine` over one model. Opened in the master before the fork."""

    def __init__(self, model: Model, accelerator: Accelerator | None = None) -> None:
        self.model = model
        self._placement = Placement(model, accelerator, lambda model, device: model.to(device))

    def plan(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Plan:
        """Return the utterance as one piece of work (see `Engine.plan`)."""
        seed = int(random.integers(2**63))
        return Plan(None, iter([lambda: self._spoken(utterance, seed)]))

    def _spoken(self, utterance: Utterance, seed: int) -> Samples:
        with _CHANCE:
            return finite(self._samples(utterance, seed))

    def _samples(self, utterance: Utterance, seed: int) -> Samples:
        try:
            return self._placement.run(lambda model: _spoken(model, utterance, seed))
        except (SynthesisError, MemoryError):
            raise
        except Exception as error:  # Coqui's networks fail in many ways over ids they were never trained with
            reason = f"{type(error).__name__}: {error}"
            raise SynthesisError(f"the model failed over {len(utterance.ids)} ids: {reason}") from error


def import_libraries() -> None:
    """Import torch and Coqui's package. Runs in the master; starts no thread."""
    lean_torch.import_torch()
    lean_torch.complete_torch()
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    for name in ("TTS.tts.models.base_tts", "TTS.vocoder.models.gan", "librosa.filters"):
        importlib.import_module(name)


def open_engine(artifact: Artifact, accelerator: Accelerator | None = None) -> CoquiEngine:
    """Build the voice's networks and give them their weights. Starts no thread.

    Args:
        artifact: mapped and verified.
        accelerator: where the networks may be copied to, once the process has entered it.

    Raises:
        ArtifactError: Coqui cannot build them, or the weights do not fit.
    """
    import_libraries()
    return CoquiEngine(_open_model(artifact), accelerator)


def front_end(artifact: Artifact) -> "BpeFrontEnd":
    """Return XTTS's own way from text to ids; every other family has its settings in the manifest."""
    import_libraries()
    from loader.engines.coqui.bpe import open_front_end

    return open_front_end(artifact)


def _open_model(artifact: Artifact) -> Model:
    if "xtts" in artifact.manifest.network:
        from loader.engines.coqui.xtts import open_xtts

        return open_xtts(artifact)
    from loader.engines.coqui.mel import open_mel_voice

    return open_mel_voice(artifact)


def _spoken(model: Model, utterance: Utterance, seed: int) -> Samples:
    import torch

    # Not torch.manual_seed, which calls every device there is, one that was left for good too.
    torch.default_generator.manual_seed(seed)
    if model.device.type == "cuda":
        with torch.cuda.device(model.device):
            torch.cuda.manual_seed(seed)
    # Griffin-Lim starts from phases that numpy draws; its oldest generator takes 32 bits.
    np.random.seed(seed % 2**32)
    return model.samples(utterance)
