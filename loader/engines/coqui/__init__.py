"""The `coqui` engine for every family but VITS: Coqui's own classes on mapped, read-only weights.

It speaks one utterance at a time and as a whole: these networks keep state in themselves,
and draw from torch's one generator.
"""

import importlib
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from loader.artifacts.artifact import Artifact
from loader.devices.accelerator import Accelerator
from loader.devices.placement import Placement
from loader.engines.base import Capabilities, Plan, Samples, Utterance
from loader.engines.compat import torch_imports
from loader.engines.vits import finite
from loader.errors import SynthesisError

if TYPE_CHECKING:
    from loader.engines.coqui.xtts import BpeFrontEnd

CAPABILITIES = Capabilities(uses_device=True, speaks_whole=True)
#: Held while a model draws from torch's and numpy's generators, of which a process has one.
_generators = threading.Lock()


class Model(Protocol):
    """The networks of one voice, on one device. Called by one thread at a time."""

    @property
    def device(self) -> Any:
        """The torch device its weights are on."""
        ...

    def samples(self, utterance: Utterance) -> Samples:
        """Speak, drawing from torch's and numpy's global generators.

        Raises:
            SynthesisError: the network's output is not audio.
        """
        ...

    def to(self, device: Any) -> "Model":
        """Return a copy on another torch device; this one stays."""
        ...


class CoquiEngine:
    """An `Engine` over one model. Opened in the master before the fork."""

    def __init__(self, model: Model, accelerator: Accelerator | None = None) -> None:
        self.model = model
        self._placement = Placement(model, accelerator, lambda model, device: model.to(device))

    def plan(self, utterance: Utterance, random: np.random.Generator, soon: bool) -> Plan:
        """Return the utterance as one piece of work (see `Engine.plan`)."""
        seed = int(random.integers(2**63))
        return Plan(None, iter([lambda: self._speak(utterance, seed)]))

    def _speak(self, utterance: Utterance, seed: int) -> Samples:
        try:
            with _generators:
                return finite(self._placement.run(lambda model: _seeded_samples(model, utterance, seed)))
        except (SynthesisError, MemoryError):
            raise
        except Exception as error:  # Coqui's networks fail in many ways over ids outside their training data
            reason = f"{type(error).__name__}: {error}"
            raise SynthesisError(f"the model failed on {len(utterance.ids)} ids: {reason}") from error


def import_libraries() -> None:
    """Import torch and Coqui's package. Runs in the master; starts no thread."""
    torch_imports.import_torch()
    torch_imports.complete_torch()
    from loader.engines.compat.coqui_package import import_coqui, without_warnings

    import_coqui()
    with without_warnings():
        for name in ("TTS.tts.models.base_tts", "TTS.vocoder.models.gan", "librosa.filters"):
            importlib.import_module(name)


def open_engine(artifact: Artifact, accelerator: Accelerator | None = None) -> CoquiEngine:
    """Build the voice's networks on their mapped weights. Starts no thread.

    Args:
        artifact: mapped and verified.
        accelerator: the networks may be copied there once the process has entered it.

    Raises:
        ArtifactError: Coqui cannot build them, or the weights do not fit.
    """
    import_libraries()
    from loader.engines.compat.coqui_package import without_warnings

    with without_warnings():
        return CoquiEngine(_open_model(artifact), accelerator)


def front_end(artifact: Artifact) -> "BpeFrontEnd":
    """Return XTTS's own front end; every other family has text settings in the manifest."""
    import_libraries()
    from loader.engines.coqui.xtts import open_front_end

    return open_front_end(artifact)


def _open_model(artifact: Artifact) -> Model:
    if "xtts" in artifact.manifest.network:
        from loader.engines.coqui.xtts import open_xtts

        return open_xtts(artifact)
    from loader.engines.coqui.mel import open_mel_voice

    return open_mel_voice(artifact)


def _seeded_samples(model: Model, utterance: Utterance, seed: int) -> Samples:
    import torch

    # Not torch.manual_seed: it calls every device, also one that this process must not touch again.
    torch.default_generator.manual_seed(seed)
    if model.device.type == "cuda":
        with torch.cuda.device(model.device):
            torch.cuda.manual_seed(seed)
    # Griffin-Lim starts from phases that numpy draws; its oldest generator takes 32 bits.
    np.random.seed(seed % 2**32)
    return model.samples(utterance)
