"""Coqui's VITS network for a configuration."""

from typing import Any

from loader.bake.wording import one_line
from loader.errors import BakeError, LoaderError
from loader.releases.release import Release


def build_vits(config: Any, release: Release) -> Any:
    """Return a `TTS.tts.models.vits.Vits` without its weights.

    Raises:
        BakeError: Coqui cannot build it.
    """
    from TTS.tts.models.vits import Vits

    try:
        return Vits(config)
    except LoaderError:
        raise
    except Exception as error:  # an unknown cleaner, phonemizer or character class, each in its own way
        raise BakeError(f"{release.config_path}: Coqui cannot build it: {one_line(error)}") from error
