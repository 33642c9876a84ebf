"""Coqui's VITS layers without the `TTS` package: three of its modules, imported by themselves in 50 ms.

`import TTS` and the model classes would import the trainer and audio processing, for seconds.
"""

import functools
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from loader.artifacts.installation import require_bake_extra
from loader.text.isolated_import import import_privately

_MODULES = (
    "TTS.tts.layers.vits.networks",
    "TTS.tts.layers.vits.stochastic_duration_predictor",
    "TTS.tts.layers.glow_tts.duration_predictor",
)


@dataclass(frozen=True)
class Layers:
    """The classes of a VITS that only infers, without its decoder."""

    text_encoder: Callable[..., nn.Module]
    flow: Callable[..., nn.Module]
    stochastic_predictor: Callable[..., nn.Module]
    plain_predictor: Callable[..., nn.Module]

    def duration_predictor(self, is_stochastic: bool) -> Callable[..., nn.Module]:
        """Return the class of either kind."""
        return self.stochastic_predictor if is_stochastic else self.plain_predictor


@functools.cache
def import_layers() -> Layers:
    """Import the classes, once a process. Runs in the master before the fork.

    Raises:
        MissingPackageError: coqui-tts is not installed.
    """
    networks, stochastic, plain = import_privately("TTS", _MODULES, _installed_source())
    return Layers(
        text_encoder=networks.TextEncoder,
        flow=networks.ResidualCouplingBlocks,
        stochastic_predictor=stochastic.StochasticDurationPredictor,
        plain_predictor=plain.DurationPredictor,
    )


def drop_training_parts(predictor: Any) -> None:
    """Remove the training parts of a duration predictor, and the one flow that inference skips."""
    for name in [name for name, _ in predictor.named_children() if name.startswith("post_")]:
        delattr(predictor, name)
    if hasattr(predictor, "flows"):
        predictor.flows[1] = nn.Identity()


def _installed_source() -> Callable[[str], bytes | None]:
    require_bake_extra("the pytorch engine")
    root = Path(str(importlib.metadata.distribution("coqui-tts").locate_file("")))

    def read(name: str) -> bytes | None:
        path = root.joinpath(*name.split(".")).with_suffix(".py")
        return path.read_bytes() if path.is_file() else None

    return read
