"""The loader: model files to a voice that speaks. Knows no HTTP, no Flask, no request.

    tts_config.yaml -> Settings -> Release -> Artifact -> Voice
    text -> sentences -> phoneme ids -> durations -> latent frames -> sample windows

`from loader import TTSLoader` is the public interface; servers use `loader.voices.catalog`.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    # Late, so that the bake child and the configuration check do not import numpy.
    if name == "TTSLoader":
        from loader.tts_loader import TTSLoader

        return TTSLoader
    raise AttributeError(name)
