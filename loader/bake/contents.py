"""What the bake for one engine says of the files it wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loader.artifacts.artifact import TextFacts, VoiceFacts


@dataclass(frozen=True)
class Contents:
    """The part of a manifest that depends on the voice."""

    voice: VoiceFacts
    #: None where the engine brings its own way from text to ids.
    text: TextFacts | None
    #: For the engine alone, as JSON takes it.
    network: Mapping[str, Any]
